// SPDX-License-Identifier: MIT
// kqueue: macOS and the BSDs, or an emulation of it. Both directions are registered once for life
// with EV_CLEAR, so an event comes when something has changed, and a wait costs no system call.
//
// EV_DELETE comes before close() although the BSDs do not need it: an emulation keeps the event of
// a closed descriptor, and one that gets the same number would never fire.
//
// A process and a signal have one event in a queue, however many descriptors stand for them here.
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
using core::subject;
using event = struct kevent;

constexpr int batch = 256;
constexpr short filters[] = {EVFILT_READ, EVFILT_WRITE};

#if defined(EVFILT_USER)
constexpr bool has_user_events = true;
#else
constexpr bool has_user_events = false;
#define EVFILT_USER 0
#define NOTE_TRIGGER 0
#endif

event change(int id, short filter, unsigned flags, void* data, unsigned what = 0) noexcept {
  event e = {};
  EV_SET(&e, static_cast<std::uintptr_t>(id), filter, static_cast<unsigned short>(flags), what, 0,
         data);
  return e;
}

/// 0, or -errno.
int apply(int queue, const event& e) noexcept {
  return ::kevent(queue, &e, 1, nullptr, 0, nullptr) == 0 ? 0 : -errno;
}

/// What wakes a queue: a user event, or a pipe, whose ends these are.
struct bell {
  int in = -1;
  int out = -1;

  bool is_event() const noexcept { return in < 0; }
  int open(int queue, bool by_event) noexcept;
  void ring(int queue) const noexcept;
  void drain() const noexcept;
  void close() noexcept;
};

class kqueue_backend final : public readiness {
 public:
  kqueue_backend(int queue, const bell& b, bool emulated) noexcept
      : queue_(queue), bell_(b), emulated_(emulated) {}
  ~kqueue_backend() override;

  const char* name() const noexcept override { return "kqueue"; }
  const char* features() const noexcept override { return bell_.is_event() ? "user_event" : ""; }
  int watch_fd() noexcept override { return queue_; }

 protected:
  int add(descriptor& d) noexcept override;
  void remove(descriptor& d) noexcept override;
  int watch(descriptor& d) noexcept override;
  void unwatch(descriptor& d) noexcept override;
  int collect(core::nanoseconds timeout) noexcept override;
  void ring() noexcept override { bell_.ring(queue_); }

 private:
  int add_one(descriptor& d, short filter) noexcept;
  int watch_process(descriptor& d) noexcept;
  int watch_signal(descriptor& d) noexcept;
  bool is_watched_twice(const descriptor& d) noexcept;
  void deliver(const event& e) noexcept;
  void deliver_file(const event& e) noexcept;

  const int queue_;
  bell bell_;
  const bool emulated_;
};

// A child of a fork has no queue: the number may be another's.
kqueue_backend::~kqueue_backend() {
  release_all();
  if (!inherited()) {
    if (bell_.is_event()) apply(queue_, change(0, EVFILT_USER, EV_DELETE, nullptr));
    ::close(queue_);
  }
  bell_.close();
}

/// 0, or what the kernel has against this direction.
int kqueue_backend::add_one(descriptor& d, short filter) noexcept {
  return apply(queue_, change(d.fd, filter, EV_ADD | EV_CLEAR, &d));
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
  for (const short filter : filters)  // ENOENT: a direction that it has not
    apply(queue_, change(d.fd, filter, EV_DELETE, nullptr));
}

int kqueue_backend::watch(descriptor& d) noexcept {
  return d.what == subject::process ? watch_process(d) : watch_signal(d);
}

int kqueue_backend::watch_process(descriptor& d) noexcept {
  if (d.id <= 0) return -EINVAL;
  const int error = apply(queue_, change(d.id, EVFILT_PROC, EV_ADD, nullptr, NOTE_EXIT));
  if (error != -ESRCH) return error;
  d.set_ready(direction::in, true);  // it has exited already
  return 0;
}

// The queue hears of a signal whatever it does; the handler is there so that it does nothing else.
int kqueue_backend::watch_signal(descriptor& d) noexcept {
  if (emulated_) return readiness::watch(d);
  if (const int error = catch_signal(d.id)) return error;
  const int error = apply(queue_, change(d.id, EVFILT_SIGNAL, EV_ADD | EV_CLEAR, nullptr));
  if (error != 0) release_signal(d.id);
  return error;
}

