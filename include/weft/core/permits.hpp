// SPDX-License-Identifier: MIT
// permits: a number of which performers take some and give them back. A mutex has one, a semaphore
// n, a lock for readers and writers as many as there may be readers (a writer takes all).
//
// Invariants, outside the lock: permits are free or in one hand; who waits is first in,
// first out, and nobody passes a queued waiter; the oldest that still waits wants more than is
// free. A permit is handed to a waiter by completing it: one that was decided otherwise is dropped
// and the permit goes on to the next. models/: Source of twice, half_published_event, cancel_*.
#pragma once

#include <cstddef>
#include <utility>

#include "weft/config.hpp"
#include "weft/core/waiters.hpp"

namespace weft::inline v0::core {

struct permit_wait : wait_record {
  std::size_t wanted = 1;
};

class WEFT_API permits {
 public:
  explicit permits(std::size_t n) noexcept : free_(n) {}

  /// Any thread, as the others. False: there are not as many, or others wait for them.
  bool try_take(std::size_t k) noexcept {
    const waiters::looking held(waiting_);
    if (free_ < k || held.anybody()) return false;
    free_ -= k;
    return true;
  }
  pass publish(permit_wait& r) noexcept;
  void retract(permit_wait& r) noexcept;
  void give_back(std::size_t k) noexcept {
    if (!keep(k)) pass_on(k);
  }
  std::size_t free() noexcept;

 private:
  /// Makes k free, unless somebody waits.
  bool keep(std::size_t k) noexcept {
    const waiters::looking held(waiting_);
    if (held.anybody()) return false;
    free_ += k;
    return true;
  }
  void pass_on(std::size_t k) noexcept;
  void serve(waiters::holding& held) noexcept;

  waiters waiting_;
  std::size_t free_;
};

/// Permits in somebody's hand: given back when it is destroyed, or before.
class held_permits {
 public:
  held_permits(permits& of, std::size_t count) noexcept : of_(&of), count_(count) {}
  held_permits(held_permits&& other) noexcept
      : of_(std::exchange(other.of_, nullptr)), count_(other.count_) {}
  held_permits& operator=(held_permits&& other) noexcept {
    held_permits mine(std::move(other));
    std::swap(of_, mine.of_);
    std::swap(count_, mine.count_);
    return *this;
  }
  ~held_permits() { give_back(); }

  /// False once it has been given back, or moved from.
  explicit operator bool() const noexcept { return of_ != nullptr; }

 protected:
  void give_back() noexcept {
    if (of_) std::exchange(of_, nullptr)->give_back(count_);
  }
  permits* of() const noexcept { return of_; }
  std::size_t count() const noexcept { return count_; }
  /// They are not given back any more.
  void forget() noexcept { of_ = nullptr; }

 private:
  permits* of_;
  std::size_t count_;
};

}  // namespace weft::inline v0::core
