#pragma once
#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "base/result.h"

namespace zrun {

// A growing array; growing can fail.
template <typename T>
class Vector {
 public:
  Vector() = default;
  Vector(Vector&& other)
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Vector& operator=(Vector&& other) {
    Vector moved(std::move(other));
    std::swap(data_, moved.data_);
    std::swap(size_, moved.size_);
    std::swap(capacity_, moved.capacity_);
    return *this;
  }
  Vector(const Vector&) = delete;
  Vector& operator=(const Vector&) = delete;
  ~Vector() {
    Clear();
    ::operator delete(data_, std::align_val_t(alignof(T)));
  }

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t index) {
    DCHECK(index < size_);
    return data_[index];
  }
  const T& operator[](size_t index) const {
    DCHECK(index < size_);
    return data_[index];
  }
  T& back() { return (*this)[size_ - 1]; }
  operator std::span<T>() { return {data_, size_}; }
  operator std::span<const T>() const { return {data_, size_}; }

  Result<void> Reserve(size_t capacity) {
    if (capacity <= capacity_) return {};
    if (capacity > SIZE_MAX / 2 / sizeof(T)) return Errno::kENOMEM;
    void* memory = ::operator new(capacity * sizeof(T), std::align_val_t(alignof(T)), std::nothrow);
    if (!memory) return Errno::kENOMEM;
    T* data = static_cast<T*>(memory);
    if constexpr (std::is_trivially_copyable_v<T>) {
      if (size_ > 0) __builtin_memcpy(memory, data_, size_ * sizeof(T));
    } else {
      for (size_t i = 0; i < size_; i++) {
        new (&data[i]) T(std::move(data_[i]));
        data_[i].~T();
      }
    }
    ::operator delete(data_, std::align_val_t(alignof(T)));
    data_ = data;
    capacity_ = capacity;
    return {};
  }
  Result<void> PushBack(T value) {
    if (size_ == capacity_) TRY(Reserve(std::max<size_t>(4, capacity_ * 2)));
    new (&data_[size_]) T(std::move(value));
    size_++;
    return {};
  }
  // New elements are value-initialised.
  Result<void> Resize(size_t size) {
    if (size > capacity_) TRY(Reserve(size));
    // std::byte is an enumeration: byte by byte it would cost more than what is read into it.
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      if (size > size_) __builtin_memset(data_ + size_, 0, (size - size_) * sizeof(T));
      size_ = size;
    } else {
      while (size_ < size) new (&data_[size_++]) T();
      while (size_ > size) data_[--size_].~T();
    }
    return {};
  }
  Result<void> Append(std::span<const T> values) requires std::is_copy_constructible_v<T> {
    if (size_ + values.size() > capacity_)
      TRY(Reserve(std::max(size_ + values.size(), capacity_ * 2)));
    if constexpr (std::is_trivially_copyable_v<T>) {
      if (!values.empty())
        __builtin_memcpy(static_cast<void*>(data_ + size_), values.data(), values.size_bytes());
      size_ += values.size();
    } else {
      for (const T& value : values) new (&data_[size_++]) T(value);
    }
    return {};
  }
  Result<void> Insert(size_t index, T value) {
    TRY(PushBack(std::move(value)));
    std::rotate(begin() + index, end() - 1, end());
    return {};
  }
  void Erase(size_t index) {
    std::move(begin() + index + 1, end(), begin() + index);
    PopBack();
  }
  void PopBack() { data_[--size_].~T(); }
  void Clear() {
    if constexpr (std::is_trivially_destructible_v<T>) size_ = 0;
    while (size_ > 0) PopBack();
  }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace zrun
