// SPDX-License-Identifier: MIT
// worker: a thread's run queue, inbox, timer wheel and reactor, and the loop that drives them.
//
// A turn is: inbox, wheel, a batch of ready tasks, reactor. The reactor blocks only when nothing is
// ready, and never past the next timer. The batch is bounded, and so is what one task may do
// without waiting (spend), so that neither a busy task nor an always-ready socket starves timers or
// I/O.
//
// Parking (models/: `wake` of every scenario; one thread a worker in local, local_mixed). park_ is
//   running   the worker looks at its inbox before it blocks: posters need not ring
//   parked    the worker blocks or is about to: one poster changes it to notified and rings
//   notified  the bell has been rung for this park
// The worker stores parked, then looks at the inbox; a poster pushes, then looks at park_. All four
// are seq_cst, so one of them sees the other.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

#include "weft/config.hpp"
#include "weft/core/hooks.hpp"
#include "weft/core/inbox.hpp"
#include "weft/core/reactor.hpp"
#include "weft/core/run_queue.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/slab.hpp"
#include "weft/core/task.hpp"
#include "weft/core/timer_wheel.hpp"

namespace weft::inline v0::core {

class worker;

/// What outlives a worker for those that may be late: a counted way to post to it, or to learn that
/// it is gone. The mutex makes "gone" exact; it is never held while anything but a post happens.
class WEFT_API mailbox {
 public:
  explicit mailbox(worker& w) noexcept : worker_(&w) {}
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  /// Any thread. False: the worker is gone, and t stays the caller's.
  bool post(task& t) noexcept;
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

 private:
  friend class worker;
  ~mailbox() = default;
  void close() noexcept;

  std::mutex mutex_;
  worker* worker_;
  atomic<int> references_{1};
};

class WEFT_API worker {
 public:
  explicit worker(std::unique_ptr<reactor> r) noexcept;
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// The worker that this thread is driving, or null. Never keep it across a suspension.
  static worker* current() noexcept;

  // ---- on this worker's thread ----

  /// Makes t runnable, behind everything that is.
  void ready(task& t) noexcept {
    t.state = task_state::runnable;
    if (hooks_ && hooks_->wake) [[unlikely]]
      hooks_->wake(hooks_->context, t);
    queue_.push(t);
  }

  /// Takes back a ready() of the task that is running, which is the newest in the queue.
  void forget(task& t) noexcept {
    if (t.state == task_state::runnable) queue_.remove(t);
  }

  /// Arms r for an absolute time; its owner is completed with r.arm. Disarm with r.unlink().
  void arm_timer(wait_record& r, nanoseconds deadline) noexcept { wheel_.insert(r, deadline); }

  /// Fresh, monotonic; virtual under weft.test.
  nanoseconds now() noexcept { return virtual_ ? virtual_now_ : clock_now(); }
  /// As of this turn; for reports.
  nanoseconds coarse_now() const noexcept { return coarse_now_; }

  /// For the run() of a kind that goes from task to task in one frame: the next ready task, if the
  /// batch goes on and it is of this kind.
  task* next_of(const task_kind& kind) noexcept { return queue_.next_is(kind) ? take() : nullptr; }

  /// Counts one operation that completed without waiting. False: the running task has used up its
  /// share and should go behind the others before it goes on.
  bool spend() noexcept { return --allowance_ > 0; }

  enum class outcome { ran, idle, stopped };

  /// One turn that waits at most `limit` for something to do. idle: nothing was ready and nothing
  /// can wake anything here (no timer, no descriptor, no source).
  outcome turn(nanoseconds limit) noexcept;
  /// Turns until stop() or idle.
  outcome run() noexcept;
  /// Whether a task is ready to run.
  bool has_ready() const noexcept { return !queue_.empty(); }
  /// Ends run() after the task that is running.
  void stop() noexcept { stopping_ = true; }
  bool stopping() const noexcept { return stopping_; }
  void clear_stop() noexcept { stopping_ = false; }

  /// A source is something outside that may still complete a wait here: a pending call, a handle in
  /// another thread's hands. While there is one, an idle worker waits instead of reporting
  /// deadlock.
  void add_source() noexcept { ++sources_; }
  void drop_source() noexcept { --sources_; }

  /// A clock that stands still while tasks run and jumps to the next timer when none is ready.
  /// While something outside (a source, a descriptor) is waited for it runs as usual.
  void use_virtual_time() noexcept;
  /// Random order of ready tasks and of arms, replayed by the same seed.
  void use_seed(std::uint64_t seed) noexcept;

  mailbox& address() noexcept { return *mailbox_; }
  reactor& io() noexcept { return *reactor_; }
  slab& records() noexcept { return records_; }
  random_source& random() noexcept { return random_; }
  const counters& count() const noexcept { return count_; }
  counters& count() noexcept { return count_; }
  void observe(const hooks* table) noexcept { hooks_ = table; }
  const hooks* observer() const noexcept { return hooks_; }

  void* host = nullptr;  // what the tasks of this worker share: the Lua state's record

  // ---- any thread ----

  /// Makes t, whose home this is, runnable. The caller's last touch of t.
  void post(task& t) noexcept;
  /// Ends a wait of the reactor. Async-signal-safe.
  void ring() noexcept { reactor_->wake(); }

  /// While a worker drives a thread it is the thread's current one; drivings nest.
  class driving {
   public:
    explicit driving(worker& w) noexcept;
    ~driving();
    driving(const driving&) = delete;
    driving& operator=(const driving&) = delete;

   private:
    worker* outer_;
  };

 private:
  enum park_state : int { running, parked, notified };
  // 128 operations of a task, or a batch of 256 tasks at 0.1 us, are shorter than a wake-up of the
  // kernel's.
  static constexpr int batch_size = 256;
  static constexpr int task_allowance = 128;

  /// The next task of the batch.
  task* take() noexcept {
    if (batch_ == 0 || stopping_) return nullptr;
    task* t = queue_.pop();
    if (!t) return nullptr;
    --batch_;
    ++count_.runs;
    allowance_ = task_allowance;
    return t;
  }
  void run_batch() noexcept;
  void take_inbox() noexcept;
  void fire_timers() noexcept;
  /// Something that is neither a task nor a timer may still come.
  bool waits_for_outside() noexcept { return sources_ != 0 || reactor_->busy(); }
  void wait_for_events(nanoseconds limit) noexcept;
  void park(nanoseconds limit) noexcept;

  run_queue queue_;
  int batch_ = 0;  // tasks that may still run in this turn
  int allowance_ = 0;
  bool stopping_ = false;
  bool virtual_ = false;
  const hooks* hooks_ = nullptr;
  counters count_;
  random_source random_;
  random_source order_;
  slab records_;
  timer_wheel wheel_{clock_now()};
  std::unique_ptr<reactor> reactor_;
  nanoseconds coarse_now_ = 0;
  nanoseconds virtual_now_ = 0;
  std::size_t sources_ = 0;
  mailbox* mailbox_;
  alignas(64) inbox inbox_;
  atomic<int> park_{running};
};

}  // namespace weft::inline v0::core
