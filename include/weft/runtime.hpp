// SPDX-License-Identifier: MIT
// runtime: workers and what they run. block_on(task) drives worker 0 on the calling thread until
// the task and everything spawned in its scope have ended; the other workers have threads of their
// own.
//
//   weft::runtime rt;  // one worker: no locked instruction on the common paths
//   int five = rt.block_on(hello());
//
// runtime::spawn and handles start tasks that outlive block_on; ~runtime cancels them and waits for
// their end. With one worker these get on while somebody is in block_on, or calls poll_once: where
// another main loop is in charge it watches event_fd() (docs/main-loops.md).
//
// In the child of a fork a runtime is inert: it cannot be driven, and its end does nothing. The
// child makes one of its own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/config.hpp"
#include "weft/core/crew.hpp"
#include "weft/core/task_scope.hpp"
#include "weft/core/worker.hpp"
#include "weft/inspect.hpp"
#include "weft/spawn.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

struct runtime_options {
  runtime_options() noexcept {}

  /// How many threads run tasks, the one in block_on among them. 0: one a core.
  unsigned workers = 1;
  /// "epoll", "select"; null: WEFT_BACKEND, or else the best one.
  const char* backend = nullptr;
  /// How long a task may run without waiting before it is named, once a turn; at least 1 ms. Zero:
  /// nobody looks.
  std::chrono::nanoseconds watchdog{0};
  /// Told of such a task and how long it has run, on a thread of its own, in place of a line on
  /// stderr. Must not throw.
  std::function<void(const task_info&, std::chrono::nanoseconds)> on_blocked;
};

namespace detail {

class runtime_state;
struct scope_end;

/// Ends a runtime: what its handles share with it stays for them.
struct WEFT_API end_runtime {
  void operator()(runtime_state* s) const noexcept;
};

/// A block_on: its scope, and how the driving thread learns of its end.
class WEFT_API blocking {
 public:
  explicit blocking(runtime_state& s);
  blocking(const blocking&) = delete;
  blocking& operator=(const blocking&) = delete;
  ~blocking();

  core::task_scope& scope() noexcept { return scope_; }
  core::worker& worker() noexcept;
  /// Turns until everything in the scope has ended; throws its failure, or deadlock.
  void run();

 private:
  runtime_state& state_;
  core::task_scope scope_;
  std::unique_ptr<scope_end> end_;
  core::worker::driving driving_;
};

/// Any thread: makes c, a fresh coroutine, a child of the runtime's own scope. False: the runtime
/// is shutting down, and c stays the caller's. A worker: it stays there.
WEFT_API bool start_outside(runtime_state& s, core::coroutine& c, unsigned worker) noexcept;
inline constexpr unsigned any_worker = ~0U;

template <class T>
join_handle<T> begin_outside(runtime_state& s, task<T> t, unsigned worker = any_worker) {
  spawned<T>& c = t.release().promise().become_spawned();
  c.life.set(core::lifecycle::interest, false);
  if (start_outside(s, c, worker)) return join_handle<T>(c);
  c.abandon();
  throw std::logic_error("weft: spawn on a runtime that is gone");
}

/// Of block_on: keeps the result of t, and lets its failure go to the scope.
template <class T>
task<void> keep_outcome(task<T> t, outcome<T>* into) {
  if constexpr (std::is_void_v<T>)
    co_await std::move(t);
  else
    into->set(co_await std::move(t));
}

}  // namespace detail

class worker_handle;

/// A counted way to start tasks from any thread. It may outlive the runtime: spawn throws
/// std::logic_error then.
class WEFT_API runtime_handle {
 public:
  runtime_handle(const runtime_handle& other) noexcept;
  runtime_handle& operator=(const runtime_handle& other) noexcept;
  ~runtime_handle();

  /// Of the runtime that runs the calling task, or the calling function of a Lua state on one of
  /// its workers: for a thread or a library that starts tasks there later. Anywhere else, in a
  /// state that no runtime runs too, it throws std::logic_error. Never waits.
  static runtime_handle current();

  /// Begins f(args...), or a task, in the runtime's own scope, where each task stands alone: a
  /// failure that nobody joins ends none of the others and is told on stderr. Any thread.
  template <class F, class... Args>
    requires detail::makes_task<F, Args...>
  auto spawn(F&& f, Args&&... args) const {
    return detail::begin_outside(
        *state_, detail::make_task(std::forward<F>(f), std::forward<Args>(args)...));
  }
  template <class T>
  join_handle<T> spawn(task<T> t) const {
    return detail::begin_outside(*state_, std::move(t));
  }

