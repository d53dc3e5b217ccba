// SPDX-License-Identifier: MIT
// perform_blocking(op): a plain thread performs an operation, and sleeps until it has happened. So
// a program's own threads use the channels of its tasks.
// Tests: tests/task/blocking_test.cpp.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "weft/config.hpp"
#include "weft/operation.hpp"

namespace weft::inline v0 {

namespace detail {

/// Throws std::logic_error inside a task, in the name of its caller.
WEFT_API void check_outside_tasks(const char* caller);

/// A thread that waits: a task whose wake-up is a condition. Its timers are its own.
class WEFT_API thread_wait : public core::task {
 public:
  thread_wait() noexcept;
  thread_wait(const thread_wait&) = delete;
  thread_wait& operator=(const thread_wait&) = delete;

  /// Sleeps until the perform has been decided.
  void sleep() noexcept;
  void arm_timer(core::wait_record& r, core::nanoseconds deadline) noexcept;
  core::random_source& random() noexcept { return random_; }

 private:
  static void wake(core::task& t) noexcept;
  static const core::task_kind kind_table;

  void fire(core::nanoseconds now) noexcept;

  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
  core::list<core::wait_record> timers_;
  core::random_source random_;
};

}  // namespace detail

/// Waits in the calling thread for any operation but those on descriptors. Throws what the
/// operation throws; inside a task, which awaits operations, std::logic_error.
template <class Op>
  requires is_operation<Op>
typename std::remove_cvref_t<Op>::result_type perform_blocking(Op&& op) {
  detail::check_outside_tasks("perform_blocking");
  using plain = std::remove_cvref_t<Op>;
  typename plain::arm arm(std::forward<Op>(op));
  detail::thread_wait waiter;
  performer p(waiter, waiter);
  if (arm.attempt(p)) return arm.settle(p);
  waiter.begin_shared();
  const core::pass published = arm.publish(p, 0);
  if (published == core::pass::wait || published == core::pass::decided) waiter.sleep();
  arm.retract(p);
  arm.decide(waiter.winner);
  return arm.settle(p);
}

template <class Op>
template <class Source>
auto operation<Op>::attempt(Source&& op) {
  using result = typename Op::result_type;
  typename Op::arm arm(std::forward<Source>(op));
  detail::thread_wait nobody;
  performer p(nobody, nobody);
  if constexpr (std::is_void_v<result>) {
    const bool done = arm.attempt(p);
    if (done)
      arm.settle(p);
    else
      arm.lose(p);
    return done;
  } else {
    std::optional<detail::regular<result>> got;
    if (arm.attempt(p))
      got.emplace(arm.settle(p));
    else
      arm.lose(p);
    return got;
  }
}

inline core::random_source& performer::random() const noexcept {
  return worker_ ? worker_->random() : thread_->random();
}
inline core::nanoseconds performer::now() const noexcept {
  return worker_ ? worker_->now() : core::clock_now();
}
inline void performer::arm_timer(core::wait_record& r, core::nanoseconds deadline) const noexcept {
  worker_ ? worker_->arm_timer(r, deadline) : thread_->arm_timer(r, deadline);
}

}  // namespace weft::inline v0
