#pragma once
#include <type_traits>

namespace zrun {

// Bit operators for enum classes that opt in with
//   template <> inline constexpr bool zrun::kIsFlags<MyEnum> = true;
template <typename E>
inline constexpr bool kIsFlags = false;
template <typename E>
concept Flags = std::is_enum_v<E> && kIsFlags<E>;

template <Flags E>
constexpr E operator|(E a, E b) {
  using U = std::underlying_type_t<E>;
  return E(U(a) | U(b));
}
template <Flags E>
constexpr E operator&(E a, E b) {
  using U = std::underlying_type_t<E>;
  return E(U(a) & U(b));
}
template <Flags E>
constexpr E operator~(E a) {
  using U = std::underlying_type_t<E>;
  return E(U(~U(a)));
}
template <Flags E>
constexpr E& operator|=(E& a, E b) {
  return a = a | b;
}
template <Flags E>
constexpr E& operator&=(E& a, E b) {
  return a = a & b;
}
template <Flags E>
constexpr bool HasAll(E set, E bits) {
  return (set & bits) == bits;
}
template <Flags E>
constexpr bool HasAny(E set, E bits) {
  return (set & bits) != E{};
}

}  // namespace zrun
