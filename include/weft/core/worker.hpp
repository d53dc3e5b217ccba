// SPDX-License-Identifier: MIT
// worker: a thread's run queue, inbox, timer wheel and reactor, and the loop that drives them.
//
// A turn is: inbox, wheel, a batch of ready tasks, reactor. The reactor blocks only when nothing is
// ready, and never past the next timer. The batch is bounded, and so is what one task may do
// without waiting (spend), so that neither a busy task nor an always-ready socket starves timers or
// I/O.
//
// Parking (models/: `wake` of every scenario; one thread a worker in local, local_mixed). park_ is
//   awake     the worker looks at its inbox before it blocks: posters need not ring
//   parked    the worker blocks or is about to: one poster changes it to notified and rings
//   notified  the bell has been rung for this park
// The worker stores parked, then looks at the inbox; a poster pushes, then looks at park_. All four
// are seq_cst, so one of them sees the other.
//
// The gate, if there is one (gate.hpp): whoever drives is inside it. The worker leaves it around a
// poll that blocks, and lets others in between two tasks when `pause_` says that somebody waits.
// Between two turns of a worker that a foreign main loop drives it is at rest: parked for those who
// post, and what becomes ready then rings as well, so that the loop's descriptor says so.
//
// Ready tasks. Lua fibers and pinned tasks: queue_, strictly first in, first out. Unpinned tasks:
// newest_, a deque that others may steal from, for what running tasks spawn and wake; later_, first
// in, first out under a lock, for what yields and what timers and the kernel wake. One pick in 61
// takes the oldest of the deque, one in 8 looks at later_ first: nothing starves. Workers that
// share their unpinned tasks are a crew (crew.hpp).
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

#include "weft/config.hpp"
#include "weft/core/deque.hpp"
#include "weft/core/forks.hpp"
#include "weft/core/gate.hpp"
#include "weft/core/hooks.hpp"
#include "weft/core/inbox.hpp"
#include "weft/core/lock.hpp"
#include "weft/core/reactor.hpp"
#include "weft/core/run_queue.hpp"
#include "weft/core/seams.hpp"
#include "weft/core/slab.hpp"
#include "weft/core/task.hpp"
#include "weft/core/timer_wheel.hpp"

namespace weft::inline v0::core {

class crew;
class worker;
class scope_list;
struct coroutine;

/// Which coroutine a worker is running, for a watchdog on another thread. While the lock is held
/// that coroutine stays.
struct watch_point {
  tiny_lock lock;
  coroutine* running = nullptr;
  std::uint64_t runs = 0;
};

/// What outlives a worker for those that may be late: a counted way to post to it, or to learn that
/// it is gone. The mutex makes "gone" exact; it is never held while anything but a post happens.
class WEFT_API mailbox {
 public:
  explicit mailbox(worker& w) noexcept : worker_(&w) {}
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  /// Any thread. False: the worker is gone, or the parent's of this process, and t stays the
  /// caller's.
  bool post(task& t) noexcept;
  /// Its worker, if that is `w` or of w's crew; else null.
  worker* crewmate_of(worker& w) noexcept;
  bool is_gone() noexcept;
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

 private:
  friend class worker;
  ~mailbox() = default;
  void close() noexcept;
  bool is_inherited() const noexcept { return forks_ != forks_of_process(); }

  const unsigned forks_ = forks_of_process();
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
    if (notes_ready_) [[unlikely]]
      note_ready(t);
    queue_.push(t);
  }

