// SPDX-License-Identifier: MIT
// gate: the lock of a worker and of the Lua states on it. Whoever runs them is inside: the thread
// that drives the worker, or a native thread that was lent a state. First come, first served: who
// leaves hands over to the one that has waited longest, so nobody barges past, and nobody starves.
//
//   word_  is free, held, or wanted: held, and somebody waits. It leaves `wanted` under mutex_
//   alone.
//   home_  the worker that is told when somebody begins to wait; it leaves between two tasks.
// A worker that nobody waits for pays for its gate only where it blocks in its poll.
// Tests: tests/core/gate_test.cpp.
#pragma once

#include <condition_variable>
#include <mutex>

#include "weft/config.hpp"
#include "weft/core/list.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::core {

class worker;

class WEFT_API gate {
 public:
  /// Held by the calling thread.
  gate() noexcept = default;
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;

  /// Any thread that is not inside. Waits its turn.
  void enter() noexcept {
    int seen = free;
    if (!word_.compare_exchange_strong(seen, held, std::memory_order_acquire))
      (void)wait_turn(forever);
  }
  /// The same, for at most `timeout` nanoseconds. False: its turn did not come.
  bool try_enter(nanoseconds timeout) noexcept;
  /// By the thread inside.
  void leave() noexcept {
    int seen = held;
    if (!word_.compare_exchange_strong(seen, free, std::memory_order_release)) hand_over();
  }
  /// By the thread inside: lets in all who wait now, each in turn, and comes back behind them.
  void pass() noexcept;
  /// Whether somebody waits. By the thread inside; a glance, no more, from others.
  bool is_wanted() const noexcept { return word_.load(std::memory_order_relaxed) == wanted; }

  /// The worker to be told, or null. By the thread inside.
  void tell(worker* home) noexcept;

 private:
  friend struct gate_queue;  // of the tests: who waits
  enum : int { free, held, wanted };
  struct waiter : list_node {
    bool admitted = false;
    std::condition_variable turn;
  };

  bool wait_turn(nanoseconds timeout) noexcept;
  void hand_over() noexcept;
  void admit_next() noexcept;
  void nobody_waits() noexcept;

  atomic<int> word_{held};
  std::mutex mutex_;  // all below
  list<waiter> waiting_;
  worker* home_ = nullptr;
};

}  // namespace weft::inline v0::core
