// SPDX-License-Identifier: MIT
#include "io/socket.hpp"

#include <netinet/tcp.h>

namespace weft::inline v0::io {

namespace {

constexpr std::uint32_t runs_between_looks =
    256;  // a worker that polls at all has done so meanwhile

void set(int fd, int level, int option, bool on) noexcept {
  const int value = on ? 1 : 0;
  ::setsockopt(fd, level, option, &value, sizeof value);
}

int listen_on(int fd, const address& a, const listen_options& o) noexcept {
  set(fd, SOL_SOCKET, SO_REUSEADDR, true);
  if (o.reuse_port) set(fd, SOL_SOCKET, SO_REUSEPORT, true);
  if (a.family() == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, o.v6only);
  if (::bind(fd, &a.any, a.size) != 0 || ::listen(fd, o.backlog) != 0) return -errno;
  return fd;
}

bool is_ready_now(const socket& s, core::direction d) noexcept {
  return sys::is_ready(s.fd, d == core::direction::in ? POLLIN : POLLOUT);
}

void wake_as_closed(core::list<core::wait_record>& waiters) noexcept {
  while (core::wait_record* r = waiters.pop_front()) {
    core::task& t = *r->owner;
    if (!t.complete_at_home(r->arm)) continue;
    t.closed = true;
    t.kind->wake(t);
  }
}

}  // namespace

int attach(socket& s, core::worker& w) noexcept {
  if (s.attached) return -EBUSY;
  for (const core::direction d : {core::direction::in, core::direction::out}) {
    s.set_ready(d, true);  // nothing is known yet: try first
    s.woken[static_cast<int>(d)] = 0;
  }
  s.hung_up = false;
  s.at = &w;
  return w.io().attach(s);
}

bool look_again(socket& s, core::direction d) noexcept {
  if (!s.is_ready(d) && !s.at->io().watches(s, d)) {
    s.set_ready(d, is_ready_now(s, d));
    return may_try(s, d);
  }
  const auto polls = static_cast<std::uint32_t>(s.at->count().polls);
  const auto runs = static_cast<std::uint32_t>(s.at->count().runs);
  if (polls == s.polls_seen && runs - s.runs_seen < runs_between_looks) return false;
  const bool polled = polls != s.polls_seen;
  s.polls_seen = polls;
  s.runs_seen = runs;
  if (polled || s.is_ready(d)) return false;
  s.set_ready(d, is_ready_now(s, d));
  return may_try(s, d);
}

int release(socket& s) noexcept {
  for (const core::direction d : {core::direction::in, core::direction::out})
    wake_as_closed(s.waiters(d));
  if (s.attached) s.at->io().detach(s);
  const int fd = s.fd;
  s.fd = -1;
  return fd;
}

void close(socket& s) noexcept {
  if (const int fd = release(s); fd >= 0) ::close(fd);
}

int listen(const address& a, const listen_options& o) noexcept {
  const int fd = ::socket(a.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const int result = listen_on(fd, a, o);
  if (result < 0) ::close(fd);
  return result;
}

int accept(socket& listener) noexcept {
  std::int64_t fd;
  do fd = sys::accept(listener.fd, nullptr, nullptr);
  while (fd == -ECONNABORTED);  // it has gone while it was in the queue
  if (fd == -EAGAIN) listener.set_ready(core::direction::in, false);
  if (fd >= 0) set_nodelay(static_cast<int>(fd), true);
  return static_cast<int>(fd);
}

void set_nodelay(int fd, bool on) noexcept { set(fd, IPPROTO_TCP, TCP_NODELAY, on); }

}  // namespace weft::inline v0::io
