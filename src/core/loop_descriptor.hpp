// SPDX-License-Identifier: MIT
// loop_descriptor: what a foreign main loop watches of a worker that it drives. Readable when
// another thread has brought something, a timer is due, or the kernel has something for a task; the
// same descriptor for life.
//
// It is an epoll of the reactor's own descriptor, which also rings for other threads, and a timer.
// Between two turns the worker rests, so that whatever there is to do rings.
#pragma once

#include <memory>

#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

class WEFT_API loop_descriptor {
 public:
  /// Null and *error, an errno: EOPNOTSUPP where the backend has no descriptor. The worker does not
  /// rest yet. By its thread, as all here.
  static std::unique_ptr<loop_descriptor> open(worker& of, int* error) noexcept;
  loop_descriptor(const loop_descriptor&) = delete;
  loop_descriptor& operator=(const loop_descriptor&) = delete;
  ~loop_descriptor();

  /// Neither read nor closed by the loop.
  int fd() const noexcept { return poll_; }
  bool is_of(const worker* w) const noexcept { return &of_ == w; }

  /// The loop goes on: from here on the descriptor tells.
  void rest() noexcept;
  /// A turn begins, with what the kernel has: it may be what the descriptor told of.
  void end_rest() noexcept;

 private:
  loop_descriptor(worker& of, int poll, int timer) noexcept;
  void arm(nanoseconds deadline) noexcept;

  worker& of_;
  const int poll_;
  const int timer_;
  nanoseconds armed_ = forever;
};

}  // namespace weft::inline v0::core
