// SPDX-License-Identifier: MIT
// Many tasks on several workers at once, and plain threads beside them: nothing is lost, doubled or
// left behind. The schedules are the machine's; TSan watches. Counts are small under sanitizers.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

class Stress : public RuntimeTest {};

task<long> fib(long n) {
  if (n < 2) co_return n;
  auto a = weft::spawn(fib, n - 1);
  const long b = co_await fib(n - 2);
  co_return co_await a + b;
}
TEST_P(Stress, ForkAndJoin) {
  EXPECT_EQ(run(fib(scaled(100) > 50 ? 24 : 16)), scaled(100) > 50 ? 46368 : 987);
}

task<> put_all(weft::sender<int> tx, int from, int n) {
  for (int i = 0; i < n; ++i) EXPECT_TRUE(co_await tx.send(from + i));
}
task<> get_all(weft::receiver<int> rx, std::atomic<long>* sum, std::atomic<int>* count) {
  while (auto v = co_await rx.recv()) {
    sum->fetch_add(*v);
    count->fetch_add(1);
  }
}
task<> many_to_many(std::size_t capacity, int n, std::atomic<long>* sum, std::atomic<int>* count) {
  auto [tx, rx] = weft::channel<int>(capacity);
  std::vector<weft::join_handle<void>> putters, getters;
  for (int i = 0; i < 8; ++i) {
    putters.push_back(weft::spawn(put_all, tx, i * n, n));
    getters.push_back(weft::spawn(get_all, rx, sum, count));
  }
  for (auto& p : putters) co_await p;
  tx.close();
  for (auto& g : getters) co_await g;
}
TEST_P(Stress, ManyToMany) {
  const int n = scaled(5000);
  for (std::size_t capacity : {std::size_t{0}, std::size_t{3}, weft::unbounded}) {
    std::atomic<long> sum{0};
    std::atomic<int> count{0};
    run(many_to_many(capacity, n, &sum, &count));
    EXPECT_EQ(count, 8 * n);
    EXPECT_EQ(sum, 8L * n * (8L * n - 1) / 2);
  }
}

// Two tasks offer each other crossed choices: exactly one of each pair of offers happens.
task<> chooser(weft::sender<int> tx, weft::receiver<int> rx, int n, std::atomic<long>* sent,
               std::atomic<long>* got) {
  for (int i = 0; i < n; ++i) {
    auto r = co_await weft::choose(tx.send_op(1), rx.recv_op());
    if (r.index() == 0)
      sent->fetch_add(1);
    else
      got->fetch_add(std::get<1>(r).value_or(0));
  }
}
task<> crossed(int pairs, int n, std::atomic<long>* sent, std::atomic<long>* got) {
  auto [ta, ra] = weft::channel<int>();
  auto [tb, rb] = weft::channel<int>();
  std::vector<weft::join_handle<void>> hs;
  for (int i = 0; i < pairs; ++i) {
    hs.push_back(weft::spawn(chooser, ta, rb, n, sent, got));
    hs.push_back(weft::spawn(chooser, tb, ra, n, sent, got));
  }
  for (auto& h : hs) co_await h;
}
TEST_P(Stress, CrossedChoices) {
  std::atomic<long> sent{0}, got{0};
  const int n = scaled(4000);
  run(crossed(1, n, &sent, &got));
  EXPECT_EQ(sent, got);
  EXPECT_EQ(sent + got, 2L * n);
}

// Choices between a channel and a timer, on and over: the losing arm leaves nothing behind.
task<> impatient(weft::receiver<int> rx, int n, std::atomic<int>* got) {
  for (int i = 0; i < n; ++i) {
    auto r = co_await weft::choose(rx.recv_op(), weft::sleep_op(20us));
    if (r.index() == 0) got->fetch_add(1);
  }
}
task<> slow_putter(weft::sender<int> tx, int n, std::atomic<int>* sent) {
  for (int i = 0; i < n; ++i) {
    auto r = co_await weft::choose(tx.send_op(i), weft::sleep_op(30us));
    if (r.index() == 0) sent->fetch_add(1);
  }
}
task<> channels_and_timers(int n, std::atomic<int>* sent, std::atomic<int>* got) {
  auto [tx, rx] = weft::channel<int>();
  std::vector<weft::join_handle<void>> hs;
  for (int i = 0; i < 4; ++i) {
    hs.push_back(weft::spawn(impatient, rx, n, got));
    hs.push_back(weft::spawn(slow_putter, tx, n, sent));
  }
  for (auto& h : hs) co_await h;
}
TEST_P(Stress, ChannelsAndTimers) {
  std::atomic<int> sent{0}, got{0};
  run(channels_and_timers(scaled(2000), &sent, &got));
  EXPECT_EQ(sent, got);
}

// Cancellation races completion: each task is either done or cancelled, and the handle knows.
task<int> wait_for(weft::receiver<int> rx) { co_return (co_await rx.recv()).value_or(-1); }
task<> cancel_race(int n, std::atomic<int>* done, std::atomic<int>* stopped) {
  for (int i = 0; i < n; ++i) {
    auto [tx, rx] = weft::channel<int>(1);
    auto h = weft::spawn(wait_for, rx);
    co_await weft::yield();
    auto s = weft::spawn(put_all, tx, 1, 1);
    h.cancel();
    try {
      co_await h;
      done->fetch_add(1);
    } catch (const weft::cancelled&) {
      stopped->fetch_add(1);
    }
    co_await s;
  }
}
TEST_P(Stress, CancelRacesCompletion) {
  std::atomic<int> done{0}, stopped{0};
  const int n = scaled(3000);
  run(cancel_race(n, &done, &stopped));
  EXPECT_EQ(done + stopped, n);
}

