// SPDX-License-Identifier: MIT
// One ring of io_uring: set-up with what the kernel has, a queue of submissions that is handed over
// in one call with the wait, and the completions. It knows nothing of descriptors.
//
// It belongs to the thread that enabled it; the kernel refuses others.
#pragma once

#include <liburing.h>

#include "weft/core/reactor.hpp"

namespace weft::inline v0::reactor {

/// How tasks of the kernel run for a ring, best first. A kernel that refuses one gets the next.
enum class uring_mode : std::uint8_t {
  deferred,     // Linux 6.1: only within our own waits
  cooperative,  // 5.19: without interrupting us
  plain
};

/// Entries of the two queues.
struct uring_size {
  unsigned submissions;
  unsigned completions;
};

class uring_ring {
 public:
  uring_ring() = default;
  uring_ring(const uring_ring&) = delete;
  uring_ring& operator=(const uring_ring&) = delete;
  ~uring_ring() { close(); }

  /// The best mode from `first` on, not enabled yet: 0 or -errno; -ENOSYS below Linux 5.13.
  int open(uring_mode first, uring_size size) noexcept;
  /// From now on on this thread: 0 or -errno.
  int enable() noexcept;
  void close() noexcept;
  /// In the child of a fork, to which the kernel's side does not belong.
  void forget() noexcept;
  void swap(uring_ring& other) noexcept;

  bool is_open() const noexcept { return open_; }
  uring_mode mode() const noexcept { return mode_; }
  uring_size size() const noexcept { return size_; }
  io_uring& raw() noexcept { return ring_; }

  /// A submission to fill, or null: the kernel takes none until completions have been fetched.
  io_uring_sqe* next() noexcept;
  /// Hands over what is queued and lets the kernel finish what that ends, without waiting.
  void flush() noexcept;
  /// Hands over what is queued and waits for a completion: 0, or -errno (-ETIME, -EINTR, -EBUSY).
  int enter(core::nanoseconds timeout) noexcept;
  /// Whether a look into the kernel could bring anything.
  bool has_work() const noexcept;

  /// Calls f(completion) for each there is; their number.
  template <class F>
  unsigned reap(F f) noexcept {
    unsigned total = 0;
    io_uring_cqe* batch[64];
    while (const unsigned n = io_uring_peek_batch_cqe(&ring_, batch, 64)) {
      for (unsigned i = 0; i < n; ++i) {
        const io_uring_cqe c = *batch[i];
        f(c);
      }
      io_uring_cq_advance(&ring_, n);
      total += n;
    }
    return total;
  }

 private:
  io_uring ring_ = {};
  bool open_ = false;
  uring_mode mode_ = uring_mode::plain;
  uring_size size_ = {};
};

}  // namespace weft::inline v0::reactor
