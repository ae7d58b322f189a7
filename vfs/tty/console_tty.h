#pragma once
#include "vfs/tty/tty.h"

namespace zrun::vfs {

// The launcher's terminal: stream 0 is its keyboard, stream 1 its screen.
class ConsoleTty final : public Tty {
 public:
  static constexpr uint64_t kDevice = MakeDevice(5, 1);
  static Result<RefPtr<ConsoleTty>> Create();
  // On a service thread.
  void OnKeyboard() EXCLUDES(lock_);
  void OnScreen() EXCLUDES(lock_);
  // Writes what there is, even if ^S stopped it; false: the screen does not take it yet.
  bool Flush() EXCLUDES(lock_);

 private:
  template <typename T, typename... Args>
  friend Result<RefPtr<T>> zrun::MakeRef(Args&&...);
  ConsoleTty();
  void OnOutput() override REQUIRES(lock_);
  void OnInputRoom() override REQUIRES(lock_);
  bool Pump() REQUIRES(lock_);

  // Nothing is read from the keyboard until those who read have taken what there is.
  bool throttled_ GUARDED_BY(lock_) = false;
};

// open(2) of /dev/console: ENXIO if the launcher's streams are no terminal.
Result<RefPtr<FileDescription>> OpenConsole(const Path& path, OpenFlags flags);

}  // namespace zrun::vfs
