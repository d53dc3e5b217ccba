// SPDX-License-Identifier: MIT
// mutex: exclusion, order, guards, waiters that leave.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;
using guard = weft::mutex::guard;

class Mutex : public RuntimeTest {
 protected:
  weft::mutex m;
};

static_assert(!std::is_copy_constructible_v<guard> && std::is_nothrow_move_constructible_v<guard>);

TEST(MutexGuard, UnlocksOnceWhereverItWasMoved) {
  weft::mutex m;
  std::optional<guard> first = m.try_lock();
  ASSERT_TRUE(first);
  EXPECT_FALSE(m.try_lock());
  guard second(std::move(*first));
  EXPECT_FALSE(*first);
  first.reset();
  EXPECT_FALSE(m.try_lock());
  second.unlock();
  second.unlock();
  EXPECT_TRUE(m.try_lock());
}
TEST(MutexGuard, AssignmentUnlocksWhatItHeld) {
  weft::mutex a, b;
  guard held = *a.try_lock();
  held = *b.try_lock();
  EXPECT_TRUE(a.try_lock());
  EXPECT_FALSE(b.try_lock());
}

task<> append(weft::mutex* m, std::vector<int>* into, int value) {
  const guard held = co_await m->lock();
  into->push_back(value);
}
task<> in_turn(weft::mutex* m, std::vector<int>* seen) {
  guard held = co_await m->lock();
  std::vector<weft::join_handle<void>> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(weft::spawn(append, m, seen, i));
    co_await settle();
  }
  EXPECT_TRUE(seen->empty());
  held.unlock();
  co_await join(&waiting);
}
TEST_P(Mutex, FirstComeFirstServed) {
  std::vector<int> seen;
  run(in_turn(&m, &seen));
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3}));
}

task<> cancelled_in_the_middle(weft::mutex* m, std::vector<int>* seen) {
  guard held = co_await m->lock();
  auto leaves = weft::spawn(append, m, seen, 1);
  co_await settle();
  auto stays = weft::spawn(append, m, seen, 2);
  co_await settle();
  leaves.cancel();
  held.unlock();
  EXPECT_TRUE(co_await ends_cancelled(&leaves));
  co_await stays;
}
TEST_P(Mutex, ACancelledWaiterIsPassedOver) {
  std::vector<int> seen;
  run(cancelled_in_the_middle(&m, &seen));
  EXPECT_EQ(seen, std::vector<int>{2});
  EXPECT_TRUE(m.try_lock());
}

task<> cancelled_before(weft::mutex* m) {
  guard held = co_await m->lock();
  auto h = weft::spawn(append, m, nullptr, 0);
  h.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&h));
}
TEST_P(Mutex, ACancelledTaskGetsNoLock) {
  run(cancelled_before(&m));
  EXPECT_TRUE(m.try_lock());
}

task<> lost(weft::mutex* m) {
  guard held = co_await m->lock();
  const auto late = co_await weft::choose(m->lock_op(), weft::sleep_op(1ms));
  EXPECT_EQ(late.index(), 1U);
  held.unlock();
  auto won = co_await weft::timeout(m->lock_op(), 1h);
  EXPECT_TRUE(won.has_value() && *won);
  EXPECT_FALSE(m->try_lock());
}
TEST_P(Mutex, ALostChoiceHoldsNothing) {
  run(lost(&m));
  EXPECT_TRUE(m.try_lock());
}

task<> two_at_once(weft::mutex* a, weft::mutex* b) {
  guard held_a = co_await a->lock();
  guard held_b = co_await b->lock();
  auto unlock = [](guard g) -> task<> {
    co_await settle();
    g.unlock();
  };
  auto h = weft::spawn(unlock, std::move(held_b));
  auto either = co_await weft::choose(a->lock_op(), b->lock_op());
  EXPECT_EQ(either.index(), 1U);
  co_await h;
}
TEST_P(Mutex, AChoiceOfTwo) {
  weft::mutex b;
  run(two_at_once(&m, &b));
  EXPECT_TRUE(m.try_lock());
  EXPECT_TRUE(b.try_lock());
}

task<> increments(weft::mutex* m, long* count, int n) {
  for (int i = 0; i < n; ++i) {
    const guard held = co_await m->lock();
    const long before = *count;
    if (i % 16 == 0) co_await weft::yield();
    *count = before + 1;
  }
}
task<> many_increments(weft::mutex* m, long* count, int n) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 8; ++i) all.push_back(weft::spawn(increments, m, count, n));
  co_await join(&all);
}
TEST_P(Mutex, TasksAndThreadsExcludeEachOther) {
  const int n = scaled(4000);
  long count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([this, &count, n] {
      for (int i = 0; i < n; ++i) {
        const guard held = weft::perform_blocking(m.lock_op());
        ++count;
      }
    });
  run(many_increments(&m, &count, n));
  for (auto& t : threads) t.join();
  EXPECT_EQ(count, 10L * n);
}

// Waiters give up at the very moment at which the lock is handed to them: it is never lost.
task<> impatient(weft::mutex* m, int n, std::atomic<int>* inside, std::atomic<long>* locked) {
  for (int i = 0; i < n; ++i) {
    auto r = co_await weft::timeout(m->lock_op(), 20us);
    if (!r) continue;
    EXPECT_EQ(inside->fetch_add(1), 0);
    co_await weft::sleep(10us);
    inside->fetch_sub(1);
    locked->fetch_add(1);
  }
}
task<> many_impatient(weft::mutex* m, int n, std::atomic<int>* inside, std::atomic<long>* locked) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 6; ++i) all.push_back(weft::spawn(impatient, m, n, inside, locked));
  co_await join(&all);
}
TEST_P(Mutex, HandedOverAndGivenUpAtOnce) {
  std::atomic<int> inside{0};
  std::atomic<long> locked{0};
  run(many_impatient(&m, scaled(1000), &inside, &locked));
  EXPECT_GT(locked, 0);
  EXPECT_TRUE(m.try_lock());
}

task<> cancel_race(weft::mutex* m, int n) {
  for (int i = 0; i < n; ++i) {
    guard held = co_await m->lock();
    std::vector<int> seen;
    auto h = weft::spawn(append, m, &seen, i);
    co_await weft::yield();
    held.unlock();
    h.cancel();
    EXPECT_EQ(co_await ends_cancelled(&h), seen.empty());
  }
}
TEST_P(Mutex, CancelRacesTheHandOver) {
  run(cancel_race(&m, scaled(3000)));
  EXPECT_TRUE(m.try_lock());
}

INSTANTIATE_TEST_SUITE_P(Workers, Mutex, ::testing::Values(1U, 2U, 4U));

}  // namespace
