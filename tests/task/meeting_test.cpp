// SPDX-License-Identifier: MIT
// latch, barrier, once: tasks that wait for each other.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

class Latch : public RuntimeTest {};
class Barrier : public RuntimeTest {};
class Once : public RuntimeTest {};

TEST(LatchCount, StaysAtZero) {
  weft::latch l(3);
  l.count_down(2);
  EXPECT_FALSE(l.try_wait());
  l.count_down(5);
  EXPECT_TRUE(l.try_wait());
  l.count_down();
  EXPECT_TRUE(l.try_wait());
  EXPECT_TRUE(weft::latch(0).try_wait());
}

task<> waits(weft::latch* l, std::atomic<int>* through) {
  co_await l->wait();
  through->fetch_add(1);
}
task<> opens(std::atomic<int>* through) {
  weft::latch l(2);
  auto a = weft::spawn(waits, &l, through);
  auto b = weft::spawn(waits, &l, through);
  auto leaves = weft::spawn(waits, &l, through);
  co_await settle();
  leaves.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&leaves));
  const auto lost = co_await weft::choose(l.wait_op(), weft::sleep_op(1ms));
  EXPECT_EQ(lost.index(), 1U);
  l.count_down();
  co_await settle();
  EXPECT_EQ(*through, 0);
  l.count_down();
  co_await a;
  co_await b;
  co_await l.wait();
}
TEST_P(Latch, OpensAtZero) {
  std::atomic<int> through{0};
  run(opens(&through));
  EXPECT_EQ(through, 2);
}

// Whoever waits destroys it at once.
task<> counts_down(weft::latch* l) {
  l->count_down();
  co_return;
}
task<> short_lived(int n) {
  for (int i = 0; i < n; ++i) {
    auto l = std::make_unique<weft::latch>(3);
    for (int k = 0; k < 3; ++k) weft::spawn(counts_down, l.get()).detach();
    co_await l->wait();
  }
}
TEST_P(Latch, IsDestroyedByTheFirstThrough) { run(short_lived(scaled(5000))); }

TEST_P(Latch, ThreadsWait) {
  weft::latch l(2);
  std::thread t([&l] {
    l.count_down();
    weft::perform_blocking(l.wait_op());
  });
  run(counts_down(&l));
  t.join();
  EXPECT_TRUE(l.try_wait());
}

INSTANTIATE_TEST_SUITE_P(Workers, Latch, ::testing::Values(1U, 2U, 4U));

// ---------------------------------------------------------------- barrier

TEST(BarrierOf, NobodyThrows) { EXPECT_THROW(weft::barrier(0), std::invalid_argument); }

task<> alone() {
  weft::barrier b(1);
  for (int i = 0; i < 3; ++i) co_await b.arrive_and_wait();
}
TEST_P(Barrier, OfOneNeverWaits) { run(alone()); }

task<> rounds(weft::barrier* b, int n, std::vector<std::atomic<int>>* arrived, int parties) {
  for (int i = 0; i < n; ++i) {
    (*arrived)[static_cast<std::size_t>(i)].fetch_add(1);
    co_await b->arrive_and_wait();
    EXPECT_EQ((*arrived)[static_cast<std::size_t>(i)], parties);
  }
}
task<> many_rounds(weft::barrier* b, int n, std::vector<std::atomic<int>>* arrived, int parties) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i + 1 < parties; ++i) all.push_back(weft::spawn(rounds, b, n, arrived, parties));
  co_await join(&all);
}
TEST_P(Barrier, NobodyPassesBeforeAllHaveArrived) {
  const int n = scaled(3000), parties = 5;
  weft::barrier b(parties);
  std::vector<std::atomic<int>> arrived(static_cast<std::size_t>(n));
  std::thread t([&] {
    for (auto& a : arrived) {
      a.fetch_add(1);
      weft::perform_blocking(b.arrive_and_wait_op());
      EXPECT_EQ(a, parties);
    }
  });
  run(many_rounds(&b, n, &arrived, parties));
  t.join();
}

task<> arrives(weft::barrier* b) { co_await b->arrive_and_wait(); }
task<> withdraws(weft::barrier* b) {
  auto leaves = weft::spawn(arrives, b);
  co_await settle();
  leaves.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&leaves));
  const auto lost = co_await weft::choose(b->arrive_and_wait(), weft::sleep_op(1ms));
  EXPECT_EQ(lost.index(), 1U);
  // Twice in one choice is one arrival.
  const auto twice =
      co_await weft::choose(b->arrive_and_wait(), b->arrive_and_wait(), weft::sleep_op(1ms));
  EXPECT_EQ(twice.index(), 2U);
  auto stays = weft::spawn(arrives, b);
  co_await settle();
  EXPECT_FALSE(stays.is_finished());
  co_await b->arrive_and_wait();
  co_await stays;
}
TEST_P(Barrier, WhoLeavesHasNotArrived) {
  weft::barrier b(2);
  run(withdraws(&b));
}

