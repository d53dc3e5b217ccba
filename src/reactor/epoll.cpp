// SPDX-License-Identifier: MIT
// epoll: edge-triggered, one registration a descriptor for life, so a wait costs no system call. An
// edge may come while nobody waits: it sets the mark, and the next try finds it.
#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <new>

#include "reactor/backends.hpp"
#include "reactor/readiness.hpp"
#include "reactor/syscalls.hpp"

namespace weft::inline v0::reactor {

namespace {

using core::descriptor;
using core::direction;

constexpr int batch = 256;

class epoll final : public readiness {
 public:
  epoll(int poll, int bell) noexcept : poll_(poll), bell_(bell) {}
  ~epoll() override {
    release_all();
    ::close(bell_);
    ::close(poll_);
  }

  const char* name() const noexcept override { return "epoll"; }
  int watch_fd() noexcept override { return poll_; }

 protected:
  int add(descriptor& d) noexcept override {
    const int n = sys::epoll_add(poll_, d.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &d);
    if (n != -EPERM) return n;
    d.is_file = true;
    return 0;
  }

  void remove(descriptor& d) noexcept override {
    if (!d.is_file) sys::epoll_remove(poll_, d.fd);
  }

  int collect(core::nanoseconds timeout) noexcept override {
    epoll_event events[batch];
    const int n = fetch(events, timeout);
    for (int i = 0; i < n; ++i)
      if (events[i].data.ptr) deliver(events[i]);
    return n;
  }

  // The bell is never read: it is edge-triggered, each write is an event, and the 64-bit count that
  // would make a write fail is not reached.
  void ring() noexcept override {
    const std::uint64_t one = 1;
    (void)!::write(bell_, &one, sizeof one);
  }

 private:
  void deliver(const epoll_event& e) noexcept {
    auto& d = *static_cast<descriptor*>(e.data.ptr);
    if (e.events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) d.hung_up = true;  // told but once
    if (e.events & (EPOLLHUP | EPOLLERR)) return failed(d);
    if (e.events & (EPOLLIN | EPOLLRDHUP)) became_ready(d, direction::in);
    if (e.events & EPOLLOUT) became_ready(d, direction::out);
  }

  int fetch(epoll_event* events, core::nanoseconds timeout) noexcept {
    if (timeout == 0) return sys::epoll_wait(poll_, events, batch, 0);
    if (timeout == core::forever) return sys::epoll_wait(poll_, events, batch, -1);
    if (precise_) {
      const int n = sys::epoll_wait_ns(poll_, events, batch, timeout);
      if (n != -ENOSYS && n != -EPERM) return n;  // a container may refuse what it does not know
      precise_ = false;
    }
    constexpr core::nanoseconds per_ms = 1'000'000;
    const core::nanoseconds ms = timeout / per_ms + (timeout % per_ms != 0);
    return sys::epoll_wait(poll_, events, batch, ms > INT32_MAX ? INT32_MAX : static_cast<int>(ms));
  }

  const int poll_;
  const int bell_;
  bool precise_ = true;
};

}  // namespace

core::reactor* make_epoll(int* error) noexcept {
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  if (poll < 0) return *error = errno, nullptr;
  const int bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  *error = bell < 0 ? errno : -sys::epoll_add(poll, bell, EPOLLIN | EPOLLET, nullptr);
  if (*error == 0) {
    if (auto* r = new (std::nothrow) epoll(poll, bell)) return r;
    *error = ENOMEM;
  }
  if (bell >= 0) ::close(bell);
  ::close(poll);
  return nullptr;
}

}  // namespace weft::inline v0::reactor
#endif
