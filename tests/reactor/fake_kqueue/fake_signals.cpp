// SPDX-License-Identifier: MIT
#include "fake_signals.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace fake {

namespace {

struct recorded {
  std::array<std::atomic<int>, 64> eventfds{};  // 0: none
  int count = 0;
  struct sigaction before = {};
};
std::array<recorded, 65> all;
std::atomic<int> at_work{0};

void on_signal(int signal) {
  const int error = errno;
  at_work.fetch_add(1);
  recorded& r = all[static_cast<std::size_t>(signal)];
  const std::uint64_t one = 1;
  for (const std::atomic<int>& fd : r.eventfds)
    if (const int n = fd.load()) (void)!::write(n, &one, sizeof one);
  if (r.before.sa_handler != SIG_DFL && r.before.sa_handler != SIG_IGN) r.before.sa_handler(signal);
  at_work.fetch_sub(1);
  errno = error;
}

void replace(recorded& r, int from, int to) {
  for (std::atomic<int>& fd : r.eventfds)
    if (int expected = from; fd.compare_exchange_strong(expected, to)) return;
}

/// A handler that has been put in the place of ours stays.
void restore(int signal, const recorded& r) {
  struct sigaction now = {};
  ::sigaction(signal, nullptr, &now);
  if (now.sa_handler == on_signal) ::sigaction(signal, &r.before, nullptr);
}

// A child of a fork has no queue. Before any other such handler: what is found below is theirs.
void forget_parent() {
  at_work = 0;
  for (int signal = 1; signal < 65; ++signal) {
    recorded& r = all[static_cast<std::size_t>(signal)];
    if (r.count != 0) restore(signal, r);
    r.count = 0;
    for (std::atomic<int>& fd : r.eventfds) fd = 0;
  }
}
[[maybe_unused]] const int installed = ::pthread_atfork(nullptr, nullptr, forget_parent);

}  // namespace

void record(int signal, int eventfd) {
  recorded& r = all[static_cast<std::size_t>(signal)];
  replace(r, 0, eventfd);
  if (r.count++ != 0) return;
  ::sigaction(signal, nullptr, &r.before);
  struct sigaction ours = r.before;
  ours.sa_handler = on_signal;
  ::sigaction(signal, &ours, nullptr);
}

void stop_recording(int signal, int eventfd) {
  recorded& r = all[static_cast<std::size_t>(signal)];
  replace(r, eventfd, 0);
  if (--r.count == 0) restore(signal, r);
  while (at_work != 0) ::sched_yield();
}

}  // namespace fake
