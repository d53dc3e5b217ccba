// SPDX-License-Identifier: MIT
// What a task holds, and for how long: its arguments until it ends, its result until the handle
// goes.
#include "task/support.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using weft::task;

class Lifetime : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Lifetime, ::testing::Values(1U, 2U, 4U));

task<int> sends(weft::sender<int> tx) {
  EXPECT_TRUE(co_await tx.send(1));
  co_return 7;
}
task<> senders_go_with_their_tasks() {
  auto [tx, rx] = weft::channel<int>(4);
  weft::join_handle<int> kept = weft::spawn(sends, std::move(tx));
  EXPECT_EQ(co_await rx.recv(), 1);
  EXPECT_EQ(co_await rx.recv(), std::nullopt);
  EXPECT_EQ(co_await kept, 7);
}
TEST_P(Lifetime, ArgumentsGoWhenTheTaskEnds) { run(senders_go_with_their_tasks()); }

task<> throws(weft::sender<int>) {
  co_await weft::yield();
  throw std::runtime_error("no");
}
task<> failures_too() {
  auto [tx, rx] = weft::channel<int>();
  auto kept = weft::spawn(throws, std::move(tx));
  EXPECT_EQ(co_await rx.recv(), std::nullopt);
  EXPECT_THROW(co_await kept, std::runtime_error);
}
TEST_P(Lifetime, AlsoOfOneThatFails) { run(failures_too()); }

task<> loses() {
  throw std::runtime_error("lost");
  co_return;
}
task<> loses_an_int() {
  throw 1;
  co_return;
}
task<> joins(weft::join_handle<void>* h) { EXPECT_THROW(co_await *h, std::runtime_error); }

TEST_P(Lifetime, TheEndOfARuntimeTellsOfAFailureThatNobodyJoined) {
  const auto told = [](task<> (*f)(), bool join) {
    ::testing::internal::CaptureStderr();
    {
      weft::runtime ends(options());
      auto handle = ends.spawn(f);
      if (join) ends.block_on(joins(&handle));
    }
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(told(loses, false), "weft: a task that nobody joined has failed: lost\n");
  EXPECT_EQ(told(loses_an_int, false),
            "weft: a task that nobody joined has failed: an exception that is no std::exception\n");
  EXPECT_EQ(told(loses, true), "");
}

task<> lose_one(weft::runtime* rt) {
  const weft::event go;
  auto other = rt->spawn([](weft::event e) -> task<> { co_await e.wait(); }, go);
  auto lost = rt->spawn(loses);
  while (!lost.is_finished()) co_await weft::sleep(1ms);
  {
    const auto dropped = std::move(lost);
  }
  rt->spawn(loses()).detach();
  co_await settle();
  EXPECT_FALSE(other.is_finished());
  auto later = rt->spawn([]() -> task<int> { co_return 7; });
  EXPECT_EQ(co_await std::move(later), 7);
  go.set();
  co_await std::move(other);
}
TEST_P(Lifetime, WhatIsSpawnedOutsideStandsAlone) {
  ::testing::internal::CaptureStderr();
  run(lose_one(&rt));
  const std::string line = "weft: a task that nobody joined has failed: lost\n";
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), line + line);
}

task<> fails_when_cancelled() {
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
    throw std::runtime_error("on the way down");
  }
}
task<> two_failures() {
  weft::spawn(fails_when_cancelled).detach();
  co_await weft::sleep(1ms);
  weft::spawn(loses).detach();
}
TEST_P(Lifetime, TheSecondFailureOfAScopeIsTold) {
  ::testing::internal::CaptureStderr();
  EXPECT_THROW(run(two_failures()), std::runtime_error);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "weft: a task that nobody joined has failed: on the way down\n");
}

TEST_P(Lifetime, AClosureAndItsArgumentsStayWhileItRuns) {
  run([]() -> task<> {
    auto [tx, rx] = weft::channel<int>();
    auto kept = weft::spawn(
        [held = std::move(tx)](const std::string& text) -> task<std::size_t> {
          co_await weft::yield();
          co_return text.size();
        },
        std::string(100, 'x'));
    EXPECT_EQ(co_await rx.recv(), std::nullopt);
    EXPECT_EQ(co_await kept, 100U);
  }());
}

