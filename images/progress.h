#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace zrun::images {

// How far long work has come, on standard error: on a terminal a bar, which vanishes when the work
// is done; elsewhere now and then a line, from the second second on.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  // In any unit.
  void Show(uint64_t done, uint64_t total);
  // Before something else is printed.
  void Clear();

  // From now on nothing is shown, for the whole program.
  static void Silence();
  static bool IsSilenced();

 private:
  using Clock = std::chrono::steady_clock;

  void ShowBar(uint64_t done, uint64_t total);

  std::string title_;
  bool is_terminal_;
  bool shown_ = false;
  int percentage_ = -1;  // of the last line
  Clock::time_point next_;
};

}  // namespace zrun::images
