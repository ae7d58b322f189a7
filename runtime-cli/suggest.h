#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace zrun {

// "; did you mean 'KNOWN'?" for the known word that a slip of the fingers may have turned into
// |word|; nothing if none is near.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& known);

}  // namespace zrun
