// SPDX-License-Identifier: MIT
// select: portable and slow. Level-triggered, so it asks only for directions that somebody waits
// in, and a descriptor counts as maybe ready until a try says otherwise. Descriptors from
// FD_SETSIZE on are refused with -ERANGE (not -EMFILE, which says that the process may have no more
// of them).
#include <fcntl.h>

#include <new>

#include "reactor/backends.hpp"
#include "reactor/readiness.hpp"
#include "reactor/syscalls.hpp"

namespace weft::inline v0::reactor {

namespace {

using core::descriptor;
using core::direction;

class select_backend final : public readiness {
 public:
  select_backend(int bell_in, int bell_out) noexcept : bell_in_(bell_in), bell_out_(bell_out) {}
  ~select_backend() override {
    release_all();
    ::close(bell_in_);
    ::close(bell_out_);
  }

  const char* name() const noexcept override { return "select"; }

  /// Asks outside the gate, of what is waited for now, and again in wait().
  void block(core::nanoseconds timeout, core::gate& outside_of) noexcept override {
    fd_set in;
    fd_set out;
    const int limit = ask(in, out);
    const timespec t = to_timespec(timeout);
    outside_of.leave();
    sys::pselect(limit, &in, &out, timeout == core::forever ? nullptr : &t);
    outside_of.enter();
  }

 protected:
  int add(descriptor& d) noexcept override {
    if (d.fd >= FD_SETSIZE) return -ERANGE;
    return ::fcntl(d.fd, F_GETFD) < 0 ? -errno : 0;
  }
  void remove(descriptor&) noexcept override {}

  int collect(core::nanoseconds timeout) noexcept override {
    fd_set in;
    fd_set out;
    const int limit = ask(in, out);
    const timespec t = to_timespec(timeout);
    const int n = sys::pselect(limit, &in, &out, timeout == core::forever ? nullptr : &t);
    if (n == -EBADF) return report_closed();
    if (n <= 0) return n;
    if (FD_ISSET(bell_in_, &in)) drain_bell();
    for (descriptor* d = attached().front(); d; d = attached().after(*d)) {
      if (FD_ISSET(d->fd, &in)) became_ready(*d, direction::in);
      if (FD_ISSET(d->fd, &out)) became_ready(*d, direction::out);
    }
    return n;
  }

  void ring() noexcept override {
    const char byte = 0;
    (void)!::write(bell_out_, &byte, 1);  // a full pipe rings as well
  }

 private:
  int ask(fd_set& in, fd_set& out) noexcept {
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(bell_in_, &in);
    int highest = bell_in_;
    for (descriptor* d = attached().front(); d; d = attached().after(*d)) {
      // Also for those that nobody waits on now, once: a try looks at the mark alone.
      const bool reads = wanted(*d, direction::in) || !d->is_ready(direction::in);
      const bool writes = wanted(*d, direction::out) || !d->is_ready(direction::out);
      if (reads) FD_SET(d->fd, &in);
      if (writes) FD_SET(d->fd, &out);
      if ((reads || writes) && d->fd > highest) highest = d->fd;
    }
    return highest + 1;
  }

  /// Somebody closed a descriptor that is attached: whoever waits on it finds out by trying, and
  /// the others are not held up.
  int report_closed() noexcept {
    int n = 0;
    for (descriptor* d = attached().front(); d; d = attached().after(*d)) {
      if (::fcntl(d->fd, F_GETFD) >= 0) continue;
      failed(*d);
      ++n;
    }
    return n;
  }

  void drain_bell() noexcept {
    char bytes[64];
    while (sys::read(bell_in_, bytes, sizeof bytes) > 0) {
    }
  }

  const int bell_in_;
  const int bell_out_;
};

}  // namespace

core::reactor* make_select(int* error) noexcept {
  int bell[2];
  if (::pipe2(bell, O_NONBLOCK | O_CLOEXEC) != 0) return *error = errno, nullptr;
  *error = ERANGE;
  if (bell[0] < FD_SETSIZE) {
    if (auto* r = new (std::nothrow) select_backend(bell[0], bell[1])) return r;
    *error = ENOMEM;
  }
  ::close(bell[0]);
  ::close(bell[1]);
  return nullptr;
}

}  // namespace weft::inline v0::reactor
