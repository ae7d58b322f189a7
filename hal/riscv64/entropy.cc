// Random bytes: ChaCha20 as a generator with fast key erasure, seeded by the firmware's
// /chosen/rng-seed and stirred by virtio-rng. Source: RFC 8439; D. J. Bernstein, "Fast-key-erasure
// random-number generators" (2017).
#include "hal/riscv64/entropy.h"

#include <algorithm>
#include <array>
#include <bit>

#include "hal/devices.h"
#include "hal/riscv64/device_tree.h"
#include "hal/riscv64/machine.h"

namespace zrun::hal {
namespace {

using Block = std::array<uint32_t, 16>;
constexpr size_t kKeyWords = 8;

constinit SpinLock g_lock;
constinit std::array<uint32_t, kKeyWords> g_key = {};
// The end of it is random and was not given out yet.
constinit std::array<std::byte, 192> g_ready = {};
constinit size_t g_ready_size = 0;

[[gnu::always_inline]] inline void QuarterRound(uint32_t& a, uint32_t& b, uint32_t& c,
                                                uint32_t& d) {
  a += b, d = std::rotl(d ^ a, 16);
  c += d, b = std::rotl(b ^ c, 12);
  a += b, d = std::rotl(d ^ a, 8);
  c += d, b = std::rotl(b ^ c, 7);
}

Block ChaCha(const std::array<uint32_t, kKeyWords>& key, uint32_t counter) {
  const Block start = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1],
                       key[2],     key[3],     key[4],     key[5],     key[6], key[7],
                       counter,    0,          0,          0};
  Block x = start;
  for (int i = 0; i < 10; i++) {
    QuarterRound(x[0], x[4], x[8], x[12]);
    QuarterRound(x[1], x[5], x[9], x[13]);
    QuarterRound(x[2], x[6], x[10], x[14]);
    QuarterRound(x[3], x[7], x[11], x[15]);
    QuarterRound(x[0], x[5], x[10], x[15]);
    QuarterRound(x[1], x[6], x[11], x[12]);
    QuarterRound(x[2], x[7], x[8], x[13]);
    QuarterRound(x[3], x[4], x[9], x[14]);
  }
  for (size_t i = 0; i < x.size(); i++) x[i] += start[i];
  return x;
}

// A block's first half replaces the key, so that what was given out cannot be computed from what is
// in memory later.
using Key = std::array<uint32_t, kKeyWords>;
Key TakeKey() {
  const Block block = ChaCha(g_key, 0);
  std::copy_n(block.begin(), kKeyWords, g_key.begin());
  Key key;
  std::copy_n(block.begin() + kKeyWords, kKeyWords, key.begin());
  return key;
}

void Generate(const Key& key, std::span<std::byte> buffer) {
  for (uint32_t counter = 0; !buffer.empty(); counter++) {
    const Block block = ChaCha(key, counter);
    const size_t size = std::min(buffer.size(), sizeof block);
    __builtin_memcpy(buffer.data(), block.data(), size);
    buffer = buffer.subspan(size);
  }
}

}  // namespace

void AddEntropy(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::array<uint32_t, kKeyWords> words = {};
    const size_t size = std::min(bytes.size(), sizeof words);
    __builtin_memcpy(words.data(), bytes.data(), size);
    bytes = bytes.subspan(size);
    SpinLocked lock(g_lock);
    for (size_t i = 0; i < kKeyWords; i++) g_key[i] ^= words[i];
    const Block block = ChaCha(g_key, 0);
    std::copy_n(block.begin(), kKeyWords, g_key.begin());
    g_ready_size = 0;
  }
}

void InitEntropy() {
  const auto chosen = MachineTree().Find("/chosen");
  if (!chosen) return;
  if (const auto seed = chosen.Property("rng-seed")) AddEntropy(*seed);
  const Nanoseconds times[] = {TimerNow(), RealtimeNow()};
  AddEntropy(std::as_bytes(std::span(times)));
}

// Little comes from what is ready, and is forgotten there.
void FillEntropy(std::span<std::byte> buffer) {
  if (buffer.size() > g_ready.size()) {
    Key key;
    {
      SpinLocked lock(g_lock);
      key = TakeKey();
    }
    return Generate(key, buffer);
  }
  SpinLocked lock(g_lock);
  if (g_ready_size < buffer.size()) {
    Generate(TakeKey(), g_ready);
    g_ready_size = g_ready.size();
  }
  std::byte* const from = g_ready.data() + g_ready.size() - g_ready_size;
  __builtin_memcpy(buffer.data(), from, buffer.size());
  __builtin_memset(from, 0, buffer.size());
  g_ready_size -= buffer.size();
}

}  // namespace zrun::hal
