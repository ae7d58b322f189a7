#pragma once
#include <new>
#include <type_traits>
#include <utility>

#include "base/errno.h"

namespace zrun {

// A value or an error. Move-only; the only way a kernel function fails.
template <typename T = void>
class [[nodiscard]] Result {
 public:
  constexpr Result(Errno error) : error_(error), has_value_(false) {}
  template <typename U = T>
  requires std::is_constructible_v<T, U&&> &&(!std::is_same_v<std::remove_cvref_t<U>, Result>)&&(
      !std::is_same_v<std::remove_cvref_t<U>, Errno>)constexpr Result(U&& value)
      : value_(std::forward<U>(value)), has_value_(true) {}
  constexpr Result(Result&& other) : has_value_(other.has_value_) {
    if (has_value_) {
      new (&value_) T(std::move(other.value_));
    } else {
      error_ = other.error_;
    }
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;
  constexpr ~Result() {
    if (has_value_) value_.~T();
  }

  constexpr bool ok() const { return has_value_; }
  // Only when !ok().
  constexpr Errno error() const { return error_; }
  // Only when ok().
  constexpr T& value() & { return value_; }
  constexpr const T& value() const& { return value_; }
  constexpr T&& value() && { return std::move(value_); }

 private:
  union {
    T value_;
    Errno error_;
  };
  bool has_value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  constexpr Result() = default;
  constexpr Result(Errno error) : error_(error) {}
  constexpr bool ok() const { return error_ == Errno{}; }
  constexpr Errno error() const { return error_; }
  constexpr void value() const {}

 private:
  Errno error_{};
};

}  // namespace zrun

// Evaluates to the value of a Result, or returns its error from the enclosing function. May be
// nested, so each use has a name of its own. Not in an aggregate's braces behind a member with a
// destructor: compilers do not destroy that member on the way out.
#define TRY(expression) ZRUN_TRY_EXPAND(__COUNTER__, expression)
#define ZRUN_TRY_EXPAND(number, expression) ZRUN_TRY_NAMED(number, expression)
#define ZRUN_TRY_NAMED(number, expression)                                     \
  __extension__({                                                              \
    auto&& try_result_##number = (expression);                                 \
    if (!try_result_##number.ok()) [[unlikely]]                                \
      return try_result_##number.error();                                      \
    static_cast<decltype(try_result_##number)&&>(try_result_##number).value(); \
  })
