#include "runtime-cli/suggest.h"

#include <algorithm>
#include <numeric>

namespace zrun {
namespace {

// How many characters must be put in, taken out, replaced or swapped with their neighbour.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> older, before(b.size() + 1), now(b.size() + 1);
  std::iota(before.begin(), before.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], older[j - 2] + 1);
    }
    older = before;
    before = now;
  }
  return before.back();
}

}  // namespace

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    // What was broken off in the middle is near, too.
    const bool is_beginning = word.size() > 3 && candidate.starts_with(word);
    const size_t distance = is_beginning ? 1 : Distance(word, candidate);
    const bool is_better = distance < least || (distance == least && best != nullptr &&
                                                candidate.size() < best->size());
    if (!is_better || 2 * distance >= word.size()) continue;
    least = distance;
    best = &candidate;
  }
  return best ? "; did you mean '" + *best + "'?" : "";
}

}  // namespace zrun
