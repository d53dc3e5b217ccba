// SPDX-License-Identifier: MIT
// Numbers, names and lists of tasks; the watchdog.
#include "task/support.hpp"

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using weft::task;
using weft::task_info;
using weft::task_state;

/// The task of that name; there is one.
task_info named(weft::runtime& rt, const std::string& name) {
  for (const task_info& t : rt.tasks())
    if (t.name == name) return t;
  ADD_FAILURE() << "no task " << name;
  return task_info();
}

class Inspect : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Inspect, ::testing::Values(1U, 2U, 4U));

task<> receives(weft::receiver<int> rx) {
  weft::set_task_name("receiver");
  co_await rx.recv();
}
task<> chooses(weft::receiver<int> rx, weft::event e) {
  co_await weft::choose(rx.recv_op(), e.wait_op());
}
task<> sleeps() { co_await weft::sleep(1h); }
task<> inside(weft::event e) {
  auto sleeper = weft::spawn(sleeps);
  sleeper.set_name("inside a scope");
  co_await e.wait();
  sleeper.cancel();
  static_cast<void>(co_await ends_cancelled(&sleeper));
}
task<> opens_a_scope(weft::event e) { co_await weft::scope(inside, e); }

TEST_P(Inspect, ListsWhatEachTaskWaitsFor) {
  run([](weft::runtime* rt) -> task<> {
    auto [tx, rx] = weft::channel<int>();
    const weft::event e;
    auto a = weft::spawn(receives, rx);
    auto b = weft::spawn(chooses, rx, e);
    b.set_name("chooser");
    auto c = weft::spawn(opens_a_scope, e);
    c.set_name("outer");
    co_await settle(rt);
    co_await weft::sleep(2ms);

    const task_info receiver = named(*rt, "receiver");
    EXPECT_EQ(receiver.id, a.id());
    EXPECT_EQ(receiver.state, task_state::parked);
    EXPECT_STREQ(receiver.waiting, "receive");
    EXPECT_GE(receiver.since, 1ms);
    EXPECT_LT(receiver.worker, rt->workers());
    EXPECT_NE(receiver.function(), "?");
    EXPECT_NE(receiver.text().find("'receiver'"), std::string::npos) << receiver.text();
    EXPECT_STREQ(named(*rt, "chooser").waiting, "choice");
    EXPECT_NE(named(*rt, "chooser").id, receiver.id);
    EXPECT_STREQ(named(*rt, "inside a scope").waiting, "timer");
    EXPECT_EQ(named(*rt, "outer").state, task_state::parked);

    weft::set_task_name("me");
    EXPECT_EQ(named(*rt, "me").state, task_state::running);
    EXPECT_EQ(named(*rt, "me").id, weft::task_id());
    EXPECT_EQ(named(*rt, "me").waiting, nullptr);
    {
      const weft::sender<int> gone(std::move(tx));
    }
    e.set();
    co_await a;
    co_await b;
    co_await c;
  }(&rt));
}

TEST_P(Inspect, OutsideItsTasks) {
  if (GetParam() == 1) {
    EXPECT_THROW(rt.tasks(), std::logic_error);
  } else {
    const weft::event e;
    auto h = rt.spawn([](weft::event until) -> task<> { co_await until.wait(); }, e);
    h.set_name("outsider");
    while (named(rt, "outsider").state != task_state::parked) std::this_thread::yield();
    e.set();
    weft::perform_blocking(h);
  }
}

task<int> spins(int n) {
  for (int i = 0; i < n; ++i) co_await weft::yield();
  co_return n;
}
task<> looks_meanwhile(weft::runtime* rt, int n) {
  for (int round = 0; round < n; ++round) {
    std::vector<weft::join_handle<int>> some;
    for (int i = 0; i < 20; ++i) some.push_back(weft::spawn(spins, i));
    some.front().set_name("first");
    auto scope = weft::spawn(opens_a_scope, [] {
      weft::event e;
      e.set();
      return e;
    }());
    EXPECT_GE(rt->tasks().size(), 1U);
    co_await join(&some);
    co_await scope;
  }
}
TEST_P(Inspect, MayLookWhileTasksComeAndGo) { run(looks_meanwhile(&rt, scaled(200))); }

TEST(InspectGone, ARuntimeThatIsGoneHasNoTasks) {
  auto rt = std::make_unique<weft::runtime>();
  const weft::runtime_handle h = rt->handle();
  rt.reset();
  EXPECT_TRUE(h.tasks().empty());
}

/// What the watchdog has told.
struct told {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> names;

  void add(const task_info& t) {
    const std::lock_guard held(mutex);
    names.push_back(t.name);
    changed.notify_all();
  }
  void await(const std::string& name) {
    std::unique_lock held(mutex);
    changed.wait(held, [&] { return std::count(names.begin(), names.end(), name) > 0; });
  }
};

class Watchdog : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Workers, Watchdog, ::testing::Values(1U, 2U));

// The run in which it gets its name may be told of without it.
task<> blocks_until_told(told* t) {
  weft::set_task_name("blocker");
  co_await weft::yield();
  t->await("blocker");
}
TEST_P(Watchdog, NamesATaskThatBlocks) {
  told heard;
  weft::runtime_options o;
  o.workers = GetParam();
  o.watchdog = 5ms;
  o.on_blocked = [&heard](const task_info& t, std::chrono::nanoseconds busy) {
    EXPECT_GE(busy, 5ms);
    EXPECT_EQ(t.state, task_state::running);
    heard.add(t);
  };
  weft::runtime rt(o);
  rt.block_on(blocks_until_told(&heard));
}

TEST_P(Watchdog, IsSilentAboutTasksThatWait) {
  told heard;
  weft::runtime_options o;
  o.workers = GetParam();
  o.watchdog = 1h;
  o.on_blocked = [&heard](const task_info& t, std::chrono::nanoseconds) { heard.add(t); };
  weft::runtime rt(o);
  rt.block_on(settle(&rt));
  EXPECT_TRUE(heard.names.empty());
}

/// What has been written to stderr while it is captured.
std::string captured() {
  std::ifstream file("/proc/self/fd/2");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(WatchdogLine, GoesToStderr) {
  ::testing::internal::CaptureStderr();
  weft::runtime_options o;
  o.watchdog = 1ms;
  weft::runtime(o).block_on([]() -> task<> {
    weft::set_task_name("slow");
    co_await weft::yield();
    while (captured().find("'slow'") == std::string::npos) std::this_thread::sleep_for(1ms);
  }());
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("'slow'"), std::string::npos) << line;
}

}  // namespace
