// SPDX-License-Identifier: MIT
// always(v) and never(): the operations that are ready at once, and not at all.
#pragma once

#include <cstdint>
#include <exception>
#include <utility>

#include "weft/operation.hpp"

namespace weft::inline v0 {

/// What always(v) gives.
template <class T>
class [[nodiscard]] always_operation : public operation<always_operation<T>> {
 public:
  using result_type = T;
  static constexpr bool shared = false;

  class arm {
   public:
    static constexpr bool home_only = false;
    explicit arm(const always_operation& a) : value_(a.value_) {}
    explicit arm(always_operation&& a) : value_(std::move(a.value_)) {}
    bool attempt(performer&) noexcept { return true; }
    core::pass publish(performer&, std::uint32_t) noexcept { return core::pass::wait; }
    void retract(performer&) noexcept {}
    void decide(std::uint32_t) noexcept {}
    T settle(performer&) { return std::move(value_); }
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }

   private:
    T value_;
  };

  explicit always_operation(T value) : value_(std::move(value)) {}

 private:
  T value_;
};

/// Ready, with that value.
template <class T>
always_operation<T> always(T value) {
  return always_operation<T>(std::move(value));
}

/// Never ready. For a choice that leaves out an arm.
template <class T = void>
class [[nodiscard]] never_operation : public operation<never_operation<T>> {
 public:
  never_operation() noexcept {}

  using result_type = T;
  static constexpr bool shared = false;
  static constexpr const char* what = "nothing";

  class arm {
   public:
    static constexpr bool home_only = false;
    explicit arm(const never_operation&) noexcept {}
    bool attempt(performer&) noexcept { return false; }
    core::pass publish(performer&, std::uint32_t) noexcept { return core::pass::wait; }
    void retract(performer&) noexcept {}
    void decide(std::uint32_t) noexcept {}
    [[noreturn]] T settle(performer&) noexcept { std::terminate(); }
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }
  };
};
template <class T = void>
never_operation<T> never() noexcept {
  return {};
}

}  // namespace weft::inline v0
