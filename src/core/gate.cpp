// SPDX-License-Identifier: MIT
#include "weft/core/gate.hpp"

#include <chrono>

#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

bool gate::try_enter(nanoseconds timeout) noexcept {
  int seen = free;
  if (word_.compare_exchange_strong(seen, held, std::memory_order_acquire)) return true;
  return timeout > 0 && wait_turn(timeout);
}

bool gate::wait_turn(nanoseconds timeout) noexcept {
  using clock = std::chrono::steady_clock;
  const clock::time_point due =
      timeout == forever ? clock::time_point() : clock::now() + std::chrono::nanoseconds(timeout);
  std::unique_lock lock(mutex_);
  for (int seen = word_.load(std::memory_order_relaxed); seen != wanted;) {
    const int next = seen == free ? held : wanted;
    if (!word_.compare_exchange_weak(seen, next, std::memory_order_acquire)) continue;
    if (next == held) return true;
    break;
  }
  waiter me;
  waiting_.push_back(me);
  if (home_) home_->want_gate();
  const auto admitted = [&me] { return me.admitted; };
  if (timeout == forever) {
    me.turn.wait(lock, admitted);
  } else if (!me.turn.wait_until(lock, due, admitted)) {
    me.unlink();
    if (waiting_.empty()) nobody_waits();
    return false;
  }
  return true;
}

void gate::nobody_waits() noexcept {
  word_.store(held, std::memory_order_relaxed);
  if (home_) home_->relieve_gate();
}

// Notified under the lock: the waiter is on a stack that goes with its thread.
void gate::admit_next() noexcept {
  waiter* next = waiting_.pop_front();
  if (waiting_.empty()) nobody_waits();
  next->admitted = true;
  next->turn.notify_one();
}

void gate::hand_over() noexcept {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty())
    word_.store(free, std::memory_order_release);  // the last has given up meanwhile
  else
    admit_next();
}

void gate::pass() noexcept {
  std::unique_lock lock(mutex_);
  if (waiting_.empty()) return;
  waiter me;
  waiting_.push_back(me);
  admit_next();
  me.turn.wait(lock, [&me] { return me.admitted; });
}

void gate::tell(worker* home) noexcept {
  const std::lock_guard lock(mutex_);
  if (home_ && home_ != home) home_->relieve_gate();
  home_ = home;
  if (home_ && !waiting_.empty()) home_->want_gate();
}

}  // namespace weft::inline v0::core
