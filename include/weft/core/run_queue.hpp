// SPDX-License-Identifier: MIT
// The run queue of a worker: strictly first in, first out, linked through task::next. With a seed
// (chaos and weft.test) the order is random instead, and replays from the seed.
#pragma once

#include <cstdint>

#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

class run_queue {
 public:
  bool empty() const noexcept { return head_ == nullptr; }

  void push(task& t) noexcept {
    t.next = nullptr;
    (tail_ ? tail_->next : head_) = &t;
    tail_ = &t;
  }

  task* pop() noexcept {
    if (shuffle_) [[unlikely]]
      rotate();
    task* t = head_;
    if (!t) return nullptr;
    head_ = t->next;
    if (!head_) tail_ = nullptr;
    return t;
  }

  /// Whether pop() would give a task of this kind. In random order nobody knows before.
  bool next_is(const task_kind& kind) const noexcept {
    return head_ && head_->kind == &kind && !shuffle_;
  }

  /// O(n): for the rare task that has to be taken back.
  void remove(task& t) noexcept {
    task* before = nullptr;
    for (task* at = head_; at; before = at, at = at->next) {
      if (at != &t) continue;
      (before ? before->next : head_) = t.next;
      if (tail_ == &t) tail_ = before;
      return;
    }
  }

  /// Random order from now on; null: first in, first out again. The source outlives the queue's
  /// use.
  void shuffle(random_source* source) noexcept { shuffle_ = source; }

 private:
  /// Moves up to 15 tasks from the front to the back.
  void rotate() noexcept {
    for (std::uint32_t n = shuffle_->below(16); n && head_ && head_ != tail_; --n) {
      task* t = head_;
      head_ = t->next;
      push(*t);
    }
  }

  task* head_ = nullptr;
  task* tail_ = nullptr;
  random_source* shuffle_ = nullptr;
};

}  // namespace weft::inline v0::core