task<> both_twice(weft::barrier* b, int n) {
  for (int i = 0; i < n; ++i)
    static_cast<void>(co_await weft::choose(b->arrive_and_wait(), b->arrive_and_wait()));
}
task<> pair_twice(weft::barrier* b, int n) {
  auto h = weft::spawn(both_twice, b, n);
  co_await both_twice(b, n);
  co_await h;
}
TEST_P(Barrier, AChoiceThatNamesItTwice) {
  weft::barrier b(2);
  run(pair_twice(&b, scaled(2000)));
}

// Parties that give up at the very moment at which the last arrives: whoever goes on goes on with
// two others, so the number of passes is a multiple of three. They go on until some have passed.
task<> impatient(weft::barrier* b, weft::barrier* other, int n, std::atomic<long>* passed,
                 std::atomic<long>* others) {
  for (int i = 0; i < n || *passed + *others == 0; ++i) {
    auto r =
        co_await weft::choose(b->arrive_and_wait(), other->arrive_and_wait(), weft::sleep_op(30us));
    if (r.index() == 0) passed->fetch_add(1);
    if (r.index() == 1) others->fetch_add(1);
  }
}
task<> many_impatient(weft::barrier* a, weft::barrier* b, int n, std::atomic<long>* passed,
                      std::atomic<long>* others) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 8; ++i)
    all.push_back(i % 2 ? weft::spawn(impatient, a, b, n, passed, others)
                        : weft::spawn(impatient, b, a, n, others, passed));
  co_await join(&all);
}
TEST_P(Barrier, ArrivedAndGivenUpAtOnce) {
  weft::barrier a(3), b(2);
  std::atomic<long> passed{0}, others{0};
  run(many_impatient(&a, &b, scaled(2000), &passed, &others));
  EXPECT_EQ(passed % 3, 0);
  EXPECT_EQ(others % 2, 0);
}

INSTANTIATE_TEST_SUITE_P(Workers, Barrier, ::testing::Values(1U, 2U, 4U));

// ---------------------------------------------------------------- once

task<> initialise(std::atomic<int>* runs, int failures) {
  const int run = runs->fetch_add(1);
  co_await weft::sleep(1ms);
  if (run < failures) throw std::runtime_error("not yet");
}
task<> calls(weft::once* o, std::atomic<int>* runs, int failures, std::atomic<int>* ran,
             std::atomic<int>* failed) {
  try {
    if (co_await o->call(initialise, runs, failures)) ran->fetch_add(1);
    EXPECT_TRUE(o->is_done());
  } catch (const std::runtime_error&) {
    failed->fetch_add(1);
  }
}
task<> many_call(weft::once* o, std::atomic<int>* runs, int failures, std::atomic<int>* ran,
                 std::atomic<int>* failed) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 6; ++i) all.push_back(weft::spawn(calls, o, runs, failures, ran, failed));
  co_await join(&all);
}
TEST_P(Once, OneRunsTheOthersWait) {
  weft::once o;
  std::atomic<int> runs{0}, ran{0}, failed{0};
  run(many_call(&o, &runs, 0, &ran, &failed));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(failed, 0);
}
TEST_P(Once, AFailureLetsTheNextTry) {
  weft::once o;
  std::atomic<int> runs{0}, ran{0}, failed{0};
  run(many_call(&o, &runs, 2, &ran, &failed));
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(failed, 2);
}

task<> cancels_runner(weft::once* o) {
  std::atomic<int> runs{0}, ran{0}, failed{0};
  auto never = []() -> task<> { co_await weft::sleep(1h); };
  auto runner =
      weft::spawn([](weft::once* it, auto f) -> task<> { co_await it->call(f); }, o, never);
  co_await settle();
  auto waiter =
      weft::spawn([](weft::once* it, auto f) -> task<> { co_await it->call(f); }, o, never);
  auto next = weft::spawn(calls, o, &runs, 0, &ran, &failed);
  co_await settle();
  waiter.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&waiter));
  EXPECT_FALSE(o->is_done());
  runner.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&runner));
  co_await next;
  EXPECT_EQ(ran, 1);
}
TEST_P(Once, ACancelledRunnerLetsTheNextTry) {
  weft::once o;
  run(cancels_runner(&o));
  EXPECT_TRUE(o.is_done());
}

INSTANTIATE_TEST_SUITE_P(Workers, Once, ::testing::Values(1U, 2U, 4U));

}  // namespace
