// SPDX-License-Identifier: MIT
// The seam for system calls on descriptors: each returns the result or -errno, never EINTR where
// trying again is what everybody would do. A chaos build puts short counts and errors behind these
// names.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/syscall.h>
#endif

namespace weft::inline v0::sys {

/// A result or -errno, once.
inline std::int64_t once(std::int64_t n) noexcept { return n >= 0 ? n : -errno; }

template <class Call>
inline std::int64_t retry(Call call) noexcept {
  for (;;) {
    const std::int64_t n = once(call());
    if (n != -EINTR) return n;
  }
}

// ---- data ----

inline std::int64_t read(int fd, void* data, std::size_t size) noexcept {
  return retry([=] { return ::read(fd, data, size); });
}
inline std::int64_t write(int fd, const void* data, std::size_t size) noexcept {
  return retry([=] { return ::write(fd, data, size); });
}
inline std::int64_t recv(int fd, void* data, std::size_t size) noexcept {
  return retry([=] { return ::recv(fd, data, size, 0); });
}
/// Never SIGPIPE.
inline std::int64_t send(int fd, const void* data, std::size_t size) noexcept {
  return retry([=] { return ::send(fd, data, size, MSG_NOSIGNAL); });
}
/// To anything, and never SIGPIPE: for what is no socket it is kept off this thread, and the one
/// that the write has raised is taken back.
std::int64_t write_quietly(int fd, const void* data, std::size_t size) noexcept;

// ---- sockets ----

/// Non-blocking, close-on-exec. A connection that was gone before it could be accepted is passed
/// over.
inline std::int64_t accept(int fd, sockaddr* address, socklen_t* size) noexcept {
  const socklen_t room = size ? *size : 0;
  for (;;) {
    if (size) *size = room;
    const std::int64_t n = once(::accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (n != -EINTR && n != -ECONNABORTED) return n;
  }
}
/// EINTR stands: the connection goes on by itself, as with EINPROGRESS.
inline int connect(int fd, const sockaddr* address, socklen_t size) noexcept {
  if (::connect(fd, address, size) == 0) return 0;
  return errno == EINTR ? -EINPROGRESS : -errno;
}
inline int socket_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return -errno;
  return -error;
}

inline bool is_listening(int fd) noexcept {
  int yes = 0;
  socklen_t size = sizeof yes;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes != 0;
}

// ---- processes ----

/// A descriptor (close-on-exec) that is readable once the process has exited; -ESRCH: it has been
/// waited for; -ENOSYS: there is no such call.
inline int pidfd_open([[maybe_unused]] int process) noexcept {
#if defined(SYS_pidfd_open)
  return static_cast<int>(once(::syscall(SYS_pidfd_open, process, 0)));
#else
  return -ENOSYS;
#endif
}
/// Whether waitpid() of this child would not wait. It is not reaped.
inline bool has_exited(int child) noexcept {
  siginfo_t about = {};
  const auto id = static_cast<id_t>(child);
  if (retry([&] { return ::waitid(P_PID, id, &about, WEXITED | WNOHANG | WNOWAIT); }) < 0)
    return true;  // ECHILD: it has been waited for
  return about.si_pid != 0;
}

// ---- readiness: EINTR is told, the caller looks at its clock ----

/// Whether a descriptor is ready for POLLIN or POLLOUT now; hang-up, error and a bad number are.
inline bool is_ready(int fd, short events) noexcept {
  pollfd p = {fd, events, 0};
  return retry([&] { return ::poll(&p, 1, 0); }) > 0;
}
/// At most for so many nanoseconds (INT64_MAX: for ever); false: not within them, or a signal came.
inline bool wait_readable(int fd, std::int64_t timeout) noexcept {
  pollfd p = {fd, POLLIN, 0};
  timespec t;
  t.tv_sec = static_cast<std::time_t>(timeout / 1'000'000'000);
  t.tv_nsec = static_cast<long>(timeout % 1'000'000'000);
  return ::ppoll(&p, 1, timeout == INT64_MAX ? nullptr : &t, nullptr) > 0;
}
inline int pselect(int n, fd_set* in, fd_set* out, const timespec* timeout) noexcept {
  return static_cast<int>(once(::pselect(n, in, out, nullptr, timeout, nullptr)));
}

#if defined(__linux__)
inline int epoll_wait(int poll, epoll_event* events, int room, int milliseconds) noexcept {
  return static_cast<int>(once(::epoll_wait(poll, events, room, milliseconds)));
}
/// To the nanosecond; -ENOSYS before Linux 5.11.
inline int epoll_wait_ns(int poll, epoll_event* events, int room, std::int64_t timeout) noexcept {
#if defined(SYS_epoll_pwait2)
  const std::int64_t t[2] = {timeout / 1'000'000'000, timeout % 1'000'000'000};
  return static_cast<int>(once(::syscall(SYS_epoll_pwait2, poll, events, room, t, nullptr, 0)));
#else
  return -ENOSYS;
#endif
}
inline int epoll_add(int poll, int fd, std::uint32_t events, void* data) noexcept {
  epoll_event e = {};
  e.events = events;
  e.data.ptr = data;
  return static_cast<int>(once(::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e)));
}
inline int epoll_remove(int poll, int fd) noexcept {
  return static_cast<int>(once(::epoll_ctl(poll, EPOLL_CTL_DEL, fd, nullptr)));
}
#endif

}  // namespace weft::inline v0::sys
