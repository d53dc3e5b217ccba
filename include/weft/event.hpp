// SPDX-License-Identifier: MIT
// event: something that happens once and that any number of tasks and threads may wait for.
#pragma once

#include <cstdint>
#include <memory>

#include "weft/config.hpp"
#include "weft/core/list.hpp"
#include "weft/core/lock.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

namespace detail {

/// The shared part. `set` never becomes false again; nobody waits once it is true.
class WEFT_API event_state {
 public:
  bool is_set() const noexcept { return set_.load(std::memory_order_acquire); }
  /// False: it was set before.
  bool set() noexcept;
  /// Links r, or completes its owner if the event is set.
  core::pass publish(core::wait_record& r) noexcept;
  void retract(core::wait_record& r) noexcept;

 private:
  core::tiny_lock lock_;
  core::atomic<bool> set_{false};
  core::list<core::wait_record> waiters_;
};

}  // namespace detail

/// Ready once the event is set.
class event_operation : public operation<event_operation> {
 public:
  using result_type = void;
  static constexpr bool shared = true;

  class arm {
   public:
    static constexpr bool home_only = false;
    explicit arm(const event_operation& op) noexcept : state_(op.state_) {}
    bool attempt(performer&) noexcept { return state_->is_set(); }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      record_.owner = &p.task();
      record_.arm = index;
      return state_->publish(record_);
    }
    void retract(performer&) noexcept { state_->retract(record_); }
    void decide(std::uint32_t) noexcept {}
    void settle(performer&) noexcept {}
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }

   private:
    std::shared_ptr<detail::event_state> state_;
    core::wait_record record_;
  };

 private:
  friend class event;
  explicit event_operation(std::shared_ptr<detail::event_state> state) noexcept
      : state_(std::move(state)) {}

  std::shared_ptr<detail::event_state> state_;
};

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
