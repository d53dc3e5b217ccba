// SPDX-License-Identifier: MIT
// Tests: tests/task/stress_test.cpp (threads that spawn, runtimes that come and go).
#include "weft/runtime.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/loop_descriptor.hpp"
#include "core/watchdog.hpp"
#include "weft/core/forks.hpp"
#include "weft/time.hpp"

namespace weft::inline v0::detail {

namespace {

/// A message that ends a worker's run().
struct stop_message : core::task {
  stop_message() noexcept : core::task(kind_table) {}
  static void run(core::task&, core::worker& w) { w.stop(); }
  static constexpr core::task_kind kind_table = {"stop", run, nullptr};
};

std::unique_ptr<core::worker> make_worker(const char* backend) {
  const char* error = nullptr;
  std::unique_ptr<core::reactor> r(core::make_reactor(backend, &error));
  if (!r) throw std::invalid_argument(error);
  return std::make_unique<core::worker>(std::move(r));
}

unsigned count_of(const runtime_options& options) noexcept {
  if (options.workers != 0) return options.workers;
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

/// Completed when a scope that block_on waits for has ended: stops worker 0.
struct scope_end : core::task {
  explicit scope_end(core::worker& w) noexcept : core::task(kind_table), home(w) {}

  static void wake(core::task& t) noexcept {
    core::worker& home = static_cast<scope_end&>(t).home;
    core::worker::current() == &home ? home.stop() : home.post(t);
  }
  static void arrive(core::task&, core::worker& w) noexcept { w.stop(); }
  static constexpr core::task_kind kind_table = {"block_on", nullptr, wake, arrive};

  core::worker& home;
};

/// The scopes of a runtime's tasks, as its workers know them: what leads from a worker to it.
struct runtime_scopes : core::scope_list {
  explicit runtime_scopes(runtime_state& s) noexcept : of(s) {}
  runtime_state& of;
};

/// Workers and the scope of what outlives block_on. With several workers, worker 0 is driven by
/// whoever is in block_on, else by a standby thread: its timers and descriptors always get on. One
/// alone rests outside block_on and poll_once, once a main loop watches its descriptor.
class runtime_state {
 public:
  explicit runtime_state(const runtime_options& options);
  runtime_state(const runtime_state&) = delete;
  runtime_state& operator=(const runtime_state&) = delete;

  void end() noexcept;
  /// In the child of a fork, which has none of the threads, and whose rings are the parent's.
  bool is_inherited() const noexcept { return forks_ != core::forks_of_process(); }
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool start_outside(core::coroutine& c, unsigned worker) noexcept;
  std::vector<task_info> tasks();
  core::scope_list& scopes() noexcept { return scopes_; }
  core::worker& first() noexcept { return *workers_.front(); }
  bool has(const core::worker& w) const noexcept {
    return std::any_of(workers_.begin(), workers_.end(),
                       [&w](const auto& mine) { return mine.get() == &w; });
  }
  unsigned size() const noexcept { return static_cast<unsigned>(workers_.size()); }
  bool concurrent() const noexcept { return size() > 1; }

  /// Takes worker 0 for the calling thread, and gives it back.
  void begin_driving(const char* caller);
  void end_driving() noexcept;
  /// Before its first turn, inside its gate.
  void end_rest() noexcept {
    if (loop_) loop_->end_rest();
  }

  int event_fd();
  bool poll_once(core::nanoseconds limit);
  core::nanoseconds next_deadline();

 private:
  ~runtime_state() = default;
  void drive(core::worker& w) noexcept;
  void stand_by() noexcept;
  void stop_threads() noexcept;
  void check_alone(const char* caller) const;

  const unsigned forks_ = core::forks_of_process();
  core::atomic<int> references_{1};
  core::crew crew_;
  runtime_scopes scopes_{*this};
  std::vector<std::unique_ptr<core::worker>> workers_;
  std::unique_ptr<core::task_scope> root_;
  std::unique_ptr<core::watchdog> watchdog_;
  std::vector<std::thread> threads_;
  std::unique_ptr<core::loop_descriptor> loop_;  // set under mutex_, by who drives

  std::mutex mutex_;  // all below
  std::condition_variable changed_;
  bool gone_ = false;     // no more tasks from outside
  bool ending_ = false;   // the standby thread leaves
  bool called_ = false;   // somebody has worker 0
  bool standby_ = false;  // the standby thread drives
};

namespace {

[[noreturn]] void refuse(const char* caller, const char* why) {
  throw std::logic_error(std::string("weft: ") + caller + ' ' + why);
}

/// The calling thread has worker 0.
class driver {
 public:
  driver(runtime_state& s, const char* caller) : state_(taken(s, caller)), driving_(s.first()) {
    s.end_rest();
  }
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;
  ~driver() { state_.end_driving(); }

 private:
  static runtime_state& taken(runtime_state& s, const char* caller) {
    s.begin_driving(caller);
    return s;
  }
  runtime_state& state_;
  const core::worker::driving driving_;
};

/// Turns until a task has run, or the time is over. False: none has.
bool poll(core::worker& w, core::nanoseconds limit) noexcept {
  const std::uint64_t before = w.count().runs;
  const core::nanoseconds due = deadline_after(w.now(), limit);
  for (core::nanoseconds left = limit;;) {
    w.turn(left);
    if (w.count().runs != before) return true;
    left = due == core::forever ? due : std::max(due - w.now(), core::nanoseconds{0});
    if (left == 0 && !w.has_work()) return false;
  }
}

}  // namespace

runtime_state::runtime_state(const runtime_options& options) {
  const unsigned n = count_of(options);
  for (unsigned i = 0; i < n; ++i) workers_.push_back(make_worker(options.backend));
  for (auto& w : workers_) w->keep_scopes_in(scopes_);
  root_ = std::make_unique<core::task_scope>(true, n, &scopes_);
  root_->let_fail(core::task_scope::failing::alone);
  if (options.watchdog.count() > 0)
    watchdog_ = std::make_unique<core::watchdog>(workers_, options.watchdog, options.on_blocked);
  if (n == 1) return;
  for (auto& w : workers_) crew_.add(*w);
  try {
    threads_.emplace_back([this] { stand_by(); });
    for (unsigned i = 1; i < n; ++i) threads_.emplace_back([this, i] { drive(*workers_[i]); });
  } catch (...) {
    stop_threads();
    throw;
  }
}

void runtime_state::drive(core::worker& w) noexcept {
  const core::worker::driving driving(w);
  w.run();
  w.clear_stop();
}

void runtime_state::stand_by() noexcept {
  std::unique_lock held(mutex_);
  for (;;) {
    changed_.wait(held, [this] { return ending_ || !called_; });
    if (ending_) return;
    standby_ = true;
    held.unlock();
    drive(first());
    held.lock();
    standby_ = false;
    changed_.notify_all();
  }
}

void runtime_state::begin_driving(const char* caller) {
  if (is_inherited()) refuse(caller, "in the child of a fork: it makes a runtime of its own");
  check_outside_tasks(caller);
  std::unique_lock held(mutex_);
  if (called_) refuse(caller, "while another thread drives this runtime");
  called_ = true;
  if (!standby_) return;
  stop_message stop;
  first().post(stop);
  changed_.wait(held, [this] { return !standby_; });
}

void runtime_state::end_driving() noexcept {
  const std::lock_guard held(mutex_);
  if (loop_) loop_->rest();
  called_ = false;
  changed_.notify_all();
}

// Where several workers share their tasks each has a thread, and none waits for a main loop.
void runtime_state::check_alone(const char* caller) const {
  if (concurrent()) refuse(caller, "of a runtime with several workers, which drive themselves");
}

int runtime_state::event_fd() {
  check_alone("event_fd");
  {
    const std::lock_guard held(mutex_);
    if (loop_) return loop_->fd();
  }
  const driver here(*this, "event_fd");
  int error = 0;
  std::unique_ptr<core::loop_descriptor> opened = core::loop_descriptor::open(first(), &error);
  if (!opened) throw std::system_error(error, std::generic_category(), "weft: event_fd");
  const std::lock_guard held(mutex_);
  loop_ = std::move(opened);
  return loop_->fd();
}

bool runtime_state::poll_once(core::nanoseconds limit) {
  check_alone("poll_once");
  bool ran = false;
  {
    const driver here(*this, "poll_once");
    root_->let_fail(core::task_scope::failing::alone_and_kept);  // this throws what failed
    first().add_source();  // it waits as told, also for what only other threads could bring
    ran = poll(first(), limit);
    first().drop_source();
  }
  if (const std::exception_ptr e = root_->take_failure()) std::rethrow_exception(e);
  return ran;
}

core::nanoseconds runtime_state::next_deadline() {
  check_alone("next_deadline");
  const driver here(*this, "next_deadline");
  return first().has_work() ? first().now() : first().next_deadline();
}

bool runtime_state::start_outside(core::coroutine& c, unsigned worker) noexcept {
  const std::lock_guard held(mutex_);
  if (gone_) return false;
  c.pinned = worker != any_worker;
  core::worker& at = c.pinned ? *workers_[worker] : first();
  root_->adopt(c, at.index());
  c.on = &at;
  if (concurrent() && !c.pinned)
    crew_.inject(c);
  else
    at.post(c);
  return true;
}

std::vector<task_info> runtime_state::tasks() {
  {
    const std::lock_guard held(mutex_);
    if (gone_) return {};
    if (!concurrent() && core::worker::current() != &first())
      throw std::logic_error("weft: tasks() of a runtime with one worker, outside its tasks");
  }
  std::vector<task_info> all;
  for (const core::coroutine_report& r : scopes_.report()) all.emplace_back(r);
  return all;
}

void runtime_state::stop_threads() noexcept {
  {
    const std::lock_guard held(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  std::vector<stop_message> stops(threads_.size());
  for (std::size_t i = 1; i < threads_.size(); ++i) workers_[i]->post(stops[i]);
  for (std::thread& t : threads_) t.join();
  threads_.clear();
}

void runtime_state::end() noexcept {
  {
    const std::lock_guard held(mutex_);
    gone_ = true;
  }
  begin_driving("~runtime");
  {
    const core::worker::driving driving(first());
    loop_.reset();
    scope_end ended(first());
    ended.begin_shared();
    root_->cancel();
    root_->leave(ended);
    while (!root_->ended()) first().run();
    first().clear_stop();
  }
  stop_threads();
  watchdog_.reset();
  root_->collect_failures();
  if (root_->failure()) core::tell_lost(root_->failure());
  root_.reset();
  workers_.clear();
  drop_reference();
}

// What a child inherits goes with it: nothing there can be ended without the parent's threads.
void end_runtime::operator()(runtime_state* s) const noexcept {
  if (s->is_inherited()) return;
  // A task of another runtime ends this one: its thread has a worker already.
  if (core::worker::current() && !s->has(*core::worker::current()))
    std::thread([s] { s->end(); }).join();
  else
    s->end();
}

bool start_outside(runtime_state& s, core::coroutine& c, unsigned worker) noexcept {
  return s.start_outside(c, worker);
}

namespace {
runtime_state& begin_blocking(runtime_state& s) {
  s.begin_driving("block_on");
  return s;
}
}  // namespace

blocking::blocking(runtime_state& s)
    : state_(begin_blocking(s)),
      scope_(s.concurrent(), s.size(), &s.scopes()),
      end_(std::make_unique<scope_end>(s.first())),
      driving_(s.first()) {
  s.end_rest();
}

blocking::~blocking() { state_.end_driving(); }

core::worker& blocking::worker() noexcept { return state_.first(); }

void blocking::run() {
  end_->begin_shared();
  scope_.leave(*end_);
  bool stuck = false;
  while (!scope_.ended()) {
    if (worker().run() == core::worker::outcome::idle) {
      // Everything waits for each other: all of it is unwound, shielded or not.
      stuck = true;
      scope_.cancel();
      scope_.interrupt_all();
    }
    worker().clear_stop();
  }
  scope_.collect_failures();
  if (stuck) throw deadlock("weft: deadlock: every task waits, and nothing can wake one");
  if (scope_.failure()) std::rethrow_exception(scope_.failure());
}

core::coroutine& calling_coroutine(const char* function) {
  core::coroutine* c = core::current_coroutine();
  if (!c)
    throw std::logic_error(std::string("weft: ") + function +
                           " outside a task: use runtime::spawn or a runtime_handle");
  return *c;
}

}  // namespace weft::inline v0::detail

namespace weft::inline v0 {

bool is_cancelled() noexcept {
  const core::coroutine* const c = core::current_coroutine();
  return c && c->is_cancelled();
}

runtime_handle::runtime_handle(detail::runtime_state& s) noexcept : state_(&s) {
  s.add_reference();
}
runtime_handle::runtime_handle(const runtime_handle& other) noexcept
    : runtime_handle(*other.state_) {}
runtime_handle& runtime_handle::operator=(const runtime_handle& other) noexcept {
  if (this == &other) return *this;
  other.state_->add_reference();
  state_->drop_reference();
  state_ = other.state_;
  return *this;
}
runtime_handle::~runtime_handle() { state_->drop_reference(); }

// Only a runtime keeps its workers' scopes in a list.
runtime_handle runtime_handle::current() {
  core::worker* const w = core::worker::current();
  if (!w || !w->scopes()) detail::misuse("weft: runtime_handle::current outside a runtime's tasks");
  return runtime_handle(static_cast<detail::runtime_scopes*>(w->scopes())->of);
}

worker_handle runtime_handle::worker(unsigned index) const {
  if (index >= state_->size()) throw std::out_of_range("weft: no worker with this index");
  return worker_handle(*this, index);
}
std::vector<task_info> runtime_handle::tasks() const { return state_->tasks(); }

runtime::runtime(const runtime_options& options) {
  detail::check_outside_tasks("runtime");
  state_.reset(new detail::runtime_state(options));
}
runtime::~runtime() = default;
runtime_handle runtime::handle() noexcept { return runtime_handle(*state_); }
unsigned runtime::workers() const noexcept { return state_->size(); }
int runtime::event_fd() { return state_->event_fd(); }
bool runtime::poll_once(std::chrono::nanoseconds timeout) {
  return state_->poll_once(detail::to_nanoseconds(timeout));
}
std::optional<std::chrono::steady_clock::time_point> runtime::next_deadline() {
  const core::nanoseconds next = state_->next_deadline();
  if (next == core::forever) return std::nullopt;
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next));
}

}  // namespace weft::inline v0
