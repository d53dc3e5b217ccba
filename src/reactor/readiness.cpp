// SPDX-License-Identifier: MIT
#include "reactor/readiness.hpp"

#include <cassert>
#include <utility>

#include "reactor/syscalls.hpp"
#include "weft/core/forks.hpp"

namespace weft::inline v0 {

namespace core {

void pass_on(descriptor& d, direction dir) noexcept {
  if (!d.is_ready(dir)) return;
  while (wait_record* r = d.waiters(dir).pop_front()) {
    task& t = *r->owner;
    if (!t.complete_at_home(r->arm)) continue;
    ++d.woken[static_cast<int>(dir)];
    if (d.what == subject::signal) d.set_ready(dir, false);  // taken
    t.kind->wake(t);
    return;
  }
}

}  // namespace core

namespace reactor {

using core::descriptor;
using core::direction;
using core::io_request;
using core::subject;
using kind = core::io_request::kind;

namespace {

direction direction_of(const io_request& q) noexcept {
  switch (q.what) {
    case kind::connect:
    case kind::write:
    case kind::poll_out: return direction::out;
    case kind::accept:
    case kind::read:
    case kind::poll_in: break;
  }
  return direction::in;
}

std::int64_t try_accept(io_request& q) noexcept {
  auto size = static_cast<socklen_t>(q.size);
  const std::int64_t n =
      sys::accept(q.on->fd, static_cast<sockaddr*>(q.data), q.data ? &size : nullptr);
  if (n >= 0 && q.data) q.size = size;
  return n;
}

/// One try: the result, or -EAGAIN. A connect has been begun by submit(). The mark says only
/// "maybe", so a poll and a connect, whose try would succeed too early, ask the kernel.
std::int64_t attempt(io_request& q) noexcept {
  const int fd = q.on->fd;
  switch (q.what) {
    case kind::poll_in: return sys::is_ready(fd, POLLIN) ? 0 : -EAGAIN;
    case kind::poll_out: return sys::is_ready(fd, POLLOUT) ? 0 : -EAGAIN;
    case kind::read: return sys::read(fd, q.data, q.size);
    case kind::write: return sys::write_quietly(fd, q.data, q.size);
    case kind::accept: return try_accept(q);
    case kind::connect: return sys::is_ready(fd, POLLOUT) ? sys::socket_error(fd) : -EAGAIN;
  }
  return -EINVAL;
}

int begin_connect(io_request& q) noexcept {
  q.on->hung_up = false;  // epoll calls a socket that has not connected yet hung up
  return sys::connect(q.on->fd, static_cast<const sockaddr*>(q.data),
                      static_cast<socklen_t>(q.size));
}

}  // namespace

core::list<core::list_node>& pending(descriptor& d, direction dir) noexcept {
  return d.pending[static_cast<int>(dir)];
}

void end(io_request& q, std::int64_t result) noexcept {
  q.result = result;
  q.done(q);
}

bool wanted(descriptor& d, direction dir) noexcept {
  return !d.waiters(dir).empty() || !pending(d, dir).empty();
}

timespec to_timespec(core::nanoseconds timeout) noexcept {
  timespec t;
  t.tv_sec = static_cast<std::time_t>(timeout / 1'000'000'000);
  t.tv_nsec = static_cast<long>(timeout % 1'000'000'000);
  return t;
}

readiness::readiness() noexcept : process_(core::forks_of_process()) {}

readiness::~readiness() { assert(attached_.empty() && watched_.empty()); }

// What is still attached belongs to sockets that outlive the worker: they attach to the next one.
void readiness::release_all() noexcept {
  while (descriptor* d = watched_.front()) {
    unwatch(*d);
    d->attached = false;
    d->unlink();
  }
  while (descriptor* d = attached_.pop_front()) {
    d->attached = false;
    if (d->what != subject::file) ::close(std::exchange(d->fd, -1));
  }
}

bool readiness::inherited() const noexcept { return core::forks_of_process() != process_; }

int readiness::attach(descriptor& d) noexcept {
  if (inherited()) return -ENOTSUP;
  const bool is_file = d.what == subject::file;
  d.ready[0] = is_file;
  d.ready[1] = true;
  d.woken[0] = d.woken[1] = 0;
  d.hung_up = d.is_file = false;
  d.slot = 0;
  if (!is_file) d.fd = -1;
  if (const int error = is_file ? add(d) : watch(d)) return error;
  d.attached = true;
  (d.fd >= 0 ? attached_ : watched_).push_back(d);
  return 0;
}

void readiness::detach(descriptor& d) noexcept {
  assert(!collecting_ && "no code of a user runs within a batch of events");
  if (!d.attached) return;
  assert(!wanted(d, direction::in) && !wanted(d, direction::out));
  if (d.what != subject::file)
    unwatch(d);
  else if (!inherited())
    remove(d);
  if (last_busy_ == &d) last_busy_ = nullptr;
  d.attached = false;
  d.unlink();
}

void readiness::await(descriptor& d, direction dir, core::wait_record& r) noexcept {
  d.waiters(dir).push_back(r);
  if (d.is_file) d.set_ready(dir, true);
  if (d.is_ready(dir)) core::pass_on(d, dir);
  if (r.linked() && d.fd >= 0) want(d, dir);
}

void readiness::submit(io_request& q) noexcept {
  descriptor& d = *q.on;
  const direction dir = direction_of(q);
  if (d.is_file) return submit_to_file(q);
  if (q.what == kind::connect) {
    const int n = begin_connect(q);
    if (n != -EINPROGRESS) return end(q, n);
    d.set_ready(dir, false);
  } else if (pending(d, dir).empty() && d.is_ready(dir)) {
    const std::int64_t n = attempt(q);
    if (n != -EAGAIN) return end(q, n);
    d.set_ready(dir, false);
  }
  pending(d, dir).push_back(q);
  want(d, dir);
}

void readiness::submit_to_file(io_request& q) noexcept { end(q, attempt(q)); }

void readiness::cancel(io_request& q) noexcept {
  if (!q.linked()) return;
  q.unlink();
  end(q, -ECANCELED);
}

int readiness::wait(core::nanoseconds timeout) noexcept {
  if (timeout < 0) timeout = 0;
  if (inherited()) {
    const timespec t = to_timespec(timeout);
    sys::pselect(0, nullptr, nullptr, timeout == core::forever ? nullptr : &t);
    return 0;
  }
  collecting_ = true;
  const int n = collect(timeout);
  collecting_ = false;
  // Whoever did not ring because another had is seen from here on: a read-modify-write on both
  // sides. A true that is not seen yet has its event still to come.
  const int events = n > 0 ? n : 0;
  if (!rung_.load(std::memory_order_relaxed)) return events;
  rung_.exchange(false, std::memory_order_acq_rel);
  return events + tell_of_signals();
}

void readiness::wake() noexcept {
  if (inherited() || rung_.exchange(true, std::memory_order_acq_rel)) return;
  const int error = errno;  // it may have interrupted anything
  ring();
  errno = error;
}

bool readiness::busy() noexcept {
  const auto busy_on = [](descriptor& d) {
    return wanted(d, direction::in) || wanted(d, direction::out);
  };
  if (last_busy_ && busy_on(*last_busy_)) return true;
  for (core::list<descriptor>* all : {&attached_, &watched_})
    for (last_busy_ = all->front(); last_busy_; last_busy_ = all->after(*last_busy_))
      if (busy_on(*last_busy_)) return true;
  return false;
}

void readiness::became_ready(descriptor& d, direction dir) noexcept {
  d.set_ready(dir, true);
  core::list<core::list_node>& requests = pending(d, dir);
  while (auto* q = static_cast<io_request*>(requests.front())) {
    const std::int64_t n = attempt(*q);
    if (n == -EAGAIN) {
      d.set_ready(dir, false);
      return;
    }
    q->unlink();
    end(*q, n);
  }
  core::pass_on(d, dir);
}

void readiness::failed(descriptor& d) noexcept {
  became_ready(d, direction::in);
  became_ready(d, direction::out);
}

}  // namespace reactor
}  // namespace weft::inline v0
