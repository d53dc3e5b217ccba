// SPDX-License-Identifier: MIT
// queue: the tasks of one foreign runtime, from a host's thread to the library's.
//
//   in      one thread (the host's) pushes onto a pile, without a lock. It never waits for a
//   poller. out     pollers take one at a time, or many, under a mutex that is theirs. A poller
//   that finds
//           nothing looks again for a moment, then parks.
//   wake    post() says whether pollers are parked; they are woken by wake(), which the host calls
//           once for many posts. A poller counts itself in idle_, then looks at the pile; a post
//           pushes, then looks at idle_. All four are seq_cst: one of them sees the other.
//   limit   `posted_` is written by the host, `taken_` by pollers: no common counter.
//   end     finish(): pollers drain what is there, then get null, each of them and for good. So the
//           queue is never freed: nobody can know how many pollers will still come.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "foreign/call.hpp"
#include "foreign/spin.hpp"
#include "weft/config.hpp"

namespace weft::inline v0::foreign {

class WEFT_API queue {
 public:
  /// A queue for at most `limit` tasks that no poller has taken. It stays for good; `config`, which
  /// may be null, with it. Null: not enough memory.
  static queue* make(std::size_t limit, const char* config) noexcept;
  queue(const queue&) = delete;
  queue& operator=(const queue&) = delete;

  // ---- the host's thread ----

  enum class outcome : std::uint8_t { posted, full, finished };
  /// Gives the call to the pollers. *parked: some are to be woken, by wake().
  outcome post(call& c, bool* parked) noexcept;
  /// Wakes as many parked pollers as have something to do.
  void wake() noexcept;
  /// No more posts; pollers get what is there, then null.
  void finish() noexcept;
  /// A post would be refused.
  bool full() const noexcept { return posted_ - taken_.load(std::memory_order_relaxed) >= limit_; }
  bool finished() const noexcept { return finished_.load(std::memory_order_relaxed); }

  // ---- any thread ----

  static constexpr core::nanoseconds wait_for_ever = -1;
  /// Up to max tasks; waits at most `timeout` for the first. 0: none; -1: finished and empty.
  int poll(weft_task** tasks, int max, core::nanoseconds timeout) noexcept;

  /// NUL-terminated and writable, or null.
  char* config() noexcept { return config_; }
  void set_init_error(const char* message) noexcept;
  /// malloc'ed, the caller's; or null.
  char* take_init_error() noexcept;

  weft_queue* token() noexcept { return reinterpret_cast<weft_queue*>(this); }
  static queue& of(void* token) noexcept { return *static_cast<queue*>(token); }

  queue* next_to_wake = nullptr;  // the host's

 private:
  queue(std::size_t limit, char* config) noexcept : limit_(limit), config_(config) {}
  ~queue() = default;

  int take(weft_task** tasks, int max) noexcept;
  bool may_have_more() const noexcept {
    return incoming_.top() || finished_.load(std::memory_order_seq_cst);
  }
  void look_again(std::unique_lock<std::mutex>& held) noexcept;
  bool park(std::unique_lock<std::mutex>& held, core::nanoseconds until) noexcept;

  const std::size_t limit_;
  char* const config_;
  char* init_error_ = nullptr;
  queue* older_ = nullptr;  // all there are, so that leak checkers find them
  std::uint64_t posted_ = 0;
  core::atomic<bool> finished_{false};

  alignas(64) pile incoming_;
  core::atomic<std::uint32_t> idle_{0};  // parked pollers that nobody has woken yet

  alignas(64) core::atomic<std::uint64_t> taken_{0};
  std::mutex mutex_;
  std::condition_variable parked_;
  std::uint32_t woken_ = 0;  // of the parked, those that wake() has counted out of idle_
  bool looking_ = false;     // a poller is looking again: one is enough
  patience patience_;
  piled* batch_ = nullptr;  // taken off the pile, oldest first
};

}  // namespace weft::inline v0::foreign
