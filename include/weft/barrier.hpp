// SPDX-License-Identifier: MIT
// barrier: n tasks or threads wait for each other, again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weft/config.hpp"
#include "weft/core/waiters.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

class arrival_operation;

class WEFT_API barrier {
 public:
  /// Throws std::invalid_argument for n = 0.
  explicit barrier(std::size_t n);
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  /// `co_await b.arrive_and_wait()`: arrives, and waits until n have; then all go on, and the next
  /// round begins. A wait that was cancelled, or lost in a choice, has not arrived: nobody goes on
  /// without it.
  arrival_operation arrive_and_wait() noexcept;
  /// As an arm of a choice, or for perform_blocking.
  arrival_operation arrive_and_wait_op() noexcept;

 private:
  friend class arrival_operation;
  bool arrive() noexcept;
  core::pass publish(core::wait_record& r) noexcept;
  void retract(core::wait_record& r) noexcept;
  core::wait_record* claim(core::waiters::holding& held) noexcept;
  core::pass release(core::waiters::holding& held, std::size_t needed,
                     const core::wait_record* mine) noexcept;

  core::waiters waiting_;
  std::size_t arrived_ = 0;  // records in the queue
  const std::size_t n_;
  std::vector<core::wait_record*> party_;  // room for those who go on together
};

/// What arrive_and_wait gives.
class [[nodiscard]] arrival_operation : public operation<arrival_operation> {
 public:
  using result_type = void;
  static constexpr bool shared = true;
  static constexpr const char* what = "barrier";

  class arm : public detail::single_arm<> {
   public:
    explicit arm(const arrival_operation& op) noexcept : of_(op.of_) {}
    bool attempt(performer&) noexcept { return of_.arrive(); }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      return of_.publish(record_of(p, index));
    }
    void retract(performer&) noexcept { of_.retract(record_); }
    void settle(performer&) noexcept {}

   private:
    barrier& of_;
  };

 private:
  friend class barrier;
  explicit arrival_operation(barrier& of) noexcept : of_(of) {}
  barrier& of_;
};

inline arrival_operation barrier::arrive_and_wait() noexcept { return arrive_and_wait_op(); }
inline arrival_operation barrier::arrive_and_wait_op() noexcept { return arrival_operation(*this); }

}  // namespace weft::inline v0
