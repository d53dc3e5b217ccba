// SPDX-License-Identifier: MIT
// oneshot, broadcast, watch: who gets which values, and what they get when the other side leaves.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

class Oneshot : public RuntimeTest {};
class Broadcast : public RuntimeTest {};
class Watch : public RuntimeTest {};

TEST(OneshotEnds, NeverWait) {
  auto [tx, rx] = weft::oneshot<std::unique_ptr<int>>();
  EXPECT_FALSE(rx.try_recv());
  EXPECT_FALSE(tx.closed());
  EXPECT_TRUE(tx.send(std::make_unique<int>(7)));
  EXPECT_FALSE(tx.send(std::make_unique<int>(8)));
  const auto got = rx.try_recv();
  ASSERT_TRUE(got);
  EXPECT_EQ(**got, 7);
  EXPECT_FALSE(rx.try_recv());
}
TEST(OneshotEnds, ASendToNobodyIsRefused) {
  auto ends = weft::oneshot<std::unique_ptr<int>>();
  {
    const auto gone = std::move(ends.second);
  }
  EXPECT_TRUE(ends.first.closed());
  EXPECT_FALSE(ends.first.send(std::make_unique<int>(1)));
}
TEST(OneshotEnds, WhatNobodyReceivesIsDestroyed) {
  auto watched = std::make_shared<int>(1);
  {
    auto [tx, rx] = weft::oneshot<std::shared_ptr<int>>();
    EXPECT_TRUE(tx.send(watched));
  }
  EXPECT_EQ(watched.use_count(), 1);
}

task<> sends(weft::oneshot_sender<int> tx, int v) {
  co_await settle();
  EXPECT_TRUE(tx.send(v));
}
task<> sends_when_told(weft::oneshot_sender<int> tx, int v, weft::event told) {
  co_await told.wait();
  EXPECT_TRUE(tx.send(v));
}
task<> leaves(weft::oneshot_sender<int>) { co_await settle(); }
task<std::optional<int>> receives(weft::oneshot_receiver<int> rx) { co_return co_await rx.recv(); }
task<> one_value() {
  auto [tx, rx] = weft::oneshot<int>();
  const weft::event told;
  auto sender = weft::spawn(sends_when_told, std::move(tx), 5, told);
  const auto late = co_await weft::choose(rx.recv_op(), weft::sleep_op(500us));
  EXPECT_EQ(late.index(), 1U);
  told.set();
  EXPECT_EQ(co_await rx.recv(), 5);
  EXPECT_EQ(co_await rx.recv(), std::nullopt);
  co_await sender;
}
TEST_P(Oneshot, PassesOneValue) { run(one_value()); }

task<> no_value() {
  auto [tx, rx] = weft::oneshot<int>();
  weft::spawn(leaves, std::move(tx)).detach();  // a handle would keep the arguments
  EXPECT_EQ(co_await rx.recv(), std::nullopt);
}
TEST_P(Oneshot, ASenderThatLeavesEndsTheWait) { run(no_value()); }

task<> cancelled_receiver() {
  auto [tx, rx] = weft::oneshot<int>();
  {
    auto h = weft::spawn(receives, std::move(rx));
    co_await settle();
    h.cancel();
    EXPECT_TRUE(co_await ends_cancelled(&h));
  }
  EXPECT_FALSE(tx.send(1));
}
TEST_P(Oneshot, ACancelledReceiverRefuses) { run(cancelled_receiver()); }

task<> ping(int n) {
  for (int i = 0; i < n; ++i) {
    auto [tx, rx] = weft::oneshot<int>();
    auto h = weft::spawn(
        [](weft::oneshot_sender<int> s, int v) -> task<> {
          EXPECT_TRUE(s.send(v));
          co_return;
        },
        std::move(tx), i);
    EXPECT_EQ(co_await rx.recv(), i);
    co_await h;
  }
}
TEST_P(Oneshot, SendRacesReceive) { run(ping(scaled(5000))); }

TEST_P(Oneshot, ThreadsReceive) {
  auto ends = weft::oneshot<int>();
  std::thread t([rx = std::move(ends.second)] { EXPECT_EQ(weft::perform_blocking(rx.recv()), 9); });
  run(sends(std::move(ends.first), 9));
  t.join();
}

