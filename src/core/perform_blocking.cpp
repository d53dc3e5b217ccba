// SPDX-License-Identifier: MIT
// models/: a thread_wait is a performer of weft.pml, whose wake-up is a condition.
#include "weft/perform_blocking.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

namespace weft::inline v0::detail {

void check_outside_tasks(const char* caller) {
  if (core::worker::current())
    throw std::logic_error(std::string("weft: ") + caller + " inside a task");
}

const core::task_kind thread_wait::kind_table = {"thread", nullptr, wake};

thread_wait::thread_wait() noexcept
    : core::task(kind_table), random_(reinterpret_cast<std::uintptr_t>(this)) {}

void thread_wait::wake(core::task& t) noexcept {
  auto& self = static_cast<thread_wait&>(t);
  // Under the lock to the end: the thread may go, and this object with it, once it is released.
  const std::lock_guard held(self.mutex_);
  self.is_woken_ = true;
  self.woken_.notify_one();
}

void thread_wait::arm_timer(core::wait_record& r, core::nanoseconds deadline) noexcept {
  r.deadline = deadline;
  timers_.push_back(r);
}

void thread_wait::fire(core::nanoseconds now) noexcept {
  for (core::wait_record* r = timers_.front(); r; r = timers_.after(*r))
    if (r->deadline <= now && complete(generation(), r->arm)) is_woken_ = true;
}

void thread_wait::sleep() noexcept {
  std::unique_lock held(mutex_);
  while (!is_woken_) {
    core::nanoseconds first = core::forever;
    for (core::wait_record* r = timers_.front(); r; r = timers_.after(*r))
      if (r->deadline < first) first = r->deadline;
    if (first == core::forever) {
      woken_.wait(held);
      continue;
    }
    const std::chrono::steady_clock::time_point due{std::chrono::nanoseconds(first)};
    woken_.wait_until(held, due);
    if (!is_woken_) fire(core::clock_now());
  }
}

}  // namespace weft::inline v0::detail
