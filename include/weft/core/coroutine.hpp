// SPDX-License-Identifier: MIT
// coroutine: a C++ task as workers see it. It sits in front of the task's own frame, in one block,
// so a spawn allocates nothing else. What a task<T> awaits runs as the same coroutine.
//
// Resumption is a trampoline: a frame that hands over to another one stores it in `at` and
// suspends, and run() resumes what it finds there. A chain of awaits needs no stack, in any build,
// and there is one mechanism for all.
//
// The frame, with the arguments in it, is destroyed when the task has ended, before anybody hears
// of the end.
//
// life: what becomes of the result and who frees the block.
//   complete   the result is there. Set once, by the coroutine's end.
//   joining    `joiner` is a published record. Set and cleared by the holder of the handle.
//   claimed    one joiner has the result, or waits for it; others are refused. An arm that owns the
//              handle has no rival, and does without.
//   interest   a handle exists. Cleared once, by its destructor.
//   released   the end has touched the coroutine for the last time. Whoever of the end and the
//              handle comes second (sees the other's bit) frees the block.
//   cancelled  it was asked to stop.
//   deaf       the wait that it is parked in does not end by cancellation.
//   shields    how many shields its body stands in: a cancellation from outside them is not heard.
// A coroutine that only one thread may touch has plain words (`concurrent` is false): no locked
// instruction in its life. models/: join.pml; for `resting`, rest.pml.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include "weft/config.hpp"
#include "weft/core/list.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/task.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::core {

struct task_scope;
struct coroutine;

class lifecycle {
 public:
  enum : std::uint32_t {
    complete = 1,
    joining = 2,
    interest = 4,
    released = 8,
    cancelled = 16,
    deaf = 32,
    claimed = 64,
    one_shield = 256,
  };

  std::uint32_t get() const noexcept { return bits_.load(std::memory_order_acquire); }
  bool has(std::uint32_t bit) const noexcept { return (get() & bit) != 0; }
  std::uint32_t shields() const noexcept { return get() / one_shield; }

  /// Both return what was there before. seq_cst: a canceller sets its bit, then looks at the task's
  /// word; a performer sets the word, then looks here. Likewise deaf and shields are set before the
  /// word, and looked at after it.
  std::uint32_t set(std::uint32_t bit, bool concurrent) noexcept {
    if (concurrent) return bits_.fetch_or(bit, std::memory_order_seq_cst);
    const std::uint32_t before = bits_.load(std::memory_order_relaxed);
    bits_.store(before | bit, std::memory_order_relaxed);
    return before;
  }
  std::uint32_t clear(std::uint32_t bit, bool concurrent) noexcept {
    if (concurrent) return bits_.fetch_and(~bit, std::memory_order_seq_cst);
    const std::uint32_t before = bits_.load(std::memory_order_relaxed);
    bits_.store(before & ~bit, std::memory_order_relaxed);
    return before;
  }
  /// complete and released at once, unless somebody is joining. False: somebody is, or nothing is
  /// set.
  bool finish_unjoined(std::uint32_t& before, bool concurrent) noexcept;
  /// Only while complete is not set. False: it is.
  bool clear_unless_complete(std::uint32_t bit, bool concurrent) noexcept;
  void enter_shield(bool concurrent) noexcept { add(one_shield, concurrent); }
  void leave_shield(bool concurrent) noexcept { add(0U - one_shield, concurrent); }

