// SPDX-License-Identifier: MIT
// spawn_on: another runtime, one worker, somebody else's executor.
#include "task/support.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace {

using namespace std::chrono_literals;
using weft::task;

class SpawnOn : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, SpawnOn, ::testing::Values(1U, 2U, 4U));

task<std::thread::id> where(int yields) {
  for (int i = 0; i < yields; ++i) co_await weft::yield();
  co_await weft::sleep(1ms);
  co_return std::this_thread::get_id();
}
task<> busy() {
  for (int i = 0; i < 500; ++i) co_await weft::yield();
}
TEST_P(SpawnOn, ATaskOfAWorkerStaysThere) {
  run([](weft::runtime* rt) -> task<> {
    for (int i = 0; i < 20; ++i) weft::spawn(busy).detach();
    for (unsigned i = 0; i < rt->workers(); ++i) {
      auto first = weft::spawn_on(rt->worker(i), where, 0);
      const std::thread::id home = co_await first;
      for (int k = 0; k < 10; ++k) {
        auto again = weft::spawn_on(rt->worker(i), where, k);
        EXPECT_EQ(co_await again, home);
      }
    }
  }(&rt));
  EXPECT_THROW(static_cast<void>(rt.worker(rt.workers())), std::out_of_range);
  EXPECT_EQ(rt.worker(0).index(), 0U);
}

task<int> square(int n) {
  co_await weft::yield();
  co_return n* n;
}
task<int> fails(int) {
  co_await weft::yield();
  throw std::runtime_error("no");
}

/// A runtime that a thread drives meanwhile.
class driven {
 public:
  explicit driven(unsigned workers) : rt(with(workers)), thread_([this] { drive(); }) {}
  ~driven() {
    stop_.set();
    thread_.join();
  }
  weft::runtime rt;

 private:
  static weft::runtime_options with(unsigned workers) {
    weft::runtime_options o;
    o.workers = workers;
    return o;
  }
  void drive() {
    rt.block_on([](weft::event until) -> task<> { co_await until.wait(); }(stop_));
  }
  weft::event stop_;
  std::thread thread_;
};

task<> joins_abroad(weft::runtime_handle there, int n) {
  for (int i = 0; i < n; ++i) {
    auto h = weft::spawn_on(there, square, i);
    if (i % 3 == 0) co_await weft::yield();
    EXPECT_EQ(co_await h, i * i);
    auto bad = weft::spawn_on(there, fails, i);
    EXPECT_THROW(co_await bad, std::runtime_error);
    auto chosen = weft::spawn_on(there, square, i);
    const auto r = co_await weft::timeout(chosen.join_op(), 1h);
    EXPECT_TRUE(r && *r == i * i);
    auto dropped = weft::spawn_on(there, square, i);
    static_cast<void>(co_await weft::timeout(dropped.join_op(), 1us));
  }
}
TEST_P(SpawnOn, AnotherRuntimesTasksCanBeJoined) {
  for (const unsigned n : {1U, 2U}) {
    driven other(n);
    run(joins_abroad(other.rt.handle(), scaled(300)));
  }
}

task<> waits_for_ever() { co_await weft::never(); }
task<bool> outlives(std::unique_ptr<weft::runtime> there) {
  auto h = weft::spawn_on(there->handle(), waits_for_ever);
  auto joined = weft::spawn(ends_cancelled<void>, &h);
  co_await settle();
  // It has gone before this worker takes the wake-up.
  std::thread([&there] { there.reset(); }).join();
  co_return co_await joined;
}
TEST_P(SpawnOn, ARuntimeThatEndsCancelsWhatIsJoinedAbroad) {
  for (const unsigned n : {1U, 2U}) {
    weft::runtime_options o;
    o.workers = n;
    EXPECT_TRUE(run(outlives(std::make_unique<weft::runtime>(o))));
  }
}

/// A thread pool as others write it.
class pool {
 public:
  explicit pool(bool runs) : runs_(runs), thread_([this] { work(); }) {}
  ~pool() {
    {
      const std::lock_guard held(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  void post(std::function<void()> f) {
    const std::lock_guard held(mutex_);
    jobs_.push_back(std::move(f));
    changed_.notify_all();
  }

 private:
  void work() {
    std::unique_lock held(mutex_);
    for (;;) {
      changed_.wait(held, [this] { return ending_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      held.unlock();
      if (runs_) job();
      job = nullptr;
      held.lock();
    }
  }
  const bool runs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::thread thread_;
};
/// As asio's executors are used.
struct inline_executor {
  template <class F>
  void execute(F f) const {
    f();
  }
};

static_assert(weft::function_executor<pool> && weft::function_executor<inline_executor>);
static_assert(weft::task_executor<weft::runtime_handle> &&
              weft::task_executor<weft::worker_handle>);
static_assert(!weft::function_executor<weft::runtime_handle> && !weft::task_executor<pool>);

TEST_P(SpawnOn, SomebodyElsesExecutorRunsFunctions) {
  pool p(true);
  run([](pool* to) -> task<> {
    auto h = weft::spawn_on(
        *to, [](std::unique_ptr<int> n) { return *n + 1; }, std::make_unique<int>(4));
    EXPECT_EQ(co_await h, 5);
    auto bad = weft::spawn_on(*to, [] { throw std::runtime_error("no"); });
    EXPECT_THROW(co_await bad, std::runtime_error);
    const std::thread::id there =
        co_await weft::spawn_on(*to, [] { return std::this_thread::get_id(); });
    EXPECT_NE(there, std::this_thread::get_id());
    auto here = weft::spawn_on(inline_executor(), [] { return 3; });
    EXPECT_TRUE(here.is_finished());
    EXPECT_EQ(co_await here, 3);
  }(&p));
}

TEST_P(SpawnOn, AFunctionThatIsDroppedIsCancelled) {
  pool p(false);
  run([](pool* to) -> task<> {
    auto h = weft::spawn_on(*to, [] { return 1; });
    EXPECT_THROW(co_await h, weft::cancelled);
  }(&p));
}

}  // namespace
