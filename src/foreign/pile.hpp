// SPDX-License-Identifier: MIT
// pile: many producers, one consumer at a time, intrusive. Like core::inbox, but for what is no
// task, and with marks: values of the top that stand for "empty, and ...".
#pragma once

#include "weft/core/seams.hpp"

namespace weft::inline v0::foreign {

/// What lies in a pile: a call on its way to the library or back, or a part of an answer.
struct piled {
  piled* next = nullptr;
  bool is_part = false;
};

class pile {
 public:
  /// seq_cst, as push and the parked flags: see queue.hpp and host.hpp.
  piled* top() const noexcept { return top_.load(std::memory_order_seq_cst); }

  /// Any thread. False: the top is `refusing`, and nothing happened. *before: the top it replaced;
  /// a mark of `marks` ends the chain, as null does.
  template <class IsMark>
  bool push(piled& p, const piled* refusing, IsMark is_mark, piled** before) noexcept {
    // Who is refused frees p: after what the consumer has done before it closed.
    piled* seen = top_.load(std::memory_order_acquire);
    do {
      if (refusing && seen == refusing) return false;
      p.next = is_mark(seen) ? nullptr : seen;
    } while (!top_.compare_exchange_weak(seen, &p, std::memory_order_seq_cst));
    *before = seen;
    return true;
  }

  /// Puts another mark in place of one; false: it was no longer there.
  bool change(piled* from, piled* to) noexcept {
    return top_.compare_exchange_strong(from, to, std::memory_order_seq_cst);
  }

  /// Everything, and leaves `mark`; newest first.
  piled* take(piled* mark) noexcept { return top_.exchange(mark, std::memory_order_seq_cst); }

  static piled* reversed(piled* newest) noexcept {
    piled* oldest = nullptr;
    while (newest) {
      piled* before = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = before;
    }
    return oldest;
  }

 private:
  core::atomic<piled*> top_{nullptr};
};

}  // namespace weft::inline v0::foreign
