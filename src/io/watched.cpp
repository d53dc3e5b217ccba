// SPDX-License-Identifier: MIT
#include "io/watched.hpp"

#include <fcntl.h>

namespace weft::inline v0::io {

namespace {

int open_copy(watched& o, core::worker& w) noexcept {
  const int fd = ::fcntl(o.fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return -errno;
  o.copy.fd = fd;
  const int error = attach(o.copy, w);
  if (error) close(o.copy);
  return error;
}

}  // namespace

int poll_now(int fd, core::direction d) noexcept {
  pollfd p = {fd, static_cast<short>(d == core::direction::in ? POLLIN : POLLOUT), 0};
  const std::int64_t n = sys::retry([&] { return ::poll(&p, 1, 0); });
  if (n <= 0) return static_cast<int>(n);
  return p.revents & POLLNVAL ? -EBADF : 1;
}

int begin_watch(watched& o, core::worker& w) noexcept {
  ++o.waiting;
  return o.copy.closed() ? open_copy(o, w) : use(o.copy, w);
}

void end_watch(watched& o) noexcept {
  if (--o.waiting == 0) close(o.copy);
}

void rouse(socket& s) noexcept {
  for (const core::direction d : {core::direction::in, core::direction::out}) {
    while (core::wait_record* r = s.waiters(d).pop_front()) {
      core::task& t = *r->owner;
      if (!t.complete_at_home(r->arm)) continue;
      ++s.woken[static_cast<int>(d)];
      t.kind->wake(t);
    }
  }
}

}  // namespace weft::inline v0::io
