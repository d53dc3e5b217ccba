// SPDX-License-Identifier: MIT
// result<T>: a value, or the std::error_code of what failed in the world. errc: weft's own codes,
// beside those of the system.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

#include "weft/config.hpp"

namespace weft::inline v0 {

/// The names are those of docs/errors.md; values never change.
enum class errc : std::uint8_t {
  timeout = 1,
  closed = 2,
  name_unknown = 3,
  name_again = 4,
  name_failed = 5,
};

WEFT_API const std::error_category& weft_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), weft_category()};
}

/// A T, or why there is none. value() throws std::system_error when there is none.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;

  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  result(std::error_code why) noexcept : held_(std::in_place_index<1>, why) {}

  bool has_value() const noexcept { return held_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  std::error_code error() const noexcept {
    return has_value() ? std::error_code() : *std::get_if<1>(&held_);
  }

  T& value() & { return check(), *std::get_if<0>(&held_); }
  const T& value() const& { return check(), *std::get_if<0>(&held_); }
  T&& value() && { return check(), std::move(*std::get_if<0>(&held_)); }
  T& operator*() & noexcept { return *std::get_if<0>(&held_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&held_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
  T* operator->() noexcept { return std::get_if<0>(&held_); }
  const T* operator->() const noexcept { return std::get_if<0>(&held_); }

  /// The value, or `other`, converted to T, when there is none.
  template <class U = T>
    requires std::is_convertible_v<U&&, T>
  T value_or(U&& other) const& {
    return has_value() ? T(**this) : static_cast<T>(std::forward<U>(other));
  }
  template <class U = T>
    requires std::is_convertible_v<U&&, T>
  T value_or(U&& other) && {
    return has_value() ? T(*std::move(*this)) : static_cast<T>(std::forward<U>(other));
  }

  /// Equal values, or the same error: with another result, a T or a std::error_code.
  friend bool operator==(const result&, const result&)
    requires std::equality_comparable<T>
  = default;

 private:
  void check() const {
    if (!has_value()) throw std::system_error(error());
  }
  std::variant<T, std::error_code> held_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;

  result() noexcept = default;
  result(std::error_code why) noexcept : why_(why) {}

  bool has_value() const noexcept { return !why_; }
  explicit operator bool() const noexcept { return has_value(); }
  std::error_code error() const noexcept { return why_; }
  void value() const {
    if (why_) throw std::system_error(why_);
  }
  /// Both have succeeded, or the same error.
  friend bool operator==(const result&, const result&) noexcept = default;

 private:
  std::error_code why_;
};

namespace detail {
template <class T>
struct flat {
  using type = result<T>;
};
template <class T>
struct flat<result<T>> {
  using type = result<T>;
};
template <class T>
struct flat<T&> {
  using type = result<std::reference_wrapper<T>>;
};
}  // namespace detail

/// result<T>, or T itself if that is a result; of a reference, a std::reference_wrapper's.
template <class T>
using flat_result = typename detail::flat<T>::type;

}  // namespace weft::inline v0

template <>
struct std::is_error_code_enum<weft::errc> : std::true_type {};
