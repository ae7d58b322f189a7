#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace zrun::images {

// CRC-32C (Castagnoli) as EROFS uses it: initial value all ones, no final inversion.
inline uint32_t Crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82F63B78 : 0);
      table[i] = value;
    }
    return table;
  }();
  uint32_t crc = ~0u;
  for (char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ uint8_t(byte)) & 0xff];
  return crc;
}

}  // namespace zrun::images
