// SPDX-License-Identifier: MIT
// inbox: many producers, one consumer, intrusive through task::next.
//
//   - top_ is null (empty) or the newest of what has been pushed, linked down to the oldest.
//   - push() is a CAS loop that never reads a node it does not own; drain() takes everything with
//     one exchange and turns it round, so the order of the pushes is kept. There is no pop: no ABA.
//   - Orders: push releases the node's contents, drain acquires them. Both are seq_cst, as is
//     empty(), because of the worker's parked flag: the worker stores parked, then looks here; a
//     producer pushes here, then looks at parked. A store and a later load of another word may pass
//     each other under acquire and release: each side would miss the other, and the worker sleep on
//     a full inbox. In the single order of seq_cst one of them comes second, and sees the other.
//   - models/: `wake` and `inbox` of every scenario: one push a completion, which is the
//     completer's last touch.
#pragma once

#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

class inbox {
 public:
  bool empty() const noexcept { return top_.load(std::memory_order_seq_cst) == nullptr; }

  /// Any thread. The last touch of t by the producer. True: it was empty.
  bool push(task& t) noexcept {
    task* top = top_.load(std::memory_order_relaxed);
    do t.next = top;
    while (!top_.compare_exchange_weak(top, &t, std::memory_order_seq_cst));
    return top == nullptr;
  }

  /// The consumer: everything, linked through next, oldest first.
  task* drain() noexcept {
    task* newest = top_.exchange(nullptr, std::memory_order_seq_cst);
    task* oldest = nullptr;
    while (newest) {
      task* before = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = before;
    }
    return oldest;
  }

 private:
  atomic<task*> top_{nullptr};
};

}  // namespace weft::inline v0::core
