#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace zrun::images {

// A bar on standard error, if that is a terminal; it vanishes when the work is done.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  void Show(uint64_t done, uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  std::string title_;
  bool is_terminal_;
  bool shown_ = false;
  Clock::time_point next_ = Clock::now();
};

}  // namespace zrun::images