INSTANTIATE_TEST_SUITE_P(Workers, Oneshot, ::testing::Values(1U, 2U, 4U));

// ---------------------------------------------------------------- broadcast

TEST(BroadcastReader, EachGetsEveryValueFromItsSubscriptionOn) {
  weft::broadcast<int> b(4);
  EXPECT_EQ(b.send(1), 0U);
  auto first = b.subscribe();
  EXPECT_EQ(b.send(2), 1U);
  auto second = b.subscribe();
  EXPECT_EQ(b.send(3), 2U);
  EXPECT_EQ(first.try_recv()->value(), 2);
  EXPECT_EQ(first.try_recv()->value(), 3);
  EXPECT_FALSE(first.try_recv());
  EXPECT_EQ(**second.try_recv(), 3);
  {
    const auto gone = std::move(first);
  }
  EXPECT_EQ(b.send(4), 1U);
}
TEST(BroadcastReader, ASlowOneIsToldWhatItMissed) {
  weft::broadcast<int> b(2);
  auto r = b.subscribe();
  for (int i = 0; i < 7; ++i) EXPECT_EQ(b.send(i), 1U);
  const auto late = r.try_recv();
  ASSERT_TRUE(late);
  EXPECT_FALSE(*late);
  EXPECT_FALSE(late->closed());
  EXPECT_EQ(late->lagged(), 5U);
  EXPECT_EQ(r.try_recv()->value(), 5);
  EXPECT_EQ(r.try_recv()->value(), 6);
  EXPECT_FALSE(r.try_recv());
}
TEST(BroadcastReader, DrainsThenIsClosed) {
  std::optional<weft::broadcast<int>> b(std::in_place, 2);
  auto r = b->subscribe();
  std::optional copy(*b);
  EXPECT_EQ(b->send(1), 1U);
  b.reset();
  EXPECT_EQ(copy->send(2), 1U);
  copy.reset();
  EXPECT_EQ(r.try_recv()->value(), 1);
  EXPECT_EQ(r.try_recv()->value(), 2);
  const auto end = r.try_recv();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->closed());
  EXPECT_EQ(end->lagged(), 0U);
}
TEST(BroadcastReader, ClosedIsForEverybody) {
  weft::broadcast<int> b(2);
  auto r = b.subscribe();
  EXPECT_TRUE(b.close());
  EXPECT_FALSE(b.close());
  EXPECT_EQ(b.send(1), 0U);
  EXPECT_TRUE(r.try_recv()->closed());
}
TEST(BroadcastReader, CapacityZeroThrows) {
  EXPECT_THROW(weft::broadcast<int>(0), std::invalid_argument);
}

task<> follow(weft::broadcast_reader<int> r, int n, std::atomic<long>* got,
              std::atomic<long>* lost) {
  int last = -1;
  for (;;) {
    auto v = co_await r.recv();
    if (v.closed()) break;
    if (v.lagged()) {
      lost->fetch_add(static_cast<long>(v.lagged()));
      continue;
    }
    EXPECT_GT(*v, last);
    last = *v;
    got->fetch_add(1);
  }
  EXPECT_EQ(last, n - 1);
}
task<> send_all(weft::broadcast<int> b, int n) {
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(b.send(i), 5U);
    if (i % 8 == 0) co_await weft::yield();
  }
}
task<> to_all(weft::broadcast<int> b, int n, std::atomic<long>* got, std::atomic<long>* lost) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 4; ++i) all.push_back(weft::spawn(follow, b.subscribe(), n, got, lost));
  co_await send_all(std::move(b), n);
  co_await join(&all);
}
TEST_P(Broadcast, NothingIsLostUncounted) {
  const int n = scaled(20000);
  std::atomic<long> got{0}, lost{0};
  weft::broadcast<int> b(16);
  std::thread t([r = b.subscribe(), &got, &lost]() mutable {
    for (;;) {
      auto v = weft::perform_blocking(r.recv_op());
      if (v.closed()) return;
      v ? got += 1 : lost += static_cast<long>(v.lagged());
    }
  });
  run(to_all(std::move(b), n, &got, &lost));
  t.join();
  EXPECT_EQ(got + lost, 5L * n);
}