task<> nothing() { co_return; }
task<> spawn_and_drop(int n) {
  for (int i = 0; i < n; ++i) {
    auto h = weft::spawn(nothing);
    if (i % 3 == 0) co_await weft::yield();
    if (i % 3 == 1) co_await h;
  }
}
task<> spawn_many(int n) {
  std::vector<weft::join_handle<void>> hs;
  for (int i = 0; i < 8; ++i) hs.push_back(weft::spawn(spawn_and_drop, n));
  for (auto& h : hs) co_await h;
}
TEST_P(Stress, HandlesDroppedWhileTasksEnd) { run(spawn_many(scaled(5000))); }

task<> scope_body(weft::task_group& g, int depth) {
  for (int i = 0; i < 3; ++i) g.spawn(nothing).detach();
  if (depth > 0) co_await weft::scope(scope_body, depth - 1);
}
task<> many_scopes(int n) {
  for (int i = 0; i < n; ++i) co_await weft::scope(scope_body, 3);
}
task<> scopes_everywhere(int n) {
  std::vector<weft::join_handle<void>> hs;
  for (int i = 0; i < 8; ++i) hs.push_back(weft::spawn(many_scopes, n));
  for (auto& h : hs) co_await h;
}
TEST_P(Stress, Scopes) { run(scopes_everywhere(scaled(1000))); }

task<> sleepy(bool fail) {
  co_await weft::sleep(50us);
  if (fail) throw std::runtime_error("on purpose");
  co_await weft::sleep(1h);
}
task<> failing_body(weft::task_group& g) {
  for (int i = 0; i < 6; ++i) g.spawn(sleepy, i == 3).detach();
  co_await weft::sleep(1h);
}
task<> failures(int n, int* caught) {
  for (int i = 0; i < n; ++i) try {
      co_await weft::scope(failing_body);
    } catch (const std::runtime_error&) {
      ++*caught;
    }
}
TEST_P(Stress, FailuresCancelAcrossWorkers) {
  int caught = 0;
  const int n = scaled(500);
  run(failures(n, &caught));
  EXPECT_EQ(caught, n);
}

// Plain threads at both ends.
task<> relay(weft::receiver<int> rx, weft::sender<int> tx) {
  while (auto v = co_await rx.recv()) EXPECT_TRUE(co_await tx.send(*v));
}
TEST_P(Stress, ThreadsUseTheChannels) {
  const int n = scaled(5000);
  auto [a, ra] = weft::channel<int>();
  auto [b, rb] = weft::channel<int>(4);
  std::thread putter([tx = a, n]() mutable {
    for (int i = 0; i < n; ++i) EXPECT_TRUE(weft::perform_blocking(tx.send_op(i)));
    tx.close();
  });
  long sum = 0;
  std::thread getter([rx = rb, &sum] {
    while (auto v = weft::perform_blocking(rx.recv_op())) sum += *v;
  });
  {
    auto tx = std::move(b);
    run(relay(ra, std::move(tx)));
  }
  putter.join();
  getter.join();
  EXPECT_EQ(sum, static_cast<long>(n) * (n - 1) / 2);
}

task<int> answer(int x) {
  co_await weft::yield();
  co_return x + 1;
}
TEST_P(Stress, ThreadsSpawnAndJoin) {
  if (GetParam() == 1) GTEST_SKIP() << "with one worker nobody drives outside block_on";
  const int n = scaled(2000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([h = rt.handle(), n] {
      for (int i = 0; i < n; ++i) EXPECT_EQ(weft::perform_blocking(h.spawn(answer, i)), i + 1);
    });
  for (auto& t : threads) t.join();
}

task<std::uint64_t> parks() { co_return weft::core::worker::current()->count().parks; }
task<std::uint64_t> parks_of_all(weft::runtime* rt) {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < rt->workers(); ++i) sum += co_await rt->worker(i).spawn(parks);
  co_return sum;
}
task<> count_down(weft::latch* l) {
  l->count_down();
  co_return;
}
task<> flood(weft::runtime_handle h, int n) {
  weft::latch all(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) h.spawn(count_down, &all).detach();
  co_await all.wait();
}
// A worker that is done with one of them goes on with the next, and does not park between.
TEST_P(Stress, WhatHandlesSpawnIsTakenByTheHundred) {
  const int n = scaled(20000);
  const std::uint64_t before = run(parks_of_all(&rt));
  run(flood(rt.handle(), n));
  EXPECT_LT(run(parks_of_all(&rt)) - before, static_cast<std::uint64_t>(n / 10 + 100));
}

task<> forever() { co_await weft::sleep(1h); }
TEST_P(Stress, ARuntimeEndsWhatItStarted) {
  for (int i = 0; i < scaled(200); ++i) {
    weft::runtime r(options());
    for (int k = 0; k < 10; ++k) r.spawn(forever).detach();
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, Stress, ::testing::Values(1U, 2U, 4U));

}  // namespace
