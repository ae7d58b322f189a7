#pragma once
#include "base/string.h"
#include "compat/task.h"

namespace zrun::compat {

// argv or envp, in the kernel: strings one after another, each with its NUL.
class StringList {
 public:
  size_t count() const { return count_; }
  std::span<const char> bytes() const { return chars_; }
  Result<void> Add(std::string_view text);
  Result<void> Clone(const StringList& other);
  // Takes out the first one.
  void DropFirst();

 private:
  friend class ArgumentReader;
  Vector<char> chars_;
  size_t count_ = 0;
};

// Linux's limits: 128 KiB for a string, a quarter of the stack for all with their pointers.
struct ExecArguments {
  StringList arguments;
  StringList environment;
};
// E2BIG, EFAULT. A null array is an empty one; an empty argv becomes {""}.
Result<ExecArguments> ReadArguments(Task& task, UserPtr<const uint64_t> arguments,
                                    UserPtr<const uint64_t> environment);

}  // namespace zrun::compat
