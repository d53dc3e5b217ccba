// SPDX-License-Identifier: MIT
// latch: opens, for good, when it has been counted down to zero.
#pragma once

#include <algorithm>
#include <cstddef>

#include "weft/core/waiters.hpp"
#include "weft/ready_arm.hpp"

namespace weft::inline v0 {

class latch {
 public:
  using wait_operation = detail::ready_operation<latch*>;

  /// One of n = 0 is open.
  explicit latch(std::size_t n) noexcept : count_(n) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  /// At zero everybody who waits goes on; it stays there. Any thread.
  void count_down(std::size_t k = 1) noexcept {
    core::waiters::holding held(waiting_);
    count_ -= std::min(k, count_);
    if (count_ == 0) held.complete_all();
  }

  /// `co_await l.wait()`: until it is open. Throws cancelled if the task is. The latch may be
  /// destroyed when the last who waits has come through.
  wait_operation wait() noexcept { return wait_op(); }
  /// As an arm of a choice, or for perform_blocking.
  wait_operation wait_op() noexcept { return wait_operation(this); }
  /// Never waits: whether it is open. Any thread.
  bool try_wait() noexcept {
    const core::waiters::looking held(waiting_);
    return ready();
  }

 private:
  friend detail::ready_arm<latch*>;
  core::waiters& waiting() noexcept { return waiting_; }
  bool ready() const noexcept { return count_ == 0; }

  core::waiters waiting_;
  std::size_t count_;
};

}  // namespace weft::inline v0