 private:
  void add(std::uint32_t n, bool concurrent) noexcept {
    if (concurrent)
      bits_.fetch_add(n, std::memory_order_seq_cst);
    else
      bits_.store(bits_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  atomic<std::uint32_t> bits_{0};
};

/// What the awaitable that a coroutine is parked on leaves for the worker that takes its wake-up.
struct parked_wait {
  /// Unlinks the records that only home may touch (timers), before the coroutine can move to
  /// another worker. Of a resident wait: goes on with the perform on the worker that it is bound to
  /// (coroutine::stay), and parks again or lets the frame go on.
  void (*at_home)(parked_wait&) noexcept = nullptr;
};

/// What is done with the frame and the outcome of a coroutine by those who do not know their type.
/// Each type has two tables, between which a coroutine changes.
struct coroutine_kind : task_kind {
  std::size_t frame_offset;  // from the coroutine
  /// Of one that has failed.
  std::exception_ptr (*failure)(coroutine&) noexcept;
  /// Frees it, with its block.
  void (*release)(coroutine&) noexcept;
  const coroutine_kind* free;   // to move
  const coroutine_kind* bound;  // to its worker
};

/// What a parked task costs beside its frame, with its result: 128 bytes, so each counts.
struct WEFT_API coroutine : task, list_node {
  /// What a resumed frame leaves for run().
  enum class action : std::uint8_t {
    go_on,  // resume `at`
    park,   // its perform has been published
    yield,  // behind everything that is ready
    move,   // to the worker that `on` names
    end,    // the result is there
  };

  coroutine(const coroutine_kind& k, std::uint8_t block_class) noexcept;
  ~coroutine() {
    if (named.load(std::memory_order_relaxed)) forget_name();
  }

  std::coroutine_handle<> at;       // where it goes on
  relaxed<worker*> on = nullptr;    // that runs it, or ran it last: the home of its waits
  task_scope* innermost = nullptr;  // that its body stands in; null once it has left its own
  parked_wait* wait = nullptr;      // set while it has home-only records, or is resident
  wait_record* joiner = nullptr;    // see life
  relaxed<const char*> waits_for = nullptr;  // while it is parked
  lifecycle life;
  atomic<std::uint32_t> number{0};   // see id()
  relaxed<std::uint32_t> since = 0;  // milliseconds of the worker's coarse clock when it parked
  // The worker has left it, parked: whoever wakes it may take it along. Else it is home's to
  // resume.
  atomic<bool> resting{false};
  atomic<bool> named{false};
  bool concurrent = false;       // more than one thread may touch it
  bool failed = false;           // the result is an exception
  relaxed<bool> joined = false;  // somebody has taken the result
  bool pinned = false;           // stays on its worker
  action next_action = action::go_on;
  std::uint16_t shard = 0;        // of its scope: whose list it is in
  const std::uint8_t size_class;  // of its block; these two last: see frame_block
  const bool is_spawned = true;

  /// The coroutine itself: whether a perform should raise now.
  bool is_cancelled() const noexcept;
  /// Whoever keeps c alive: asks it to stop.
  void cancel() noexcept;
  /// Whoever keeps c alive: ends the wait that it is parked in, unless that is deaf, or c stands in
  /// more shields than `shields`.
  void interrupt(std::uint32_t shields) noexcept;

  /// The running frame hands over to another one.
  void hand_over(std::coroutine_handle<> to) noexcept { at = to; }
  /// The running frame suspends, to go on behind everything that is ready.
  void yield_at(std::coroutine_handle<> here) noexcept {
    at = here;
    next_action = action::yield;
  }
  /// The running frame suspends: its perform has been published.
  void park_at(std::coroutine_handle<> here, const char* what) noexcept;

  /// What wakes it next resumes it on the worker that it is on, and gives it to w.at_home there: it
  /// waits for what only that worker may touch, a descriptor. Before the wait is published.
  void stay(parked_wait& w) noexcept;
  /// Takes that back: nothing was published.
  void stay_no_more() noexcept;
  /// The running frame suspends, to go on in w.at_home on another worker of the crew.
  void move_to(std::coroutine_handle<> here, worker& to, parked_wait& w) noexcept;

  /// The holder of the handle publishes a record. False: complete already.
  bool begin_join(wait_record& r) noexcept;
  /// Takes it back, or waits until the end that is waking it has left.
  void end_join() noexcept;
  /// The handle goes. Unjoined failures go to the scope; the block is freed by the later of the
  /// two.
  void drop_handle() noexcept;
  /// It has not begun, and never will.
  void abandon() noexcept {
    frame().destroy();
    kinds().release(*this);
  }
  /// Its own.
  std::coroutine_handle<> frame() noexcept {
    return std::coroutine_handle<>::from_address(reinterpret_cast<char*>(this) +
                                                 kinds().frame_offset);
  }
  const coroutine_kind& kinds() const noexcept { return static_cast<const coroutine_kind&>(*kind); }
  /// A number of its own, given when somebody first asks. Any thread.
  std::uint32_t id() noexcept;
  void set_name(std::string name);

  /// Of one that has failed.
  std::exception_ptr failure() noexcept { return kinds().failure(*this); }

  // The functions of its kinds. Nobody steals a bound one before it has run on its worker.
  static void run(task& t, worker& w);
  static void wake(task& t) noexcept;
  static void arrive(task& t, worker& w) noexcept;
  static void run_bound(task& t, worker& w);
  static void wake_bound(task& t) noexcept;

 private:
  void forget_name() noexcept;
};

static_assert(sizeof(void*) != 8 || sizeof(coroutine) <= 120);

/// What a list of coroutines says of one. Made without an allocation.
struct coroutine_report {
  std::uint32_t id = 0;
  task_state state = task_state::fresh;
  const char* waits_for = nullptr;  // null: it is not parked
  std::uint32_t since = 0;          // as coroutine::since
  unsigned worker = 0;
  const void* function = nullptr;
};
/// c is on the list of a scope, whose lock is held, or is being run.
WEFT_API coroutine_report report_of(coroutine& c) noexcept;
/// The name that a coroutine with this number was given, or nothing.
WEFT_API std::string name_of(std::uint32_t id);

/// Makes c, whose frame has not begun, a child of s and runnable on w, which is this thread's.
WEFT_API void start(coroutine& c, task_scope& s, worker& w) noexcept;

/// The coroutine that this thread is running, or null.
WEFT_API coroutine* current_coroutine() noexcept;

}  // namespace weft::inline v0::core
