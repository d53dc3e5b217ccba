// SPDX-License-Identifier: MIT
// acquire_operation: what the lock and acquire operations of mutex, rwlock and semaphore are. It
// gives a Held, which gives back in its destructor what was taken.
// What it waits for is core::permits. Tests: tests/task/mutex_test.cpp, semaphore_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "weft/core/permits.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

/// Ready when the permits are there and nobody has waited for longer. Whatever they are of has to
/// outlive it.
template <class Held>
class [[nodiscard]] acquire_operation : public operation<acquire_operation<Held>> {
 public:
  using result_type = Held;
  static constexpr bool shared = true;
  static constexpr const char* what = "lock or permit";

  class arm : public detail::single_arm<core::permit_wait> {
   public:
    explicit arm(const acquire_operation& op) noexcept : of_(op.of_) {
      this->record_.wanted = op.count_;
    }
    bool attempt(performer&) noexcept { return of_.try_take(this->record_.wanted); }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      return of_.publish(this->record_of(p, index));
    }
    void retract(performer&) noexcept { of_.retract(this->record_); }
    Held settle(performer&) noexcept { return Held(of_, this->record_.wanted); }

   private:
    core::permits& of_;
  };

  acquire_operation(core::permits& of, std::size_t count) noexcept : of_(of), count_(count) {}

 private:
  core::permits& of_;
  std::size_t count_;
};

namespace detail {

template <class Held>
std::optional<Held> try_acquire(core::permits& of, std::size_t count) noexcept {
  if (!of.try_take(count)) return std::nullopt;
  return std::optional<Held>(std::in_place, of, count);
}

}  // namespace detail

}  // namespace weft::inline v0
