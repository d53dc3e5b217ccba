// SPDX-License-Identifier: MIT
#include "reactor/syscalls.hpp"

namespace weft::inline v0::sys {

namespace {

bool is_pending(int signal) noexcept {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && sigismember(&pending, signal) == 1;
}

}  // namespace

// A write to a pipe nobody reads raises SIGPIPE for the writing thread, and its disposition belongs
// to the program. One that was pending before the call is not ours to take.
std::int64_t write_quietly(int fd, const void* data, std::size_t size) noexcept {
  const std::int64_t sent = send(fd, data, size);
  if (sent != -ENOTSOCK) return sent;
  sigset_t pipe;
  sigset_t before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const bool was_pending = is_pending(SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const std::int64_t n = write(fd, data, size);
  if (n == -EPIPE && !was_pending) {
    constexpr timespec at_once = {0, 0};
    retry([&] { return ::sigtimedwait(&pipe, nullptr, &at_once); });
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return n;
}

}  // namespace weft::inline v0::sys
