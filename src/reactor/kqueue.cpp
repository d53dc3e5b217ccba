// SPDX-License-Identifier: MIT
// kqueue: macOS and the BSDs, or an emulation of it. Both directions are registered once for life
// with EV_CLEAR, so an event comes when something has changed, and a wait costs no system call.
//
// EV_DELETE comes before close() although the BSDs do not need it: an emulation keeps the event of
// a closed descriptor, and one that gets the same number would never fire.
#if __has_include(<sys/event.h>)
// clang-format off
#include <sys/types.h>
#include <sys/event.h>
// clang-format on
#include <fcntl.h>
#include <sys/stat.h>

#include <new>

#include "reactor/backends.hpp"
#include "reactor/readiness.hpp"
#include "reactor/syscalls.hpp"

namespace weft::inline v0::reactor {

namespace {

using core::descriptor;
using core::direction;
using event = struct kevent;

constexpr int batch = 256;
constexpr short filters[] = {EVFILT_READ, EVFILT_WRITE};

event change(int fd, short filter, unsigned flags, void* data) noexcept {
  event e = {};
  EV_SET(&e, static_cast<std::uintptr_t>(fd), filter, static_cast<unsigned short>(flags), 0, 0,
         data);
  return e;
}

class kqueue_backend final : public readiness {
 public:
  kqueue_backend(int queue, int bell_in, int bell_out) noexcept
      : queue_(queue), bell_in_(bell_in), bell_out_(bell_out) {}
  ~kqueue_backend() override {
    if (!inherited()) ::close(queue_);  // a child has it not: the number may be another's
    ::close(bell_in_);
    ::close(bell_out_);
  }

  const char* name() const noexcept override { return "kqueue"; }
  int watch_fd() noexcept override { return queue_; }

 protected:
  int add(descriptor& d) noexcept override;
  void remove(descriptor& d) noexcept override;
  int collect(core::nanoseconds timeout) noexcept override;

  // A pipe, not EVFILT_USER: kevent() of an emulation takes locks, which a signal handler must not.
  void ring() noexcept override {
    const char byte = 0;
    (void)!::write(bell_out_, &byte, 1);
  }

 private:
  int add_one(descriptor& d, short filter) noexcept;
  void deliver(const event& e) noexcept;
  void drain_bell() noexcept;

  const int queue_;
  const int bell_in_;
  const int bell_out_;
};

/// 0, or what the kernel has against this direction.
int kqueue_backend::add_one(descriptor& d, short filter) noexcept {
  const event e = change(d.fd, filter, EV_ADD | EV_CLEAR, &d);
  return ::kevent(queue_, &e, 1, nullptr, 0, nullptr) == 0 ? 0 : -errno;
}

// An end of a pipe has one direction only. What has none, as devices that never wait, is tried.
int kqueue_backend::add(descriptor& d) noexcept {
  struct stat about;
  if (::fstat(d.fd, &about) != 0) return -errno;
  d.is_file = S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode);
  if (d.is_file) return 0;
  const int in = add_one(d, EVFILT_READ);
  const int out = add_one(d, EVFILT_WRITE);
  if (in == 0 || out == 0) return 0;
  if (in == -ENOMEM || in == -EBADF) return in;
  d.is_file = true;
  return 0;
}

void kqueue_backend::remove(descriptor& d) noexcept {
  if (d.is_file) return;
  for (const short filter : filters) {
    const event e = change(d.fd, filter, EV_DELETE, nullptr);
    (void)::kevent(queue_, &e, 1, nullptr, 0, nullptr);  // ENOENT: a direction that it has not
  }
}

int kqueue_backend::collect(core::nanoseconds timeout) noexcept {
  event events[batch];
  const timespec t = to_timespec(timeout);
  const timespec* limit = timeout == core::forever ? nullptr : &t;
  const int n = ::kevent(queue_, nullptr, 0, events, batch, limit);
  for (int i = 0; i < n; ++i) {
    if (events[i].udata)
      deliver(events[i]);
    else
      drain_bell();
  }
  return n;
}

void kqueue_backend::deliver(const event& e) noexcept {
  auto& d = *static_cast<descriptor*>(e.udata);
  const bool ended = (e.flags & EV_EOF) != 0;
  if (ended) d.hung_up = true;  // told but once
  const bool broken = ended && (e.fflags != 0 || e.filter == EVFILT_WRITE);
  if (broken || (e.flags & EV_ERROR)) return failed(d);
  became_ready(d, e.filter == EVFILT_READ ? direction::in : direction::out);
}

void kqueue_backend::drain_bell() noexcept {
  char bytes[64];
  while (sys::read(bell_in_, bytes, sizeof bytes) > 0) {
  }
}

/// Both ends non-blocking and closed on exec; pipe2() is not everywhere.
int make_bell(int (&ends)[2]) noexcept {
  if (::pipe(ends) != 0) return -errno;
  for (const int fd : ends) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return 0;
}

}  // namespace

core::reactor* make_kqueue(int* error) noexcept {
  const int queue = ::kqueue();
  if (queue < 0) return *error = errno, nullptr;
  ::fcntl(queue, F_SETFD, FD_CLOEXEC);
  int bell[2];
  *error = -make_bell(bell);
  if (*error == 0) {
    const event e = change(bell[0], EVFILT_READ, EV_ADD | EV_CLEAR, nullptr);
    *error = ::kevent(queue, &e, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
    if (*error == 0) {
      if (auto* r = new (std::nothrow) kqueue_backend(queue, bell[0], bell[1])) return r;
      *error = ENOMEM;
    }
    ::close(bell[0]);
    ::close(bell[1]);
  }
  ::close(queue);
  return nullptr;
}

}  // namespace weft::inline v0::reactor
#endif
