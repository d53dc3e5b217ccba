// SPDX-License-Identifier: MIT
// task: whatever a worker can run and whatever can wait (a Lua fiber, a C++ task, a parked thread,
// a callback of the runtime's own). It carries its one suspension: the word that decides a perform.
// wait_record: what a waiting task leaves where its counterpart, the wheel or the reactor finds it.
//
// Protocol: design section 3; models/weft.pml checks the cross-thread part (scenarios put_get,
// crossed, timer, timer_crossed, twice, twice_crossed, cancel_*, ring_cancel, local, local_mixed).
// In one page:
//   - word is {generation, state} in one atomic. begin() makes it {g+1, W}.
//   - Whoever changes W to S completes the perform, writes winner, and wakes the task exactly once;
//     that wake-up is its last touch. S stays until the next begin().
//   - A task all of whose completers run on its home worker is plain: relaxed loads and stores, no
//     locked instruction. One shared arm makes it shared for that perform.
//   - C (claimed) is held only inside core::claim(), under a channel's lock, around a few
//     instructions; it may go back to W, so nobody gives up at C.
#pragma once

#include <cstdint>

#include "weft/core/list.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::core {

class worker;
struct task;

/// What a task is waiting for or how it was left: for reports, never for decisions.
enum class task_state : std::uint8_t { fresh, runnable, running, parked, done, failed, cancelled };

/// The kind of a task: one static const table each, never a virtual object a task.
struct task_kind {
  const char* name;  // "fiber", "task", "thread", "callback"
  /// Resumes the task on its worker; returns when it has suspended or ended.
  void (*run)(task&, worker&);
  /// Makes a task runnable that was completed; the caller may be any thread. Its last touch.
  /// Null: a message to the worker itself, which waits for nothing. It is run as soon as it has
  /// arrived, and may only make tasks runnable.
  void (*wake)(task&) noexcept;
  /// Makes a task runnable that has come through its home's inbox. Null: worker::ready().
  void (*arrive)(task&, worker&) noexcept = nullptr;
};

/// Values of task::winner that are no arm.
inline constexpr std::uint32_t winner_cancelled = 0xFFFFFFFEU;
inline constexpr std::uint32_t winner_unset = 0xFFFFFFFFU;

struct wait_record;

struct task {
  enum : std::uint64_t {
    waiting = 0,
    claimed = 1,
    synced = 2,
    state_mask = 3,
    generation_step = 4
  };

  explicit task(const task_kind& k) noexcept : kind(&k) {}
  task(const task&) = delete;
  task& operator=(const task&) = delete;

  task* next = nullptr;  // run queue or inbox: a task is in at most one of them
  const task_kind* kind;
  atomic<std::uint64_t> word{synced};
  std::uint32_t winner = winner_unset;  // written by the completer between S and wake-up
  bool closed = false;  // the winning arm won because its channel was closed; as winner
  relaxed<task_state> state = task_state::fresh;
  bool shared : 1 = false;  // of this perform: it has completers on other threads
  bool cancel_pending : 1 =
      false;                // raised at the next perform; sticky while a scope around is cancelled
  bool deaf : 1 = false;    // of this perform: a cancel does not end it (a scope that is closing)
  bool daemon : 1 = false;  // for scoped_task: does not hold its scope open
  bool self_cancelled : 1 = false;  // for scoped_task: cancelled itself, not through a scope

  std::uint64_t generation() const noexcept {
    return word.load(std::memory_order_relaxed) / generation_step;
  }
  /// Not decided yet. Claimed is not: that may go back.
  bool is_waiting() const noexcept {
    return (word.load(std::memory_order_relaxed) & state_mask) != synced;
  }

  /// Starts a perform all of whose completers run on this worker.
  void begin_plain() noexcept {
    shared = false;
    open(std::memory_order_relaxed);
  }
  /// Starts a perform with completers on other threads, whose cancellers are all at home.
  void begin_mixed() noexcept {
    shared = true;
    open(std::memory_order_release);
  }
  /// Starts a perform with completers and cancellers on other threads. seq_cst: the performer looks
  /// at cancel requests after this store, a canceller looks at the word after its own store.
  void begin_shared() noexcept {
    shared = true;
    open(std::memory_order_seq_cst);
  }

  /// Completes the perform that is waiting now, called on home. False: it was decided already.
  bool complete_at_home(std::uint32_t arm) noexcept {
    if (shared) return complete(generation(), arm);
    std::uint64_t w = word.load(std::memory_order_relaxed);
    if ((w & state_mask) != waiting) return false;
    word.store(w | synced, std::memory_order_relaxed);
    winner = arm;
    return true;
  }

  /// One-party completion of perform g from any thread; waits while a claim is held.
  bool complete(std::uint64_t g, std::uint32_t arm) noexcept {
    const std::uint64_t w = g * generation_step;
    for (;;) {
      std::uint64_t seen = w | waiting;
      if (word.compare_exchange_weak(seen, w | synced, std::memory_order_seq_cst)) {
        winner = arm;
        return true;
      }
      if (seen != (w | waiting) && seen != (w | claimed)) return false;
    }
  }

 private:
  void open(std::memory_order order) noexcept {
    winner = winner_unset;
    closed = false;
    const std::uint64_t g = word.load(std::memory_order_relaxed) / generation_step;
    word.store((g + 1) * generation_step | waiting, order);
  }
};

/// One published arm. Linked in a channel's list, the wheel, or a descriptor's list; the owner's
/// home unlinks it (a shared channel's under that channel's lock).
struct wait_record : list_node {
  task* owner = nullptr;
  std::uint32_t arm = 0;
  std::uint32_t slot =
      0;  // for the place it is published at: index of the value that a putter offers
  union {
    nanoseconds deadline;  // in the wheel
    void* place;           // in a shared channel: whose lock guards the links
  };

  wait_record() noexcept : deadline(0) {}
};

}  // namespace weft::inline v0::core
