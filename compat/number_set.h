#pragma once
#include <bit>
#include <cstdint>

#include "base/vector.h"

namespace zrun::compat {

// Which of the numbers below size() are taken: a bit for each, and above them a bit for each word
// that is full, so that the lowest free number is found without a look at all that are taken
// (Linux keeps open_fds and full_fds_bits so). Not locked.
class NumberSet {
 public:
  size_t size() const { return words_.size() * kBits; }
  // Room for the numbers below |size|; never less than before. ENOMEM.
  Result<void> Grow(size_t size) {
    const size_t words = (size + kBits - 1) / kBits;
    if (words <= words_.size()) return {};
    TRY(full_.Resize((words + kBits - 1) / kBits));
    return words_.Resize(words);
  }
  void Take(size_t number) {
    uint64_t& word = words_[number / kBits];
    word |= Bit(number);
    if (word == ~uint64_t{0}) full_[number / kBits / kBits] |= Bit(number / kBits);
  }
  void Free(size_t number) {
    words_[number / kBits] &= ~Bit(number);
    full_[number / kBits / kBits] &= ~Bit(number / kBits);
  }
  // The lowest free number >= |from|; what is not below size() is free.
  size_t NextFree(size_t from) const {
    if (from >= size()) return from;
    const uint64_t free = ~words_[from / kBits] & (~uint64_t{0} << from % kBits);
    if (free != 0) return from / kBits * kBits + size_t(std::countr_zero(free));
    const size_t word = Next(full_, from / kBits + 1, ~uint64_t{0});
    if (word >= words_.size()) return size();
    return word * kBits + size_t(std::countr_one(words_[word]));
  }
  // The lowest taken number >= |from|; at least size() if there is none.
  size_t NextTaken(size_t from) const { return Next(words_, from, 0); }

 private:
  static constexpr size_t kBits = 64;
  static constexpr uint64_t Bit(size_t number) { return uint64_t{1} << number % kBits; }
  // The lowest bit >= |from| that is set once the words are inverted by |invert|.
  static size_t Next(const Vector<uint64_t>& words, size_t from, uint64_t invert) {
    uint64_t mask = ~uint64_t{0} << from % kBits;
    for (size_t i = from / kBits; i < words.size(); i++, mask = ~uint64_t{0}) {
      const uint64_t found = (words[i] ^ invert) & mask;
      if (found != 0) return i * kBits + size_t(std::countr_zero(found));
    }
    return words.size() * kBits;
  }
  Vector<uint64_t> words_;
  Vector<uint64_t> full_;
};

}  // namespace zrun::compat
