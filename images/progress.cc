#include "images/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace zrun::images {
namespace {

bool is_silenced = false;

constexpr std::chrono::milliseconds kBetweenBars(50), kBetweenLines(1000);

}  // namespace

void ProgressBar::Silence() { is_silenced = true; }

bool ProgressBar::IsSilenced() { return is_silenced; }

ProgressBar::ProgressBar(std::string title)
    : title_(std::move(title)),
      is_terminal_(isatty(STDERR_FILENO)),
      next_(Clock::now() + (is_terminal_ ? Clock::duration::zero() : kBetweenLines)) {}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Clear() {
  if (shown_) fputs("\r\033[K", stderr);
  shown_ = false;
}

void ProgressBar::Show(uint64_t done, uint64_t total) {
  if (is_silenced || total == 0) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (is_terminal_ ? kBetweenBars : kBetweenLines);
  if (is_terminal_) {
    ShowBar(done, total);
    return;
  }
  const int percentage = int(std::min(1.0, double(done) / double(total)) * 100);
  if (percentage == percentage_) return;  // a log is not to be filled with what says nothing
  percentage_ = percentage;
  fprintf(stderr, "zrun: %s: %d%%\n", title_.c_str(), percentage);
}

void ProgressBar::ShowBar(uint64_t done, uint64_t total) {
  winsize window{};
  ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
  size_t columns = window.ws_col != 0 ? window.ws_col : 80;  // serial lines do not know theirs
  if (columns < 20) return;
  double part = std::min(1.0, double(done) / double(total));
  std::string title = title_.substr(0, columns / 2);
  size_t width = std::min<size_t>(40, columns - title.size() - 9);
  size_t filled = size_t(part * double(width));
  std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
  fprintf(stderr, "\r%s [%s] %3d%%\033[K", title.c_str(), bar.c_str(), int(part * 100));
  fflush(stderr);
  shown_ = true;
}

}  // namespace zrun::images
