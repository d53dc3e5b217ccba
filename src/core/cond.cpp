// SPDX-License-Identifier: MIT
#include "weft/cond.hpp"

namespace weft::inline v0 {

/// A wait that unlocks the mutex once it can be notified.
class cond::notification : public operation<cond::notification> {
 public:
  using result_type = void;
  static constexpr bool shared = true;

  class arm : public detail::single_arm<> {
   public:
    explicit arm(const notification& op) noexcept : of_(op.of_), guard_(op.guard_) {}
    bool attempt(performer&) noexcept { return false; }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      {
        core::waiters::holding held(of_);
        held.append(record_of(p, index));
      }
      guard_.unlock();
      return core::pass::wait;
    }
    void retract(performer&) noexcept {
      core::waiters::holding held(of_);
      held.retract(record_);
    }
    void settle(performer&) noexcept {}

   private:
    core::waiters& of_;
    mutex::guard& guard_;
  };

  notification(core::waiters& of, mutex::guard& guard) noexcept : of_(of), guard_(guard) {}

 private:
  core::waiters& of_;
  mutex::guard& guard_;
};

task<> cond::wait(mutex::guard& guard) {
  using lock = acquire_operation<mutex::guard>;
  const lock again(*guard.of(), 1);
  std::exception_ptr unwinding;
  try {
    co_await notification(waiting_, guard);
  } catch (const cancelled&) {
    unwinding = std::current_exception();
  }
  // Cancelled before it could unlock: then it is still held.
  if (!guard) guard = co_await detail::performance<lock, detail::hearing::deaf>(again);
  if (unwinding) std::rethrow_exception(unwinding);
}

void cond::wait_blocking(mutex::guard& guard) {
  detail::check_outside_tasks("cond::wait_blocking");
  const acquire_operation<mutex::guard> again(*guard.of(), 1);
  perform_blocking(notification(waiting_, guard));
  guard = perform_blocking(again);
}

bool cond::notify_one() noexcept {
  core::waiters::holding held(waiting_);
  return held.complete_first();
}

void cond::notify_all() noexcept {
  core::waiters::holding held(waiting_);
  held.complete_all();
}

}  // namespace weft::inline v0
