// SPDX-License-Identifier: MIT
#include "weft/event.hpp"

namespace weft::inline v0::detail {

bool event_state::set() noexcept {
  lock_.lock();
  const bool first = !set_.load(std::memory_order_relaxed);
  set_.store(true, std::memory_order_release);
  while (core::wait_record* r = waiters_.pop_front()) {
    core::task& t = *r->owner;
    if (t.complete(t.generation(), r->arm)) t.kind->wake(t);
  }
  lock_.unlock();
  return first;
}

core::pass event_state::publish(core::wait_record& r) noexcept {
  lock_.lock();
  const bool wait = !set_.load(std::memory_order_relaxed);
  if (wait) waiters_.push_back(r);
  lock_.unlock();
  if (wait) return core::pass::wait;
  core::task& t = *r.owner;
  return t.complete(t.generation(), r.arm) ? core::pass::done : core::pass::decided;
}

void event_state::retract(core::wait_record& r) noexcept {
  lock_.lock();
  if (r.linked()) r.unlink();
  lock_.unlock();
}

}  // namespace weft::inline v0::detail
