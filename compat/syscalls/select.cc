#include "compat/poll_set.h"
#include "compat/syscall_table.h"
#include "compat/time_argument.h"

namespace zrun::compat {
namespace {

// What makes a descriptor ready in each of the three sets (select(2), "Correspondence").
constexpr uint32_t kReadEvents =
    kPollReadNormal | kPollReadBand | kPollIn | kPollHangUp | kPollError;
constexpr uint32_t kWriteEvents = kPollWriteBand | kPollWriteNormal | kPollOut | kPollError;
constexpr uint32_t kExceptEvents = kPollPriority;
constexpr uint32_t kEventsOfSet[3] = {kReadEvents, kWriteEvents, kExceptEvents};
constexpr size_t kWordBits = 64;

// Bits of the three sets, one after another, in words as the guest has them.
struct Sets {
  Vector<uint64_t> words;
  size_t words_each = 0;
  uint64_t& word(size_t set, size_t index) { return words[set * words_each + index]; }
  bool Has(size_t set, size_t bit) { return word(set, bit / kWordBits) >> (bit % kWordBits) & 1; }
};

using SetPointers = std::array<UserPtr<uint64_t>, 3>;

Result<Sets> ReadSets(Task& task, const SetPointers& pointers, size_t count) {
  Sets sets;
  sets.words_each = (count + kWordBits - 1) / kWordBits;
  TRY(sets.words.Resize(3 * sets.words_each));
  for (size_t i = 0; i < 3; i++) {
    if (!pointers[i] || sets.words_each == 0) continue;
    const std::span<uint64_t> words(&sets.word(i, 0), sets.words_each);
    TRY(task.memory().ReadArray(words, UserPtr<const uint64_t>(pointers[i])));
  }
  return sets;
}

uint32_t EventsWanted(Sets& sets, size_t bit) {
  uint32_t events = 0;
  for (size_t i = 0; i < 3; i++)
    if (sets.Has(i, bit)) events |= kEventsOfSet[i];
  return events;
}

Result<size_t> SelectFiles(Task& task, int32_t count, const SetPointers& pointers,
                           hal::Deadline deadline) {
  if (count < 0) return Errno::kEINVAL;
  // Linux looks no further than its table of descriptors reaches, which is never smaller than 64.
  const size_t reach = std::max<size_t>(std::bit_ceil(task.fds().capacity()), kWordBits);
  const size_t bits = std::min<size_t>(size_t(count), reach);
  Sets sets = TRY(ReadSets(task, pointers, bits));
  PollSet poll;
  Vector<uint32_t> numbers;
  for (size_t bit = 0; bit < bits; bit++) {
    const uint32_t events = EventsWanted(sets, bit);
    if (events == 0) continue;
    TRY(poll.Add(task, Fd{int32_t(bit)}, events));
    TRY(numbers.PushBack(uint32_t(bit)));
  }
  TRY(poll.Wait(task, deadline));

  Sets answer;
  answer.words_each = sets.words_each;
  TRY(answer.words.Resize(sets.words.size()));
  size_t total = 0;
  for (size_t item = 0; item < numbers.size(); item++) {
    for (size_t i = 0; i < 3; i++) {
      const size_t bit = numbers[item];
      if (!sets.Has(i, bit) || !(poll.returned(item) & kEventsOfSet[i])) continue;
      answer.word(i, bit / kWordBits) |= uint64_t{1} << (bit % kWordBits);
      total++;
    }
  }
  for (size_t i = 0; i < 3; i++) {
    if (!pointers[i] || sets.words_each == 0) continue;
    const std::span<const uint64_t> words(&answer.word(i, 0), answer.words_each);
    TRY(task.memory().WriteArray(pointers[i], words));
  }
  return total;
}

}  // namespace

SyscallResult sys_select(Task& task, int32_t count, UserPtr<uint64_t> readable,
                         UserPtr<uint64_t> writable, UserPtr<uint64_t> exceptional,
                         UserPtr<abi::Timeval> timeout) {
  auto deadline = hal::Deadline::Never();
  if (timeout) {
    const auto given = TRY(task.memory().Read(timeout));
    // Linux carries whole seconds over from the microseconds.
    const int64_t seconds = given.seconds + given.microseconds / 1'000'000;
    deadline = DeadlineAfter(TRY(DurationOf({seconds, given.microseconds % 1'000'000 * 1000})));
  }
  const auto ready = SelectFiles(task, count, {readable, writable, exceptional}, deadline);
  const auto left = ToTimespec(TimeLeft(deadline));
  const bool told =
      TellTimeLeft(task, timeout, abi::Timeval{left.seconds, left.nanoseconds / 1000});
  if (ready.ok()) return ready.value();
  if (ready.error() != Errno::kEINTR || !told) return ready.error();
  return Errno::kRestartNoHand;
}

SyscallResult sys_pselect6(Task& task, int32_t count, UserPtr<uint64_t> readable,
                           UserPtr<uint64_t> writable, UserPtr<uint64_t> exceptional,
                           UserPtr<abi::Timespec> timeout,
                           UserPtr<const abi::SigsetArgument> mask) {
  const auto deadline = TRY(ReadTimeout(task, timeout));
  if (mask) {
    const auto argument = TRY(task.memory().Read(mask));
    TRY(task.SetTemporaryMask(UserPtr<const uint64_t>(argument.mask), argument.size));
  }
  const auto ready = SelectFiles(task, count, {readable, writable, exceptional}, deadline);
  const bool told = TellTimeLeft(task, timeout, ToTimespec(TimeLeft(deadline)));
  if (ready.ok()) return ready.value();
  if (ready.error() != Errno::kEINTR || !told) return ready.error();
  return Errno::kRestartNoHand;
}

}  // namespace zrun::compat
