// SPDX-License-Identifier: MIT
// deque: the runnable unpinned tasks of one worker. The owner pushes and pops at the bottom (newest
// first: the child of a fork-join runs next, its memory still warm, and the tree stays as deep as
// one branch); thieves take at the top (oldest first: the biggest piece of work left).
//
// Chase and Lev's, after Le and others (PPoPP 2013), with the fence of pop left out while nobody
// can steal. Invariants:
//   - slots [top_, bottom_) hold the tasks; bottom_ is written by the owner alone, top_ only grows.
//   - the last task is decided by the CAS on top_, by owner and thieves alike.
//   - a buffer that was outgrown lives as long as the deque: a slow thief may still read it.
// models/: deque.pml. Tests: tests/core/deque_test.cpp, with threads under TSan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "weft/config.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"

namespace weft::inline v0::core {

class WEFT_API deque {
 public:
  deque();
  deque(const deque&) = delete;
  deque& operator=(const deque&) = delete;
  ~deque();

  /// From now on other threads may steal. Before the first push.
  void share() noexcept { shared_ = true; }

  /// Any thread: how many tasks there were a moment ago.
  std::size_t size() const noexcept {
    const std::int64_t n =
        bottom_.load(std::memory_order_relaxed) - top_.load(std::memory_order_relaxed);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }

  /// The owner. False: no memory to grow, t is still the caller's.
  bool push(task& t) noexcept {
    const std::int64_t b = bottom_.load(std::memory_order_relaxed);
    buffer* a = buffer_.load(std::memory_order_relaxed);
    if (b - top_.load(std::memory_order_acquire) > a->mask) [[unlikely]] {
      a = grow(*a);
      if (!a) return false;
    }
    a->at(b).store(&t, std::memory_order_relaxed);
    bottom_.store(b + 1, std::memory_order_release);
    return true;
  }

  /// The owner: the newest, or null.
  task* pop() noexcept {
    const std::int64_t b = bottom_.load(std::memory_order_relaxed) - 1;
    if (b < top_.load(std::memory_order_relaxed)) return nullptr;
    buffer* a = buffer_.load(std::memory_order_relaxed);
    if (!shared_) {
      bottom_.store(b, std::memory_order_relaxed);
      return a->at(b).load(std::memory_order_relaxed);
    }
    // An exchange is the cheapest store that no later load passes.
    bottom_.exchange(b, std::memory_order_seq_cst);
    std::int64_t t = top_.load(std::memory_order_seq_cst);
    if (t < b) return a->at(b).load(std::memory_order_relaxed);
    task* last = nullptr;
    if (t == b && top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst))
      last = a->at(b).load(std::memory_order_relaxed);
    bottom_.store(b + 1, std::memory_order_relaxed);
    return last;
  }

  /// Any thread: the oldest, or null when there is none or another thief was quicker.
  task* steal() noexcept {
    std::int64_t t = top_.load(std::memory_order_seq_cst);
    const std::int64_t b = bottom_.load(std::memory_order_seq_cst);
    if (t >= b) return nullptr;
    buffer* a = buffer_.load(std::memory_order_acquire);
    task* oldest = a->at(t).load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(t, t + 1, std::memory_order_seq_cst)) return nullptr;
    return oldest;
  }

 private:
  struct buffer {
    explicit buffer(std::int64_t capacity)
        : mask(capacity - 1), slots(new atomic<task*>[static_cast<std::size_t>(capacity)]) {}
    atomic<task*>& at(std::int64_t i) noexcept { return slots[static_cast<std::size_t>(i & mask)]; }
    const std::int64_t mask;
    std::unique_ptr<atomic<task*>[]> slots;
  };

  buffer* grow(buffer& old) noexcept;

  bool shared_ = false;
  atomic<std::int64_t> bottom_{0};
  atomic<buffer*> buffer_;
  std::vector<std::unique_ptr<buffer>> buffers_;  // the newest last
  alignas(64) atomic<std::int64_t> top_{0};
};

}  // namespace weft::inline v0::core
