#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace zrun::images {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  Sha256();
  void Update(const void* data, size_t size);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  Digest Finish();
  std::string FinishHex();

 private:
  alignas(8) std::array<std::byte, 128> state_;
};

// Of a file's bytes, in hexadecimal.
std::string Sha256OfFile(int fd, const std::string& name);

}  // namespace zrun::images
