// SPDX-License-Identifier: MIT
#include "weft/core/crew.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace weft::inline v0::core {

namespace {

// Less than the kernel needs to wake a core again.
constexpr nanoseconds search_time = 20'000;
// Less than it costs to park. A message from another core takes a tenth of it.
constexpr nanoseconds turn_time = 5'000;
constexpr int looks_between_clocks = 16;
// What lasts shorter costs more to fetch than it is worth.
constexpr nanoseconds worth_taking = 1'000;
constexpr nanoseconds most_patience = search_time / 2;
// How often the watcher looks, and how long a worker must not have got on to be stuck.
constexpr nanoseconds watch_interval = 1'000'000;
constexpr nanoseconds stuck_after = 500'000;
constexpr std::size_t most_injected = 128;  // at a time: others may come for theirs meanwhile

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0U, 0); }

}  // namespace

crew::crew() noexcept : fences_(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0) {}

void crew::add(worker& w) {
  members_.emplace_back(&w);
  w.join_crew(*this, size() - 1);
}

void crew::inject(task& t) noexcept {
  t.state = task_state::runnable;
  injected_lock_.lock();
  injected_.push(t);
  injected_count_.store(injected_count_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  injected_lock_.unlock();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (parked_.load(std::memory_order_relaxed) != 0) rouse_one(SIZE_MAX);
}

task* crew::take_injected() noexcept {
  if (injected_count_.load(std::memory_order_relaxed) == 0) return nullptr;
  injected_lock_.lock();
  task* t = injected_.pop();
  if (t)
    injected_count_.store(injected_count_.load(std::memory_order_relaxed) - 1,
                          std::memory_order_relaxed);
  injected_lock_.unlock();
  return t;
}

bool crew::share_injected(worker& w) noexcept {
  if (injected_count_.load(std::memory_order_relaxed) == 0) return false;
  run_queue share;
  injected_lock_.lock();
  const std::size_t n = injected_count_.load(std::memory_order_relaxed);
  const std::size_t taken = std::min({n, n / size() + 1, most_injected});
  for (std::size_t i = 0; i < taken; ++i) share.push(*injected_.pop());
  injected_count_.store(n - taken, std::memory_order_relaxed);
  injected_lock_.unlock();
  while (task* t = share.pop()) w.ready_later(*t);
  return taken != 0;
}

void crew::rouse_one(std::size_t here) noexcept {
  if (searching_.load(std::memory_order_relaxed) != 0) return;
  if (here < 2 && watching_.load(std::memory_order_relaxed)) return;
  const std::lock_guard held(lock_);
  member* found = nullptr;  // rather one that does not watch: nobody has to take its place
  for (member& m : members_)
    if (m.parked && (!found || found->watcher)) found = &m;
  if (!found) return;
  found->parked = false;
  found->roused = true;
  parked_.fetch_sub(1, std::memory_order_relaxed);
  searching_.fetch_add(1, std::memory_order_relaxed);
  found->at->rouse();
}

void crew::hand_on() noexcept {
  if (parked_.load(std::memory_order_relaxed) != 0) rouse_one(anything_ready() ? 2 : 1);
}

task* crew::take(worker& w) noexcept {
  if (task* t = take_injected()) return t;
  const unsigned n = size();
  const unsigned start = w.random().below(n);
  for (unsigned i = 0; i < n; ++i) {
    worker& victim = *members_[(start + i) % n].at;
    if (&victim == &w) continue;
    if (task* t = victim.yield_up(false)) return t;
  }
  return nullptr;
}

task* crew::take_stuck(worker& w) noexcept {
  const nanoseconds now = clock_now();
  const std::lock_guard held(lock_);
  for (member& m : members_) {
    if (m.at == &w || m.parked) continue;
    const std::uint32_t progress = m.at->progress();
    if (progress != m.progress || m.looked == 0) {
      m.progress = progress;
      m.looked = now;
    } else if (now - m.looked >= stuck_after) {
      if (task* t = m.at->yield_up(true)) return t;
    }
  }
  return nullptr;
}

bool crew::begin_search(worker& w, nanoseconds begin) noexcept {
  // At most half of the workers: more would only take from each other.
  const unsigned most = std::max(1U, size() / 2);
  do {
    if (searching_.load(std::memory_order_relaxed) < most) {
      if (searching_.fetch_add(1, std::memory_order_relaxed) < most) return true;
      searching_.fetch_sub(1, std::memory_order_relaxed);
    }
    for (int i = 0; i < looks_between_clocks; ++i) {
      if (w.has_mail()) return false;
      pause_cpu();
    }
  } while (clock_now() - begin < turn_time);
  return false;
}

task* crew::look_around(worker& w, nanoseconds begin) noexcept {
  member& me = members_[w.index()];
  const bool wasted = begin - me.found < worth_taking;
  me.patience = wasted ? std::clamp(2 * me.patience, worth_taking, most_patience) : 0;
  while (others_run(w) && !w.has_mail() && clock_now() - begin < me.patience) pause_cpu();
  task* t = nullptr;
  do {
    for (int i = 0; i < looks_between_clocks && !t && !w.has_mail(); ++i) {
      t = take(w);
      pause_cpu();
    }
  } while (!t && !w.has_mail() && others_run(w) && clock_now() - begin < search_time);
  if (!t && !w.has_mail()) t = take_stuck(w);
  if (t) me.found = clock_now();
  return t;
}

bool crew::others_run(const worker& w) const noexcept {
  if (parked_.load(std::memory_order_relaxed) + 1 < size()) return true;
  return std::any_of(members_.begin(), members_.end(), [&w](const member& m) {
    return m.at != &w && !m.at->is_parked();  // it has been notified, and counts until it wakes
  });
}

bool crew::search(worker& w) noexcept {
  const nanoseconds begin = clock_now();
  members_[w.index()].on_duty = true;
  if (!begin_search(w, begin)) return false;
  task* const t = look_around(w, begin);
  searching_.fetch_sub(1, std::memory_order_relaxed);
  if (!t) return false;
  w.ready_next(*t);
  return true;
}

bool crew::anything_ready() const noexcept {
  if (injected_count_.load(std::memory_order_relaxed) != 0) return true;
  return std::any_of(members_.begin(), members_.end(),
                     [](const member& m) { return m.at->has_to_spare(); });
}

bool crew::begin_park(worker& w, nanoseconds& limit) noexcept {
  {
    const std::lock_guard held(lock_);
    members_[w.index()].parked = true;
    const unsigned parked = parked_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (!watching_.load(std::memory_order_relaxed) && parked < size()) {
      watching_.store(true, std::memory_order_relaxed);
      members_[w.index()].watcher = true;
      limit = std::min(limit, watch_interval);
    }
  }
  if (fences_)
    std::atomic_thread_fence(std::memory_order_seq_cst);
  else
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  if (anything_ready()) {
    end_park(w);
    return false;
  }
  members_[w.index()].on_duty = false;
  return true;
}

void crew::end_park(worker& w) noexcept {
  const std::lock_guard held(lock_);
  member& m = members_[w.index()];
  if (m.parked) parked_.fetch_sub(1, std::memory_order_relaxed);
  if (m.roused) searching_.fetch_sub(1, std::memory_order_relaxed);
  if (m.watcher) watching_.store(false, std::memory_order_relaxed);
  m.on_duty |= m.roused || m.watcher;
  m.parked = m.roused = m.watcher = false;
}

}  // namespace weft::inline v0::core