/// Counts its copies that are alive.
struct counted {
  explicit counted(weft::core::atomic<int>* n) noexcept : alive(n) { ++*alive; }
  counted(const counted& other) noexcept : alive(other.alive) { ++*alive; }
  counted& operator=(const counted&) = delete;
  ~counted() { --*alive; }
  weft::core::atomic<int>* alive;
};
task<counted> passes_on(counted c) { co_return c; }
task<> result_stays(weft::core::atomic<int>* alive) {
  {
    auto kept = weft::spawn(passes_on, counted(alive));
    while (!kept.is_finished()) co_await weft::yield();
    EXPECT_EQ(*alive, 1) << "the result alone";
    EXPECT_EQ((co_await kept).alive, alive);
  }
  EXPECT_EQ(*alive, 0);
  weft::spawn(passes_on, counted(alive)).detach();
}
TEST_P(Lifetime, TheResultStaysWithTheHandle) {
  weft::core::atomic<int> alive{0};
  run(result_stays(&alive));
  EXPECT_EQ(alive, 0);
}

task<> never_begun(weft::core::atomic<int>* alive) {
  {
    const auto dropped = passes_on(counted(alive));
  }
  EXPECT_EQ(*alive, 0);
  co_return;
}
TEST_P(Lifetime, OneThatNeverBeginsLetsGoToo) {
  weft::core::atomic<int> alive{0};
  run(never_begun(&alive));
}

/// Spawns in its destructor.
struct last_wish {
  explicit last_wish(weft::event e) noexcept : event(std::move(e)) {}
  last_wish(last_wish&& other) noexcept : event(std::move(other.event)) { other.is_mine = false; }
  last_wish& operator=(last_wish&&) = delete;
  ~last_wish() {
    if (is_mine) weft::spawn(set, event).detach();
  }
  static task<> set(weft::event e) {
    co_await weft::yield();
    e.set();
  }
  weft::event event;
  bool is_mine = true;
};
task<> holds(last_wish) { co_await weft::yield(); }
task<> a_destructor_spawns() {
  const weft::event done;
  weft::spawn(holds, last_wish(done)).detach();
  co_await done.wait();
}
TEST_P(Lifetime, AnArgumentMaySpawnInItsDestructor) { run(a_destructor_spawns()); }

// What the call makes of an argument, for a parameter that refers to it, lives as long as the task.
const char* const a_long_text = "too long for the object itself, so that it lies elsewhere";
task<> reads(const std::string& text, std::string_view view, int n) {
  co_await weft::yield();
  EXPECT_EQ(text, a_long_text);
  EXPECT_EQ(view, a_long_text);
  EXPECT_EQ(n, 1);
}
struct reader {
  task<bool> has(const std::string& other) const {
    co_await weft::yield();
    co_return text == other;
  }
  std::string text = a_long_text;
};
task<> converts(weft::runtime* rt) {
  co_await weft::spawn(reads, a_long_text, std::string(a_long_text), short(1));
  co_await rt->spawn(reads, a_long_text, std::string(a_long_text), 1);
  co_await weft::scope(reads, a_long_text, std::string(a_long_text), 1);
  auto in_a_group = [](weft::task_group& g, const std::string& text, std::string_view v) -> task<> {
    co_await weft::yield();
    EXPECT_EQ(text, v);
    co_await g.spawn(reads, a_long_text, std::string(v), 1);
  };
  co_await weft::scope(in_a_group, a_long_text, std::string(a_long_text));
  weft::once o;
  EXPECT_TRUE(co_await o.call(reads, a_long_text, std::string(a_long_text), 1));
  auto views = [](std::string_view v) -> task<bool> {
    co_await weft::yield();
    co_return v == a_long_text;
  };
  EXPECT_TRUE(co_await weft::spawn(views, std::string(a_long_text)));
  reader r;
  EXPECT_TRUE(co_await weft::spawn(&reader::has, r, a_long_text));
  EXPECT_TRUE(co_await weft::spawn(&reader::has, &r, a_long_text));
  EXPECT_TRUE(co_await weft::spawn(&reader::has, std::ref(r), a_long_text));
  EXPECT_TRUE(co_await weft::spawn(&reader::has, std::make_unique<reader>(), a_long_text));
  EXPECT_TRUE(co_await weft::scope(&reader::has, r, a_long_text));
}
TEST_P(Lifetime, ConvertedArgumentsStayWhileItRuns) { run(converts(&rt)); }

}  // namespace
