// SPDX-License-Identifier: MIT
#include "core/loop_descriptor.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "reactor/readiness.hpp"
#include "reactor/syscalls.hpp"

namespace weft::inline v0::core {

std::unique_ptr<loop_descriptor> loop_descriptor::open(worker& of, int* error) noexcept {
  const int watched = of.io().watch_fd();
  if (watched < 0) return *error = EOPNOTSUPP, nullptr;
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  *error = poll < 0 || timer < 0 ? errno : -sys::epoll_add(poll, watched, EPOLLIN, nullptr);
  if (*error == 0) *error = -sys::epoll_add(poll, timer, EPOLLIN, nullptr);
  if (*error == 0) {
    if (auto* opened = new (std::nothrow) loop_descriptor(of, poll, timer))
      return std::unique_ptr<loop_descriptor>(opened);
    *error = ENOMEM;
  }
  if (poll >= 0) ::close(poll);
  if (timer >= 0) ::close(timer);
  return nullptr;
}

// Who watches may bring something at any time: a worker with nothing to do waits for that.
loop_descriptor::loop_descriptor(worker& of, int poll, int timer) noexcept
    : of_(of), poll_(poll), timer_(timer) {
  of_.add_source();
}

loop_descriptor::~loop_descriptor() {
  of_.end_rest();
  of_.drop_source();
  ::close(poll_);
  ::close(timer_);
}

void loop_descriptor::rest() noexcept {
  (void)of_.io().watch_fd();  // what the tasks wait for has to be with the kernel
  if (!of_.has_ready()) arm(of_.next_deadline());  // what is ready rings
  of_.rest();
}

void loop_descriptor::end_rest() noexcept {
  of_.end_rest();
  of_.fetch();
}

void loop_descriptor::arm(nanoseconds deadline) noexcept {
  if (deadline == armed_) return;
  armed_ = deadline;
  itimerspec t = {};  // disarmed
  if (deadline != forever)
    t.it_value = weft::reactor::to_timespec(std::max<nanoseconds>(deadline, 1));
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &t, nullptr);
}

}  // namespace weft::inline v0::core
