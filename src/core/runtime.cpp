// SPDX-License-Identifier: MIT
#include "weft/runtime.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/watchdog.hpp"

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

/// Workers and the scope of what outlives block_on. With several workers, worker 0 is driven by
/// whoever is in block_on, else by a standby thread: its timers and descriptors always get on.
class runtime_state {
 public:
  explicit runtime_state(const runtime_options& options);
  runtime_state(const runtime_state&) = delete;
  runtime_state& operator=(const runtime_state&) = delete;

  void end() noexcept;
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool start_outside(core::coroutine& c, unsigned worker) noexcept;
  std::vector<task_info> tasks();
  core::scope_list& scopes() noexcept { return scopes_; }
  core::worker& first() noexcept { return *workers_.front(); }
  unsigned size() const noexcept { return static_cast<unsigned>(workers_.size()); }
  bool concurrent() const noexcept { return size() > 1; }

  /// Takes worker 0 for the calling thread, and gives it back.
  void begin_driving();
  void end_driving() noexcept;

 private:
  ~runtime_state() = default;
  void drive(core::worker& w) noexcept;
  void stand_by() noexcept;
  void stop_threads() noexcept;

  core::atomic<int> references_{1};
  core::crew crew_;
  core::scope_list scopes_;
  std::vector<std::unique_ptr<core::worker>> workers_;
  std::unique_ptr<core::task_scope> root_;
  std::unique_ptr<core::watchdog> watchdog_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // all below
  std::condition_variable changed_;
  bool gone_ = false;     // no more tasks from outside
  bool ending_ = false;   // the standby thread leaves
  bool called_ = false;   // somebody is in block_on
  bool standby_ = false;  // the standby thread drives
};

runtime_state::runtime_state(const runtime_options& options) {
  const unsigned n = count_of(options);
  for (unsigned i = 0; i < n; ++i) workers_.push_back(make_worker(options.backend));
  for (auto& w : workers_) w->keep_scopes_in(scopes_);
  root_ = std::make_unique<core::task_scope>(true, n, &scopes_);
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

void runtime_state::begin_driving() {
  if (core::worker::current()) throw std::logic_error("weft: block_on inside a task");
  std::unique_lock held(mutex_);
  if (called_) throw std::logic_error("weft: another thread is in block_on of this runtime");
  called_ = true;
  if (!standby_) return;
  stop_message stop;
  first().post(stop);
  changed_.wait(held, [this] { return !standby_; });
}

void runtime_state::end_driving() noexcept {
  const std::lock_guard held(mutex_);
  called_ = false;
  changed_.notify_all();
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
  begin_driving();
  {
    const core::worker::driving driving(first());
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
  root_.reset();
  workers_.clear();
  drop_reference();
}

void end_runtime::operator()(runtime_state* s) const noexcept { s->end(); }

bool start_outside(runtime_state& s, core::coroutine& c, unsigned worker) noexcept {
  return s.start_outside(c, worker);
}

namespace {
runtime_state& begin_driving(runtime_state& s) {
  s.begin_driving();
  return s;
}
}  // namespace

blocking::blocking(runtime_state& s)
    : state_(begin_driving(s)),
      scope_(s.concurrent(), s.size(), &s.scopes()),
      end_(std::make_unique<scope_end>(s.first())),
      driving_(s.first()) {}

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

worker_handle runtime_handle::worker(unsigned index) const {
  if (index >= state_->size()) throw std::out_of_range("weft: no worker with this index");
  return worker_handle(*this, index);
}
std::vector<task_info> runtime_handle::tasks() const { return state_->tasks(); }

runtime::runtime(const runtime_options& options) : state_(new detail::runtime_state(options)) {}
runtime::~runtime() = default;
runtime_handle runtime::handle() noexcept { return runtime_handle(*state_); }
unsigned runtime::workers() const noexcept { return state_->size(); }

}  // namespace weft::inline v0
