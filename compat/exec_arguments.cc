#include "compat/exec_arguments.h"

#include <algorithm>

namespace zrun::compat {

namespace {
constexpr size_t kMaxString = 32 * hal::kPageSize;  // MAX_ARG_STRLEN
constexpr uint64_t kMinTotal = 128 << 10;           // ARG_MAX
constexpr uint64_t kMaxTotal = 6 << 20;             // three quarters of the usual stack
}  // namespace

Result<void> StringList::Add(std::string_view text) {
  TRY(chars_.Append(std::span<const char>(text.data(), text.size())));
  TRY(chars_.PushBack('\0'));
  count_++;
  return {};
}

Result<void> StringList::Clone(const StringList& other) {
  chars_.Clear();
  TRY(chars_.Append(std::span<const char>(other.chars_)));
  count_ = other.count_;
  return {};
}

void StringList::DropFirst() {
  if (count_ == 0) return;
  const std::string_view all(chars_.data(), chars_.size());
  const size_t length = all.find('\0') + 1;
  std::copy(chars_.begin() + ptrdiff_t(length), chars_.end(), chars_.begin());
  static_cast<void>(chars_.Resize(chars_.size() - length));
  count_--;
}

class ArgumentReader {
 public:
  explicit ArgumentReader(Task& task)
      : task_(task),
        budget_(std::clamp(task.group().limits().soft(Limit::kStack) / 4, kMinTotal, kMaxTotal)) {}

  Result<void> Read(UserPtr<const uint64_t> array, StringList& out) {
    if (array.is_null()) return {};
    UserMemory memory = task_.memory();
    std::array<uint64_t, 32> batch;
    size_t filled = 0, next = 0;
    for (size_t index = 0;; index++) {
      if (next == filled) {
        // The array may end just before unmapped memory: take what there is.
        const uint64_t at = array.at(index).address();
        const size_t wanted =
            std::min<size_t>(sizeof batch, hal::kPageSize - (at & hal::kPageMask)) & ~size_t{7};
        const auto bytes = std::as_writable_bytes(std::span(batch)).first(wanted ? wanted : 8);
        filled = TRY(memory.CopyIn(bytes, array.at(index).as<const std::byte>())) / 8;
        if (filled == 0) return Errno::kEFAULT;
        next = 0;
      }
      const uint64_t string = batch[next++];
      if (string == 0) return {};
      TRY(Charge(sizeof string));
      TRY(ReadString(string, out));
    }
  }

 private:
  Result<void> Charge(size_t bytes) {
    if (bytes > budget_) return Errno::kE2BIG;
    budget_ -= bytes;
    return {};
  }

  Result<void> ReadString(uint64_t address, StringList& out) {
    Vector<char>& chars = out.chars_;
    const size_t start = chars.size();
    bool stuck = false;
    for (size_t length = 0;;) {
      const size_t piece =
          std::min<size_t>(length < 256 ? 256 : hal::kPageSize, kMaxString - length);
      if (piece == 0) return Errno::kE2BIG;
      if (chars.capacity() < start + length + piece)
        TRY(chars.Reserve(std::max(chars.capacity() * 2, start + length + piece)));
      TRY(chars.Resize(start + length + piece));
      const hal::CopiedString copied =
          hal::CopyStringFromUser(chars.data() + start + length, address + length, piece);
      length += copied.copied;
      if (copied.terminated) {
        TRY(Charge(length));
        TRY(chars.Resize(start + length));
        out.count_++;
        return {};
      }
      if (copied.copied > 0) stuck = false;
      if (copied.copied < piece) {
        if (std::exchange(stuck, true)) return Errno::kEFAULT;
        TRY(Resolve(address + length));
      }
    }
  }

  // A page that is not there yet.
  Result<void> Resolve(uint64_t address) {
    if (!task_.region().HandleFault(address, hal::Access::kRead).ok()) return Errno::kEFAULT;
    return {};
  }

  Task& task_;
  uint64_t budget_;
};

Result<ExecArguments> ReadArguments(Task& task, UserPtr<const uint64_t> arguments,
                                    UserPtr<const uint64_t> environment) {
  ExecArguments out;
  ArgumentReader reader(task);
  TRY(reader.Read(arguments, out.arguments));
  TRY(reader.Read(environment, out.environment));
  if (out.arguments.count() == 0) TRY(out.arguments.Add(""));
  return out;
}

}  // namespace zrun::compat
