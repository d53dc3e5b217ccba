// SPDX-License-Identifier: MIT
#include "foreign/queue.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "foreign/host.hpp"

namespace weft::inline v0::foreign {

namespace {

std::mutex all_mutex;
queue* all_queues = nullptr;

bool no_mark(const piled*) noexcept { return false; }

}  // namespace

queue* queue::make(std::size_t limit, const char* config) noexcept {
  char* const copy = config ? ::strdup(config) : nullptr;
  if (config && !copy) return nullptr;
  auto* const q = new (std::nothrow) queue(limit, copy);
  if (!q) {
    std::free(copy);
    return nullptr;
  }
  const std::lock_guard held(all_mutex);
  q->older_ = std::exchange(all_queues, q);
  return q;
}

queue::outcome queue::post(call& c, bool* parked) noexcept {
  if (finished_.load(std::memory_order_relaxed)) return outcome::finished;
  if (full()) return outcome::full;
  ++posted_;
  piled* before = nullptr;
  incoming_.push(c, nullptr, no_mark, &before);
  *parked = idle_.load(std::memory_order_seq_cst) != 0;
  return outcome::posted;
}

void queue::wake() noexcept {
  const std::lock_guard held(mutex_);
  const std::uint32_t idle = idle_.load(std::memory_order_relaxed);
  if (idle == 0) return;
  const bool all = finished_.load(std::memory_order_relaxed);
  const std::uint64_t left = posted_ - taken_.load(std::memory_order_relaxed);
  const auto n = static_cast<std::uint32_t>(all ? idle : std::min<std::uint64_t>(idle, left));
  woken_ += n;
  idle_.store(idle - n, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < n; ++i) parked_.notify_one();
}

void queue::finish() noexcept {
  finished_.store(true, std::memory_order_seq_cst);
  wake();
}

int queue::poll(weft_task** tasks, int max, core::nanoseconds timeout) noexcept {
  if (max <= 0) return 0;
  std::unique_lock held(mutex_);
  bool looked = timeout == 0;
  core::nanoseconds until = timeout < 0 ? core::forever : 0;
  for (;;) {
    if (const int n = take(tasks, max)) return n;
    // In this order: what was posted before the end is still handed out.
    if (finished_.load(std::memory_order_seq_cst) && !incoming_.top()) return -1;
    if (timeout == 0) return 0;
    if (!std::exchange(looked, true)) {
      look_again(held);
      continue;  // another poller may have left a batch meanwhile
    }
    if (timeout > 0 && until == 0) {
      const core::nanoseconds now = core::clock_now();
      until = timeout > core::forever - now ? core::forever : now + timeout;
    }
    if (!park(held, until)) timeout = 0;  // one last look
  }
}

/// Tasks that somebody still waits for; the others go back at once.
int queue::take(weft_task** tasks, int max) noexcept {
  int n = 0;
  std::uint64_t taken = 0;
  while (n < max) {
    if (!batch_) batch_ = incoming_.top() ? pile::reversed(incoming_.take(nullptr)) : nullptr;
    if (!batch_) break;
    auto& c = static_cast<call&>(*batch_);
    batch_ = batch_->next;
    ++taken;
    const std::uint64_t before = c.word.fetch_or(call::taken, std::memory_order_acq_rel);
    if (before & call::abandoned) {
      c.word.fetch_or(call::answered, std::memory_order_relaxed);
      host::give_back(c, c);
      continue;
    }
    tasks[n++] = c.token();
  }
  if (taken != 0)
    taken_.store(taken_.load(std::memory_order_relaxed) + taken, std::memory_order_relaxed);
  return n;
}

/// One poller looks on while nobody holds the mutex.
void queue::look_again(std::unique_lock<std::mutex>& held) noexcept {
  if (looking_) return;
  looking_ = true;
  held.unlock();
  patience_.look([this]() noexcept { return may_have_more(); });
  held.lock();
  looking_ = false;
}

/// With nothing in batch_. False: the time is over.
bool queue::park(std::unique_lock<std::mutex>& held, core::nanoseconds until) noexcept {
  idle_.fetch_add(1, std::memory_order_seq_cst);
  bool in_time = true;
  while (!may_have_more() && woken_ == 0 && in_time) {
    if (until == core::forever) {
      parked_.wait(held);
      continue;
    }
    // Until a point in time of the steady clock, which is core::clock_now()'s.
    const std::chrono::steady_clock::time_point point{std::chrono::nanoseconds(until)};
    in_time = parked_.wait_until(held, point) == std::cv_status::no_timeout;
  }
  // wake() has counted out as many as it has woken; it does not matter which.
  if (woken_ > 0)
    --woken_;
  else
    idle_.fetch_sub(1, std::memory_order_seq_cst);
  return in_time;
}

void queue::set_init_error(const char* message) noexcept {
  char* const copy = message ? ::strdup(message) : nullptr;
  const std::lock_guard held(mutex_);
  std::free(std::exchange(init_error_, copy));
}

char* queue::take_init_error() noexcept {
  const std::lock_guard held(mutex_);
  return std::exchange(init_error_, nullptr);
}

}  // namespace weft::inline v0::foreign
