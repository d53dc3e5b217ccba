// SPDX-License-Identifier: MIT
// semaphore and rwlock: how many at once, in which order, waiters that leave.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

class Semaphore : public RuntimeTest {};
class RwLock : public RuntimeTest {};

TEST(SemaphorePermit, GivesBackOnceOrNever) {
  weft::semaphore s(3);
  {
    auto two = s.try_acquire(2);
    ASSERT_TRUE(two);
    EXPECT_EQ(two->size(), 2U);
    EXPECT_FALSE(s.try_acquire(2));
    EXPECT_EQ(s.available(), 1U);
    auto moved = std::move(*two);
    EXPECT_EQ(two->size(), 0U);
  }
  EXPECT_EQ(s.available(), 3U);
  s.try_acquire()->forget();
  EXPECT_EQ(s.available(), 2U);
  s.release();
  EXPECT_EQ(s.available(), 3U);
}

task<> take(weft::semaphore* s, std::size_t k, std::vector<std::size_t>* order) {
  auto held = co_await s->acquire(k);
  order->push_back(k);
}
task<> weighted(weft::semaphore* s, std::vector<std::size_t>* order) {
  auto held = co_await s->acquire(2);
  auto large = weft::spawn(take, s, 4, order);
  co_await settle();
  auto small = weft::spawn(take, s, 1, order);
  co_await settle();
  EXPECT_TRUE(order->empty());
  EXPECT_FALSE(s->try_acquire());
  held.release();
  co_await large;
  co_await small;
}
TEST_P(Semaphore, ASmallRequestDoesNotPassALargeOne) {
  weft::semaphore s(4);
  std::vector<std::size_t> order;
  run(weighted(&s, &order));
  EXPECT_EQ(order, (std::vector<std::size_t>{4, 1}));
  EXPECT_EQ(s.available(), 4U);
}

task<> large_one_leaves(weft::semaphore* s, std::vector<std::size_t>* order) {
  auto held = co_await s->acquire(2);
  auto large = weft::spawn(take, s, 4, order);
  co_await settle();
  auto small = weft::spawn(take, s, 1, order);
  co_await settle();
  large.cancel();
  co_await small;  // while the 2 are still held
  EXPECT_TRUE(co_await ends_cancelled(&large));
}
TEST_P(Semaphore, OnesBehindALargeOneThatLeavesGoOn) {
  weft::semaphore s(4);
  std::vector<std::size_t> order;
  run(large_one_leaves(&s, &order));
  EXPECT_EQ(order, std::vector<std::size_t>{1});
  EXPECT_EQ(s.available(), 4U);
}

task<> lost(weft::semaphore* s) {
  const auto r = co_await weft::choose(s->acquire_op(2), weft::sleep_op(1ms));
  EXPECT_EQ(r.index(), 1U);
  auto released = weft::spawn(
      [](weft::semaphore* it) -> task<> {
        co_await settle();
        it->release(2);
      },
      s);
  auto won = co_await weft::timeout(s->acquire_op(2), 1h);
  EXPECT_TRUE(won.has_value());
  co_await released;
}
TEST_P(Semaphore, ALostChoiceHoldsNothing) {
  weft::semaphore s(0);
  run(lost(&s));
  EXPECT_EQ(s.available(), 2U);
}

task<> uses(weft::semaphore* s, int n, std::size_t k, std::atomic<int>* inside) {
  for (int i = 0; i < n; ++i) {
    auto held = co_await weft::timeout(s->acquire_op(k), 100us);
    if (!held) continue;
    EXPECT_LE(inside->fetch_add(static_cast<int>(k)) + static_cast<int>(k), 5);
    co_await weft::yield();
    inside->fetch_sub(static_cast<int>(k));
  }
}
task<> many_use(weft::semaphore* s, int n, std::atomic<int>* inside) {
  std::vector<weft::join_handle<void>> all;
  for (std::size_t i = 0; i < 9; ++i) all.push_back(weft::spawn(uses, s, n, i % 3 + 1, inside));
  co_await join(&all);
}
TEST_P(Semaphore, NeverMoreThanThereAre) {
  weft::semaphore s(5);
  std::atomic<int> inside{0};
  std::thread other([&s, &inside] {
    for (int i = 0; i < scaled(1000); ++i) {
      const auto held = weft::perform_blocking(s.acquire_op(2));
      EXPECT_LE(inside.fetch_add(2) + 2, 5);
      inside.fetch_sub(2);
    }
  });
  run(many_use(&s, scaled(1000), &inside));
  other.join();
  EXPECT_EQ(s.available(), 5U);
}