  /// Makes an unpinned task runnable: next on this worker, or on one that has nothing to do.
  [[gnu::always_inline]] void ready_next(task& t) noexcept {
    t.state = task_state::runnable;
    if (notes_ready_) [[unlikely]]
      note_ready(t);
    unpinned_ = true;
    if (!newest_.push(t)) [[unlikely]]
      return push_later(t);
    if (crew_) offer(newest_.size());
  }
  /// Likewise, behind everything that is ready.
  void ready_later(task& t) noexcept {
    t.state = task_state::runnable;
    if (notes_ready_) [[unlikely]]
      note_ready(t);
    unpinned_ = true;
    push_later(t);
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
  task* next_of(const task_kind& kind) noexcept {
    return !unpinned_ && queue_.next_is(kind) ? take() : nullptr;
  }

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
  bool has_ready() const noexcept { return !queue_.empty() || has_unpinned(); }
  /// The coroutine that this worker is running, or null.
  coroutine* running() const noexcept { return running_; }
  void run_as(coroutine* c) noexcept { running_ = c; }
  /// Ends run() after the task that is running.
  void stop() noexcept { pause_.fetch_or(pause_stop, std::memory_order_relaxed); }
  bool stopping() const noexcept { return pause_.load(std::memory_order_relaxed) & pause_stop; }
  void clear_stop() noexcept { pause_.fetch_and(~pause_stop, std::memory_order_relaxed); }

  /// The gate that this worker's driver is inside of, until told otherwise; null: none. The
  /// driver is inside already; with_driver: drivers enter it when they begin from now on,
  /// and leave it when they end.
  void use_gate(std::shared_ptr<gate> g, bool with_driver) noexcept;
  const std::shared_ptr<gate>& used_gate() const noexcept { return gate_; }
  /// Between turns, for a foreign main loop: from here on whatever there is to do rings.
  void rest() noexcept;
  void end_rest() noexcept;
  /// Fetches what the kernel has. What other threads have brought goes first: then the next turn
  /// does, behind its batch.
  void fetch() noexcept;
  /// When a turn has something to do: now, the next timer, or forever. What the kernel and other
  /// threads bring is not in it.
  nanoseconds next_deadline() noexcept { return has_ready() ? 0 : wheel_.next_deadline(); }
  /// Whether a turn would find something without a look at the kernel.
  bool has_work() noexcept {
    return has_ready() || pause_.load(std::memory_order_relaxed) != 0 || !inbox_.empty() ||
           (!wheel_.empty() && wheel_.next_deadline() <= now());
  }
  /// Makes ready, or runs, what other threads have posted; a turn begins with it.
  void take_inbox() noexcept;
  /// Takes t back, which was posted or is ready here, or is neither.
  void recall(task& t) noexcept;

  /// While it is set, what this worker runs is shown there. Before its first task.
  void show_at(watch_point* p) noexcept { watched_at_ = p; }
  class watched_run {
   public:
    watched_run(worker& w, coroutine& c) noexcept : at_(w.watched_at_) {
      if (at_) [[unlikely]]
        show(&c);
    }
    watched_run(const watched_run&) = delete;
    watched_run& operator=(const watched_run&) = delete;
    ~watched_run() {
      if (at_) [[unlikely]]
        show(nullptr);
    }

   private:
    [[gnu::noinline]] void show(coroutine* c) noexcept {
      at_->lock.lock();
      at_->running = c;
      ++at_->runs;
      at_->lock.unlock();
    }
    watch_point* at_;
  };

  /// The list of the scopes of its runtime's tasks, or null.
  scope_list* scopes() const noexcept { return scopes_; }
  void keep_scopes_in(scope_list& l) noexcept { scopes_ = &l; }

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
  void observe(const hooks* table) noexcept {
    hooks_ = table;
    notes_ready_ = hooks_ != nullptr || resting_.load(std::memory_order_relaxed);
  }
  const hooks* observer() const noexcept { return hooks_; }

  /// Before its first task: this is worker `index` of a crew.
  void join_crew(crew& c, unsigned index) noexcept;
  unsigned index() const noexcept { return index_; }
  /// Of no crew: its tasks never leave it, and it tells of deadlocks.
  bool is_alone() const noexcept { return !crew_; }
  /// Of the same crew.
  bool shares_with(const worker& other) const noexcept { return crew_ && crew_ == other.crew_; }

  // ---- any thread ----

  /// Makes t, whose home this is, runnable. The caller's last touch of t, and of this worker.
  void post(task& t) noexcept;
  /// Ends a wait of the reactor. Async-signal-safe.
  void ring() noexcept { reactor_->wake(); }
  /// Ends a park, or the next one. Any thread.
  void rouse() noexcept;
  /// Of the gate: somebody begins to wait, nobody waits any more.
  void want_gate() noexcept;
  void relieve_gate() noexcept { pause_.fetch_and(~pause_for_gate, std::memory_order_relaxed); }
  /// An unpinned task that is ready here, for a worker with nothing to do; null if there is none to
  /// spare. The last one is left to this worker unless it is `stuck` in another.
  task* yield_up(bool stuck) noexcept;
  /// There is more than one.
  bool has_to_spare() const noexcept {
    return newest_.size() > 1 || later_count_.load(std::memory_order_relaxed) > 1;
  }
  bool has_mail() const noexcept { return !inbox_.empty(); }
  /// It blocks, or is about to, and nobody has rung.
  bool is_parked() const noexcept { return park_.load(std::memory_order_relaxed) == parked; }
  /// Grows with each task that is run.
  std::uint32_t progress() const noexcept { return progress_.load(std::memory_order_relaxed); }

  /// While a worker drives a thread it is the thread's current one; drivings nest.
  class driving {
   public:
    explicit driving(worker& w) noexcept;  // enters its gate, if drivers do
    ~driving();
    driving(const driving&) = delete;
    driving& operator=(const driving&) = delete;

   private:
    worker& here_;
    worker* outer_;
  };

 private:
  enum park_state : int { awake, parked, notified };
  enum : unsigned { pause_stop = 1, pause_for_gate = 2 };
  // 128 operations of a task, or a batch of 256 tasks at 0.1 us, are shorter than a wake-up of the
  // kernel's.
  static constexpr int batch_size = 256;
  static constexpr int task_allowance = 128;

  bool has_unpinned() const noexcept {
    return newest_.size() != 0 || later_count_.load(std::memory_order_relaxed) != 0;
  }
  /// The next task of the batch.
  task* take() noexcept {
    if (batch_ == 0 || pause_.load(std::memory_order_relaxed) != 0) return nullptr;
    return take_any();
  }
  task* take_any() noexcept {
    task* t = unpinned_ ? pick_any() : queue_.pop();
    if (!t) return nullptr;
    --batch_;
    ++count_.runs;
    allowance_ = task_allowance;
    return t;
  }
  task* pick_any() noexcept {
    if (crew_)
      progress_.store(progress_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (--until_look_ == 0) [[unlikely]]
      if (task* t = pick_in_turn()) return t;
    if (task* t = newest_.pop()) return t;
    if (later_count_.load(std::memory_order_relaxed) != 0)
      if (task* t = pop_later()) return t;
    return queue_.pop();
  }
  task* pick_in_turn() noexcept;
  task* pop_later() noexcept;
  void push_later(task& t) noexcept;
  bool look_for_work(nanoseconds limit) noexcept;
  void offer(std::size_t here) noexcept;
  void run_batch() noexcept;
  void note_ready(task& t) noexcept;
  void block(nanoseconds limit) noexcept;
  void fire_timers() noexcept;
  /// Something that is neither a task nor a timer may still come.
  bool waits_for_outside() noexcept { return sources_ != 0 || reactor_->busy(); }
  void wait_for_events(nanoseconds limit) noexcept;
  void park(nanoseconds limit) noexcept;

  run_queue queue_;
  bool unpinned_ = false;  // there has been an unpinned task
  int batch_ = 0;          // tasks that may still run in this turn
  int allowance_ = 0;
  coroutine* running_ = nullptr;
  bool notes_ready_ = false;  // there are hooks, or it is at rest
  bool gate_with_driver_ = false;
  bool unfetched_ = false;  // see fetch()
  atomic<bool> resting_{false};
  bool virtual_ = false;
  const hooks* hooks_ = nullptr;
  watch_point* watched_at_ = nullptr;
  scope_list* scopes_ = nullptr;
  counters count_;
  random_source random_;
  random_source order_;
  slab records_;
  timer_wheel wheel_{clock_now()};
  std::unique_ptr<reactor> reactor_;
  std::shared_ptr<gate> gate_;
  nanoseconds coarse_now_ = 0;
  nanoseconds virtual_now_ = 0;
  std::size_t sources_ = 0;
  mailbox* mailbox_;
  crew* crew_ = nullptr;
  unsigned index_ = 0;
  std::uint32_t picks_ = 0;
  std::uint32_t until_look_ = 1;  // picks to the next that does not begin with the newest
  deque newest_;
  alignas(64) tiny_lock later_lock_;
  run_queue later_;
  atomic<std::size_t> later_count_{0};
  atomic<std::uint32_t> progress_{0};
  atomic<unsigned> pause_{0};  // ends the batch
  alignas(64) inbox inbox_;
  atomic<int> park_{awake};
  atomic<unsigned> posting_{0};  // by threads that may outlive this worker
};

}  // namespace weft::inline v0::core
