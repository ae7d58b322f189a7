#include "images/sha256.h"

// The low-level functions reach the CPU's SHA instructions without pulling the whole of libcrypto
// into the binary.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <vector>

#include "images/file.h"

namespace zrun::images {
namespace {

SHA256_CTX* Context(std::array<std::byte, 128>& state) {
  static_assert(sizeof(SHA256_CTX) <= 128);
  return reinterpret_cast<SHA256_CTX*>(state.data());
}

}  // namespace

Sha256::Sha256() : state_{} { SHA256_Init(Context(state_)); }

void Sha256::Update(const void* data, size_t size) { SHA256_Update(Context(state_), data, size); }

Sha256::Digest Sha256::Finish() {
  Digest digest;
  SHA256_Final(digest.data(), Context(state_));
  return digest;
}

std::string Sha256::FinishHex() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : Finish()) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string Sha256OfFile(int fd, const std::string& name) {
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  off_t offset = 0;
  while (size_t count = ReadFully(fd, buffer.data(), buffer.size(), offset, name)) {
    hash.Update(buffer.data(), count);
    offset += off_t(count);
  }
  return hash.FinishHex();
}

}  // namespace zrun::images
