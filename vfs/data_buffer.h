#pragma once
#include <cstddef>
#include <span>

#include "base/result.h"
#include "base/user_ptr.h"

namespace zrun::vfs {

// A range of the running thread's memory.
struct UserRange {
  UserPtr<std::byte> base;
  size_t size = 0;
};

// Where read(2) puts bytes, and where write(2) takes them from: guest memory (compat/user_buffer.h)
// or a kernel span. Guest addresses are checked when touched, not before: read(fd, NULL, 1) at end
// of file returns 0.
class DataSink {
 public:
  virtual size_t remaining() const = 0;
  // Bytes taken, less than given only where the guest's memory ends: then kEFAULT if it took none.
  virtual Result<size_t> Put(std::span<const std::byte> bytes) = 0;
  // The same for zeros.
  virtual Result<size_t> PutZeros(size_t count) = 0;
  // Where the next bytes go, for those who can put them there themselves and then Skip() them;
  // empty where that is no guest memory.
  virtual UserRange Next() const { return {}; }
  virtual void Skip(size_t) {}

 protected:
  ~DataSink() = default;
};
class DataSource {
 public:
  virtual size_t remaining() const = 0;
  virtual Result<size_t> Take(std::span<std::byte> bytes) = 0;
  // The same bytes again with the next call: for files that must know them to say kEAGAIN.
  virtual Result<size_t> Peek(std::span<std::byte> bytes) = 0;
  // As DataSink has them: where the next bytes come from.
  virtual UserRange Next() const { return {}; }
  virtual void Skip(size_t) {}

 protected:
  ~DataSource() = default;
};

class SpanSink final : public DataSink {
 public:
  explicit SpanSink(std::span<std::byte> span) : span_(span) {}
  size_t remaining() const override { return span_.size(); }
  size_t filled() const { return filled_; }
  Result<size_t> Put(std::span<const std::byte> bytes) override {
    const size_t size = bytes.size() < span_.size() ? bytes.size() : span_.size();
    __builtin_memcpy(span_.data(), bytes.data(), size);
    Advance(size);
    return size;
  }
  Result<size_t> PutZeros(size_t count) override {
    const size_t size = count < span_.size() ? count : span_.size();
    __builtin_memset(span_.data(), 0, size);
    Advance(size);
    return size;
  }

 private:
  void Advance(size_t size) {
    span_ = span_.subspan(size);
    filled_ += size;
  }
  std::span<std::byte> span_;
  size_t filled_ = 0;
};

class SpanSource final : public DataSource {
 public:
  explicit SpanSource(std::span<const std::byte> span) : span_(span) {}
  size_t remaining() const override { return span_.size(); }
  Result<size_t> Take(std::span<std::byte> bytes) override {
    const size_t size = bytes.size() < span_.size() ? bytes.size() : span_.size();
    __builtin_memcpy(bytes.data(), span_.data(), size);
    span_ = span_.subspan(size);
    return size;
  }
  Result<size_t> Peek(std::span<std::byte> bytes) override { return SpanSource(*this).Take(bytes); }

 private:
  std::span<const std::byte> span_;
};

}  // namespace zrun::vfs