task<> one_reader(weft::broadcast_reader<std::shared_ptr<int>> r) {
  static_cast<void>(co_await r.recv());
}
task<> lost_and_cancelled(std::shared_ptr<int> value) {
  weft::broadcast<std::shared_ptr<int>> b(1);
  auto r = b.subscribe();
  const auto lost = co_await weft::choose(r.recv_op(), weft::sleep_op(1ms));
  EXPECT_EQ(lost.index(), 1U);
  {
    auto h = weft::spawn(one_reader, b.subscribe());
    co_await settle();
    h.cancel();
    EXPECT_TRUE(co_await ends_cancelled(&h));
  }
  EXPECT_EQ(b.send(value), 1U);
  auto got = co_await r.recv();
  EXPECT_EQ(got.value(), value);
}
TEST_P(Broadcast, AReaderThatLostAChoiceMissesNothing) {
  auto value = std::make_shared<int>(3);
  run(lost_and_cancelled(value));
  EXPECT_EQ(value.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Workers, Broadcast, ::testing::Values(1U, 2U, 4U));

// ---------------------------------------------------------------- watch

TEST(WatchReader, SeesTheNewestOnce) {
  weft::watch<int> w(1);
  auto r = w.subscribe();
  EXPECT_EQ(r.get(), 1);
  EXPECT_FALSE(r.changed_op().try_perform());
  w.set(2);
  w.set(3);
  EXPECT_EQ(w.get(), 3);
  EXPECT_EQ(r.changed_op().try_perform()->value(), 3);
  EXPECT_FALSE(r.changed_op().try_perform());
  w.set(4);
  EXPECT_EQ(r.get(), 4);
  EXPECT_FALSE(r.changed_op().try_perform()) << "get() has seen it";
}
TEST(WatchReader, GetsTheLastValueOfOneThatIsGone) {
  std::optional<weft::watch<int>> w(std::in_place, 1);
  auto r = w->subscribe();
  w->set(2);
  w.reset();
  EXPECT_EQ(r.changed_op().try_perform()->value(), 2);
  const auto end = r.changed_op().try_perform();
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, std::nullopt);
  EXPECT_EQ(r.get(), 2);
}

task<> watches(weft::watch_reader<int> r, int n) {
  int last = 0;
  while (auto v = co_await r.changed()) {
    EXPECT_GT(*v, last);
    last = *v;
  }
  EXPECT_EQ(last, n);
}
task<> set_all(weft::watch<int> w, int n) {
  for (int i = 1; i <= n; ++i) {
    w.set(i);
    if (i % 4 == 0) co_await weft::yield();
  }
}
task<> followed(weft::watch<int> w, int n) {
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 4; ++i) all.push_back(weft::spawn(watches, w.subscribe(), n));
  co_await set_all(std::move(w), n);
  co_await join(&all);
}
TEST_P(Watch, EverybodySeesTheLastValue) {
  const int n = scaled(20000);
  weft::watch<int> w(0);
  std::thread t([r = w.subscribe(), n]() mutable {
    int last = 0;
    while (const auto v = weft::perform_blocking(r.changed_op())) last = *v;
    EXPECT_EQ(last, n);
  });
  run(followed(std::move(w), n));
  t.join();
}

task<> one_change(weft::watch_reader<int> r) { static_cast<void>(co_await r.changed()); }
task<> lost_change() {
  weft::watch<int> w(0);
  auto r = w.subscribe();
  const auto lost = co_await weft::choose(r.changed_op(), weft::sleep_op(1ms));
  EXPECT_EQ(lost.index(), 1U);
  auto h = weft::spawn(one_change, w.subscribe());
  co_await settle();
  h.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&h));
  w.set(1);
  EXPECT_EQ(co_await r.changed(), 1);
  EXPECT_TRUE(w.close());
  EXPECT_EQ(co_await r.changed(), std::nullopt);
}
TEST_P(Watch, AReaderThatLostAChoiceMissesNothing) { run(lost_change()); }

INSTANTIATE_TEST_SUITE_P(Workers, Watch, ::testing::Values(1U, 2U, 4U));

}  // namespace
