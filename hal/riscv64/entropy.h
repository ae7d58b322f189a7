#pragma once
#include <cstddef>
#include <span>

namespace zrun::hal {

// Stirs bytes of a good source into the generator behind FillEntropy().
void AddEntropy(std::span<const std::byte> bytes);

// Asks the host for some, if it offers any.
void StartEntropyDevice();

}  // namespace zrun::hal
