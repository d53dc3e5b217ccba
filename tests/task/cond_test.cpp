// SPDX-License-Identifier: MIT
// cond: notifications, and the mutex that is taken back whatever happens.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;
using guard = weft::mutex::guard;

struct queue {
  weft::mutex m;
  weft::cond changed;
  std::deque<int> items;
  bool closed = false;
};

class Cond : public RuntimeTest {
 protected:
  queue q;
};

task<> waits(queue* q, std::atomic<int>* woken) {
  guard held = co_await q->m.lock();
  co_await q->changed.wait(held);
  EXPECT_TRUE(held);
  EXPECT_FALSE(q->m.try_lock());
  woken->fetch_add(1);
}
task<> notifies(queue* q) {
  EXPECT_FALSE(q->changed.notify_one());
  std::atomic<int> woken{0};
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 4; ++i) all.push_back(weft::spawn(waits, q, &woken));
  co_await settle();
  EXPECT_EQ(woken, 0);
  EXPECT_TRUE(q->changed.notify_one());
  co_await settle();
  EXPECT_EQ(woken, 1);
  q->changed.notify_all();
  co_await join(&all);
  EXPECT_EQ(woken, 4);
  EXPECT_FALSE(q->changed.notify_one());
}
TEST_P(Cond, WakesOneOrAll) {
  run(notifies(&q));
  EXPECT_TRUE(q.m.try_lock());
}

task<> holds_when_cancelled(queue* q, bool* held_it) {
  guard held = co_await q->m.lock();
  try {
    co_await q->changed.wait(held);
  } catch (const weft::cancelled&) {
    *held_it = held && !q->m.try_lock();
    throw;
  }
}
task<> cancels(queue* q) {
  bool held_it = false;
  auto h = weft::spawn(holds_when_cancelled, q, &held_it);
  co_await settle();
  guard mine = co_await q->m.lock();
  h.cancel();
  co_await settle();
  EXPECT_FALSE(h.is_finished()) << "it waits for the mutex, cancelled or not";
  mine.unlock();
  EXPECT_TRUE(co_await ends_cancelled(&h));
  EXPECT_TRUE(held_it);
  EXPECT_FALSE(q->changed.notify_one());
}
TEST_P(Cond, TakesTheMutexBackWhenCancelled) {
  run(cancels(&q));
  EXPECT_TRUE(q.m.try_lock());
}

task<> waits_cancelled(queue* q, bool* held_it) {
  guard held = *q->m.try_lock();
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
  }
  try {
    co_await q->changed.wait(held);
  } catch (const weft::cancelled&) {
    *held_it = static_cast<bool>(held);
    throw;
  }
}
task<> cancelled_before(queue* q) {
  bool held_it = false;
  auto h = weft::spawn(waits_cancelled, q, &held_it);
  co_await settle();
  h.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&h));
  EXPECT_TRUE(held_it);
}
TEST_P(Cond, ACancelledTaskKeepsTheMutex) {
  run(cancelled_before(&q));
  EXPECT_TRUE(q.m.try_lock());
}

task<> produce(queue* q, int n) {
  for (int i = 1; i <= n; ++i) {
    {
      const guard held = co_await q->m.lock();
      q->items.push_back(i);
    }
    q->changed.notify_one();
  }
}
task<> consume(queue* q, std::atomic<long>* sum) {
  guard held = co_await q->m.lock();
  for (;;) {
    while (q->items.empty() && !q->closed) co_await q->changed.wait(held);
    if (q->items.empty()) co_return;
    sum->fetch_add(q->items.front());
    q->items.pop_front();
  }
}
task<> close(queue* q) {
  const guard held = co_await q->m.lock();
  q->closed = true;
  q->changed.notify_all();
}
task<> queue_of_work(queue* q, int n, std::atomic<long>* sum) {
  std::vector<weft::join_handle<void>> producers, consumers;
  for (int i = 0; i < 3; ++i) {
    producers.push_back(weft::spawn(produce, q, n));
    consumers.push_back(weft::spawn(consume, q, sum));
  }
  co_await join(&producers);
  co_await close(q);
  co_await join(&consumers);
}
TEST_P(Cond, NoNotificationIsMissed) {
  const long n = scaled(3000);
  std::atomic<long> sum{0};
  std::thread consumer([this, &sum] {
    guard held = weft::perform_blocking(q.m.lock_op());
    for (;;) {
      while (q.items.empty() && !q.closed) q.changed.wait_blocking(held);
      if (q.items.empty()) return;
      sum += q.items.front();
      q.items.pop_front();
    }
  });
  run(queue_of_work(&q, static_cast<int>(n), &sum));
  consumer.join();
  EXPECT_EQ(sum, 3 * n * (n + 1) / 2);
}

// A waiter is notified and cancelled at once: whichever it was, the mutex is its own, then free.
task<> cancel_race(queue* q, int n, std::atomic<int>* woken) {
  for (int i = 0; i < n; ++i) {
    auto h = weft::spawn(waits, q, woken);
    if (i % 2) co_await weft::yield();
    const int before = *woken;
    q->changed.notify_one();
    h.cancel();
    EXPECT_NE(co_await ends_cancelled(&h), *woken == before + 1);
  }
}
TEST_P(Cond, CancelRacesNotification) {
  std::atomic<int> woken{0};
  run(cancel_race(&q, scaled(3000), &woken));
  EXPECT_TRUE(q.m.try_lock());
}

INSTANTIATE_TEST_SUITE_P(Workers, Cond, ::testing::Values(1U, 2U, 4U));

}  // namespace
