// SPDX-License-Identifier: MIT
// The backends by name; each is null with an errno in *error where the kernel has none.
#pragma once

#include "weft/core/reactor.hpp"

namespace weft::inline v0::reactor {

/// For kernels with less than this one and for queues that run full, which only tests have.
struct uring_limits {
  bool deferred = true;     // task work only within our own waits
  bool cooperative = true;  // or at least without interrupts
  unsigned submissions = 256;
  unsigned completions = 4096;
};
core::reactor* make_io_uring_within(const uring_limits& limits, int* error) noexcept;
core::reactor* make_io_uring(int* error) noexcept;
core::reactor* make_epoll(int* error) noexcept;
/// As an emulation has it: kevent() takes locks, which a signal handler must not (the BSDs have a
/// system call), so a pipe is the bell; and it hears of a signal only where that is blocked in
/// every thread, so signals come by the handler.
struct kqueue_limits {
  bool emulated = false;
};
/// Where <sys/event.h> is.
core::reactor* make_kqueue_within(const kqueue_limits& limits, int* error) noexcept;
core::reactor* make_kqueue(int* error) noexcept;
core::reactor* make_select(int* error) noexcept;

}  // namespace weft::inline v0::reactor