  /// One of its workers, as an executor: what is spawned there stays there. Throws
  /// std::out_of_range.
  worker_handle worker(unsigned index) const;
  /// What its tasks are doing just now. Any thread; with one worker, a task of its. Empty once the
  /// runtime has gone.
  std::vector<task_info> tasks() const;

 private:
  friend class runtime;
  friend class worker_handle;
  explicit runtime_handle(detail::runtime_state& s) noexcept;
  detail::runtime_state* state_;
};

/// A worker of a runtime. Copyable; any thread.
class worker_handle {
 public:
  /// Begins f(args...), or a task, in the runtime's own scope, on this worker, which it never
  /// leaves but to perform on a descriptor that is at home on another.
  template <class F, class... Args>
    requires detail::makes_task<F, Args...>
  auto spawn(F&& f, Args&&... args) const {
    return detail::begin_outside(
        *of_.state_, detail::make_task(std::forward<F>(f), std::forward<Args>(args)...), index_);
  }
  template <class T>
  join_handle<T> spawn(task<T> t) const {
    return detail::begin_outside(*of_.state_, std::move(t), index_);
  }
  unsigned index() const noexcept { return index_; }

 private:
  friend class runtime_handle;
  worker_handle(const runtime_handle& of, unsigned index) noexcept : of_(of), index_(index) {}
  runtime_handle of_;
  unsigned index_;
};

class WEFT_API runtime {
 public:
  /// Throws std::invalid_argument for a backend that is not there, std::system_error when the
  /// system refuses a thread, std::logic_error inside a task.
  explicit runtime(const runtime_options& options = runtime_options());
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;
  /// Cancels what spawn and handles have started, waits for it, and stops the workers. The first
  /// failure among it that nobody joined, and that poll_once has not thrown, is told on stderr.
  /// Where a task of another runtime does this, its worker waits with it. Not in a task of its own,
  /// nor while a thread is in block_on: std::terminate.
  ~runtime();

  /// Runs t on the calling thread; returns its result when it and all that was spawned in its scope
  /// have ended. The first failure of any of them cancels the others and is thrown here. Throws
  /// deadlock when nothing can wake any of them, and std::logic_error inside a task or while
  /// another thread is in block_on.
  template <class T>
  T block_on(task<T> t) {
    detail::outcome<T> result;
    detail::blocking b(*state_);
    detail::begin(detail::keep_outcome(std::move(t), &result), b.scope(), b.worker()).detach();
    b.run();
    return result.take();
  }

  /// Begins f(args...), or a task, in the runtime's own scope, as a handle does: it outlives
  /// block_on. Any thread.
  template <class F, class... Args>
    requires detail::makes_task<F, Args...>
  auto spawn(F&& f, Args&&... args) {
    return handle().spawn(std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class T>
  join_handle<T> spawn(task<T> t) {
    return handle().spawn(std::move(t));
  }

  // ---- in somebody else's main loop ----
  //
  // For a runtime with one worker, which has no thread of its own: block_on and these drive it,
  // from any thread, one at a time. They throw std::logic_error inside a task, while another thread
  // drives, and with several workers, which drive themselves. Between two calls nothing runs.

  /// A descriptor to watch: readable when a task can run, since another thread (or this one) has
  /// brought something, a timer is due, or the kernel has something. The same at every call, the
  /// runtime's: neither read nor closed by the loop. From the first call on block_on waits where it
  /// would throw deadlock. Throws std::system_error: not supported by the backend (select), or no
  /// descriptors.
  int event_fd();

  /// Waits at most `timeout` for a task that can run (zero: not at all; max(): for ever), and runs
  /// what is ready: some hundreds of tasks, so that the loop gets on; the rest is due at once.
  /// Returns whether any has run. From the first call on a failure that nobody joins is thrown here
  /// (a second one meanwhile is told on stderr).
  bool poll_once(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::zero());

  /// When poll_once has something to do: no later than now, or the next timer's time, or none. What
  /// the kernel and other threads will bring is not in it; event_fd tells of all.
  std::optional<std::chrono::steady_clock::time_point> next_deadline();

  runtime_handle handle() noexcept;
  unsigned workers() const noexcept;
  /// As of its handle.
  worker_handle worker(unsigned index) { return handle().worker(index); }
  std::vector<task_info> tasks() { return handle().tasks(); }

 private:
  std::unique_ptr<detail::runtime_state, detail::end_runtime> state_;
};

}  // namespace weft::inline v0
