#pragma once
#include <string_view>

#include "base/vector.h"

namespace zrun {

// Owned text of any length (names, link targets, paths). Making one can fail.
class String {
 public:
  String() = default;
  static Result<String> Create(std::string_view text) {
    String string;
    TRY(string.Append(text));
    return string;
  }
  Result<String> Clone() const { return Create(view()); }
  Result<void> Append(std::string_view text) {
    return chars_.Append(std::span<const char>(text.data(), text.size()));
  }
  std::string_view view() const { return {chars_.data(), chars_.size()}; }
  operator std::string_view() const { return view(); }
  size_t size() const { return chars_.size(); }
  bool empty() const { return chars_.empty(); }
  void Clear() { chars_.Clear(); }
  Result<void> Resize(size_t size) { return chars_.Resize(size); }
  char* data() { return chars_.data(); }

 private:
  Vector<char> chars_;
};

}  // namespace zrun
