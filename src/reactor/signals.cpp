// SPDX-License-Identifier: MIT
#include "reactor/signals.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <cerrno>
#include <mutex>

namespace weft::inline v0::reactor {

/// All who hear, for the handler.
struct ear_list {
  static_assert(core::atomic<signal_ear*>::is_always_lock_free);

  void tell(int signal) noexcept {
    at_work.fetch_add(1);
    for (signal_ear* e = first.load(); e; e = e->next_.load()) e->hear(signal);
    at_work.fetch_sub(1);
  }
  void join(signal_ear& e) noexcept {
    e.next_.store(first.load());
    first.store(&e);
  }
  void leave(signal_ear& e) noexcept {
    core::atomic<signal_ear*>* at = &first;
    while (at->load() && at->load() != &e) at = &at->load()->next_;
    if (at->load()) at->store(e.next_.load());
    while (at_work.load() != 0) ::sched_yield();
  }
  void forget_all() noexcept {
    first.store(nullptr);
    at_work.store(0);
  }

  core::atomic<signal_ear*> first{nullptr};
  core::atomic<unsigned> at_work{0};  // handlers
};

namespace {

ear_list ears;

struct disposition {
  unsigned subscribers = 0;
  struct sigaction before = {};
};
std::mutex mutex;  // of what follows, and of changes to the list; never taken by a handler
std::array<disposition, signal_set::most + 1> dispositions;

void on_signal(int signal) noexcept {
  const int error = errno;
  ears.tell(signal);
  errno = error;
}

/// Somebody else's handler, put in the place of ours, stays.
void restore(int signal) noexcept {
  struct sigaction now = {};
  if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == on_signal)
    ::sigaction(signal, &dispositions[static_cast<std::size_t>(signal)].before, nullptr);
}

void forget_parent() noexcept {
  ears.forget_all();
  for (int signal = 1; signal <= signal_set::most; ++signal) {
    disposition& d = dispositions[static_cast<std::size_t>(signal)];
    if (d.subscribers != 0) restore(signal);
    d.subscribers = 0;
  }
  mutex.unlock();
}

void watch_forks() noexcept {
  static const int installed =
      ::pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, forget_parent);
  (void)installed;
}

/// Nobody returns from the handler of a fault.
bool is_fault(int signal) noexcept {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
         signal == SIGTRAP || signal == SIGSYS;
}

}  // namespace

// With SA_RESTART and SA_ONSTACK no thread of a foreign runtime notices. A handler, not SIG_IGN,
// even where nothing has to be done: programs that are executed meanwhile do not inherit it.
int catch_signal(int signal) noexcept {
  if (signal < 1 || signal > signal_set::most || is_fault(signal)) return -EINVAL;
  watch_forks();
  const std::lock_guard lock(mutex);
  disposition& d = dispositions[static_cast<std::size_t>(signal)];
  if (d.subscribers == 0) {
    struct sigaction ours = {};
    ours.sa_handler = on_signal;
    ours.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigemptyset(&ours.sa_mask);
    if (::sigaction(signal, &ours, &d.before) != 0) return -errno;
  }
  ++d.subscribers;
  return 0;
}

void release_signal(int signal) noexcept {
  const std::lock_guard lock(mutex);
  if (--dispositions[static_cast<std::size_t>(signal)].subscribers == 0) restore(signal);
}

signal_ear::~signal_ear() {
  if (total_ == 0) return;  // else a child's: its parent has subscribed
  const std::lock_guard lock(mutex);
  ears.leave(*this);
}

// Ready to hear before the handler is there: from then on a signal has no other effect.
int signal_ear::subscribe(int signal) noexcept {
  if (signal < 1 || signal > signal_set::most) return -EINVAL;
  if (total_++ == 0) {
    const std::lock_guard lock(mutex);
    ears.join(*this);
  }
  if (subscribers_[static_cast<std::size_t>(signal)]++ == 0) {
    heard_.remove(signal);
    wanted_.add(signal);
  }
  const int error = catch_signal(signal);
  if (error != 0) drop(signal);
  return error;
}

void signal_ear::unsubscribe(int signal) noexcept {
  release_signal(signal);
  drop(signal);
}

void signal_ear::drop(int signal) noexcept {
  if (--subscribers_[static_cast<std::size_t>(signal)] == 0) wanted_.remove(signal);
  if (--total_ != 0) return;
  const std::lock_guard lock(mutex);
  ears.leave(*this);
}

void signal_ear::hear(int signal) noexcept {
  if (!wanted_.has(signal)) return;
  heard_.add(signal);
  reactor_.wake();
}

}  // namespace weft::inline v0::reactor
