// SPDX-License-Identifier: MIT
// Processes and signals, for backends whose kernel has nothing better: see readiness.hpp.
#include <utility>

#include "reactor/readiness.hpp"
#include "reactor/syscalls.hpp"

namespace weft::inline v0::reactor {

using core::descriptor;
using core::direction;
using core::subject;

namespace {

/// In descriptor::slot: a child that is looked at after each SIGCHLD.
constexpr std::uint32_t looked_after = 1;

}  // namespace

int readiness::watch(descriptor& d) noexcept {
  if (d.what == subject::signal) return ear_.subscribe(d.id);
  if (d.id <= 0) return -EINVAL;
  const int fd = sys::pidfd_open(d.id);
  if (fd == -ENOSYS || fd == -EPERM) return watch_by_signal(d);  // EPERM: so says a container
  if (fd == -ESRCH) return d.set_ready(direction::in, true), 0;
  if (fd < 0) return fd;
  d.fd = fd;
  const int error = add(d);
  if (error != 0) ::close(std::exchange(d.fd, -1));
  return error;
}

void readiness::unwatch(descriptor& d) noexcept {
  if (d.fd >= 0) {
    if (!inherited()) remove(d);
    ::close(std::exchange(d.fd, -1));
  } else if (!inherited()) {
    if (d.what == subject::signal) ear_.unsubscribe(d.id);
    if (d.slot == looked_after) ear_.unsubscribe(SIGCHLD);
  }
}

/// What exits before the first look is found by that, and what does later sends a signal.
int readiness::watch_by_signal(descriptor& child) noexcept {
  if (const int error = ear_.subscribe(SIGCHLD)) return error;
  child.slot = looked_after;
  child.set_ready(direction::in, sys::has_exited(child.id));
  return 0;
}

void readiness::happened(subject what, int id) noexcept {
  for (descriptor* d = watched_.front(); d; d = watched_.after(*d))
    if (d->what == what && d->id == id) became_ready(*d, direction::in);
}

int readiness::tell_of_signals() noexcept {
  if (watched_.empty()) return 0;
  signal_set heard;
  ear_.take(heard);
  int events = 0;
  for (descriptor* d = watched_.front(); d; d = watched_.after(*d)) {
    const bool has_come =
        d->what == subject::signal
            ? heard.has(d->id)
            : d->slot == looked_after && heard.has(SIGCHLD) && sys::has_exited(d->id);
    if (!has_come) continue;
    became_ready(*d, direction::in);
    ++events;
  }
  return events;
}

}  // namespace weft::inline v0::reactor
