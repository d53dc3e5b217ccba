// SPDX-License-Identifier: MIT
// event: something that happens once and that any number of tasks and threads may wait for.
#pragma once

#include <memory>

#include "weft/core/waiters.hpp"
#include "weft/ready_arm.hpp"

namespace weft::inline v0 {

namespace detail {

/// The shared part. It never becomes unset again; nobody waits once it is set.
class event_state {
 public:
  core::waiters& waiting() noexcept { return waiting_; }
  bool ready() const noexcept { return is_set_; }
  bool is_set() noexcept {
    const core::waiters::looking held(waiting_);
    return is_set_;
  }
  /// False: it was set before.
  bool set() noexcept {
    core::waiters::holding held(waiting_);
    held.complete_all();
    return !std::exchange(is_set_, true);
  }

 private:
  core::waiters waiting_;
  bool is_set_ = false;
};

}  // namespace detail

/// Ready once the event is set.
using event_operation = detail::ready_operation<std::shared_ptr<detail::event_state>>;

/// Happens once. Copies are the same event. Any thread.
class event {
 public:
  event() : state_(std::make_shared<detail::event_state>()) {}
  /// Wakes whoever waits. False: it had happened before.
  bool set() const noexcept { return state_->set(); }
  bool is_set() const noexcept { return state_->is_set(); }
  /// `co_await e.wait()`, or an arm of a choice.
  event_operation wait_op() const noexcept { return event_operation(state_); }
  event_operation wait() const noexcept { return wait_op(); }

 private:
  std::shared_ptr<detail::event_state> state_;
};

}  // namespace weft::inline v0