INSTANTIATE_TEST_SUITE_P(Workers, Semaphore, ::testing::Values(1U, 2U, 4U));

// ---------------------------------------------------------------- rwlock

TEST(RwLockGuards, ReadersShareWritersDoNot) {
  weft::rwlock l;
  {
    auto a = l.try_read();
    auto b = l.try_read();
    EXPECT_TRUE(a && b);
    EXPECT_FALSE(l.try_write());
    a->unlock();
    EXPECT_FALSE(l.try_write());
  }
  auto w = l.try_write();
  EXPECT_TRUE(w);
  EXPECT_FALSE(l.try_read());
  EXPECT_FALSE(l.try_write());
  w->unlock();
  EXPECT_TRUE(l.try_read());
}

task<> writes(weft::rwlock* l, std::vector<char>* order) {
  const auto held = co_await l->write();
  order->push_back('w');
}
task<> reads(weft::rwlock* l, std::vector<char>* order) {
  const auto held = co_await l->read();
  order->push_back('r');
}
task<> writer_first(weft::rwlock* l, std::vector<char>* order) {
  auto reading = co_await l->read();
  auto w = weft::spawn(writes, l, order);
  co_await settle();
  auto r = weft::spawn(reads, l, order);
  co_await settle();
  EXPECT_TRUE(order->empty());
  EXPECT_FALSE(l->try_read());
  reading.unlock();
  co_await w;
  co_await r;
}
TEST_P(RwLock, AReaderWaitsBehindAWriter) {
  weft::rwlock l;
  std::vector<char> order;
  run(writer_first(&l, &order));
  EXPECT_EQ(order, (std::vector<char>{'w', 'r'}));
}

task<> writer_leaves(weft::rwlock* l, std::vector<char>* order) {
  const auto reading = co_await l->read();
  auto w = weft::spawn(writes, l, order);
  co_await settle();
  auto r = weft::spawn(reads, l, order);
  co_await settle();
  w.cancel();
  co_await r;
  EXPECT_TRUE(co_await ends_cancelled(&w));
  const auto lost = co_await weft::choose(l->write_op(), weft::sleep_op(1ms));
  EXPECT_EQ(lost.index(), 1U);
  EXPECT_TRUE(l->try_read());
}
TEST_P(RwLock, ReadersGoOnWhenTheWriterLeaves) {
  weft::rwlock l;
  std::vector<char> order;
  run(writer_leaves(&l, &order));
  EXPECT_EQ(order, std::vector<char>{'r'});
  EXPECT_TRUE(l.try_write());
}

struct pair_of {
  long a = 0, b = 0;
};
task<> read_and_write(weft::rwlock* l, pair_of* data, int n) {
  for (int i = 0; i < n; ++i) {
    if (i % 4 == 0) {
      const auto held = co_await l->write();
      ++data->a;
      co_await weft::yield();
      ++data->b;
    } else {
      const auto held = co_await l->read();
      EXPECT_EQ(data->a, data->b);
      co_await weft::yield();
      EXPECT_EQ(data->a, data->b);
    }
  }
}
task<> many_read_and_write(weft::rwlock* l, pair_of* data, int n) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 8; ++i) all.push_back(weft::spawn(read_and_write, l, data, n));
  co_await join(&all);
}
TEST_P(RwLock, ReadersSeeWholeWrites) {
  weft::rwlock l;
  pair_of data;
  const int n = 4 * scaled(1000);
  std::thread other([&l, &data, n] {
    for (int i = 0; i < n; ++i) {
      const auto held = weft::perform_blocking(l.read_op());
      EXPECT_EQ(data.a, data.b);
    }
  });
  run(many_read_and_write(&l, &data, n));
  other.join();
  EXPECT_EQ(data.a, 2L * n);
  EXPECT_TRUE(l.try_write());
}

INSTANTIATE_TEST_SUITE_P(Workers, RwLock, ::testing::Values(1U, 2U, 4U));

}  // namespace