void kqueue_backend::unwatch(descriptor& d) noexcept {
  const bool is_process = d.what == subject::process;
  if (!is_process && emulated_) return readiness::unwatch(d);
  if (inherited()) return;
  if (!is_watched_twice(d))  // ENOENT: a process has exited
    apply(queue_, change(d.id, is_process ? EVFILT_PROC : EVFILT_SIGNAL, EV_DELETE, nullptr));
  if (!is_process) release_signal(d.id);
}

bool kqueue_backend::is_watched_twice(const descriptor& d) noexcept {
  for (descriptor* o = watched().front(); o; o = watched().after(*o))
    if (o != &d && o->what == d.what && o->id == d.id) return true;
  return false;
}

int kqueue_backend::collect(core::nanoseconds timeout) noexcept {
  event events[batch];
  const timespec t = to_timespec(timeout);
  const timespec* limit = timeout == core::forever ? nullptr : &t;
  const int n = ::kevent(queue_, nullptr, 0, events, batch, limit);
  for (int i = 0; i < n; ++i) deliver(events[i]);
  return n;
}

void kqueue_backend::deliver(const event& e) noexcept {
  const auto id = static_cast<int>(e.ident);
  if (e.filter == EVFILT_PROC) return happened(subject::process, id);
  if (e.filter == EVFILT_SIGNAL) return happened(subject::signal, id);
  if (e.filter == EVFILT_USER) return;
  if (e.udata) return deliver_file(e);
  bell_.drain();
}

void kqueue_backend::deliver_file(const event& e) noexcept {
  auto& d = *static_cast<descriptor*>(e.udata);
  const bool ended = (e.flags & EV_EOF) != 0;
  if (ended) d.hung_up = true;  // told but once
  const bool broken = ended && (e.fflags != 0 || e.filter == EVFILT_WRITE);
  if (broken || (e.flags & EV_ERROR)) return failed(d);
  became_ready(d, e.filter == EVFILT_READ ? direction::in : direction::out);
}

// ---- the bell ----

/// Both ends non-blocking and closed on exec; pipe2() is not everywhere.
int open_pipe(int (&ends)[2]) noexcept {
  if (::pipe(ends) != 0) return -errno;
  for (const int fd : ends) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return 0;
}

int bell::open(int queue, bool by_event) noexcept {
  if (by_event && apply(queue, change(0, EVFILT_USER, EV_ADD | EV_CLEAR, nullptr)) == 0) return 0;
  int ends[2];
  if (const int error = open_pipe(ends)) return error;
  in = ends[0];
  out = ends[1];
  const int error = apply(queue, change(in, EVFILT_READ, EV_ADD | EV_CLEAR, nullptr));
  if (error != 0) close();
  return error;
}

void bell::ring(int queue) const noexcept {
  if (is_event()) {
    apply(queue, change(0, EVFILT_USER, 0, nullptr, NOTE_TRIGGER));
    return;
  }
  const char byte = 0;
  (void)!::write(out, &byte, 1);  // a full pipe rings as well
}

void bell::drain() const noexcept {
  char bytes[64];
  while (sys::read(in, bytes, sizeof bytes) > 0) {
  }
}

void bell::close() noexcept {
  if (is_event()) return;
  ::close(in);
  ::close(out);
}

}  // namespace

core::reactor* make_kqueue_within(const kqueue_limits& limits, int* error) noexcept {
  const int queue = ::kqueue();
  if (queue < 0) return *error = errno, nullptr;
  ::fcntl(queue, F_SETFD, FD_CLOEXEC);
  bell b;
  *error = -b.open(queue, has_user_events && !limits.emulated);
  if (*error == 0) {
    if (auto* r = new (std::nothrow) kqueue_backend(queue, b, limits.emulated)) return r;
    *error = ENOMEM;
    b.close();
  }
  ::close(queue);
  return nullptr;
}

core::reactor* make_kqueue(int* error) noexcept {
  kqueue_limits limits;
#if defined(LIBKQUEUE)
  limits.emulated = true;
#endif
  return make_kqueue_within(limits, error);
}

}  // namespace weft::inline v0::reactor
#endif
