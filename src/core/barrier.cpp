// SPDX-License-Identifier: MIT
#include "weft/barrier.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "weft/core/claim.hpp"

namespace weft::inline v0 {

namespace {
bool is_decided(const core::task& t) noexcept {
  return (t.word.load(std::memory_order_acquire) & core::task::state_mask) == core::task::synced;
}
}  // namespace

barrier::barrier(std::size_t n) : n_(n) {
  if (n == 0) throw std::invalid_argument("weft::barrier: of nobody");
  party_.reserve(n);
}

/// Lets all in the queue go on together, if they are as many as needed and none has been decided
/// otherwise. mine: the performer's own record, if it is among them.
core::pass barrier::release(core::waiters::holding& held, std::size_t needed,
                            const core::wait_record* mine) noexcept {
  while (arrived_ >= needed) {
    core::wait_record* left_out = claim(held);
    if (!left_out) {
      for (core::wait_record* r : party_) {
        r->unlink();
        r->owner->winner = r->arm;
        if (r != mine) held.wake_later(*r);
      }
      arrived_ = 0;
      return core::pass::done;
    }
    left_out->unlink();
    --arrived_;
    if (left_out == mine && is_decided(*mine->owner)) return core::pass::decided;
  }
  return core::pass::wait;
}

/// Decides the performs of all in the queue. If that cannot be: one that is not to be counted.
core::wait_record* barrier::claim(core::waiters::holding& held) noexcept {
  party_.clear();
  for (core::wait_record* r = held.first(); r; r = held.after(*r)) party_.push_back(r);
  const auto address = [](const core::wait_record* r) { return r->owner; };
  std::ranges::sort(party_, std::less<>(), address);
  // Two arms of one choice are one arrival.
  const auto twice = std::ranges::adjacent_find(party_, std::equal_to<>(), address);
  return twice != party_.end() ? *twice : core::claim_all(party_);
}

bool barrier::arrive() noexcept {
  core::waiters::holding held(waiting_);
  return release(held, n_ - 1, nullptr) == core::pass::done;
}

core::pass barrier::publish(core::wait_record& r) noexcept {
  core::waiters::holding held(waiting_);
  held.append(r);
  ++arrived_;
  return release(held, n_, &r);
}

void barrier::retract(core::wait_record& r) noexcept {
  core::waiters::holding held(waiting_);
  if (held.retract(r)) --arrived_;
}

}  // namespace weft::inline v0
