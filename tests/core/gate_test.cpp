// SPDX-License-Identifier: MIT
#include "weft/core/gate.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support.hpp"
#include "worker_fixture.hpp"

namespace weft::inline v0::core {

struct gate_queue {
  static std::size_t length(gate& g) {
    const std::lock_guard lock(g.mutex_);
    std::size_t n = 0;
    for (gate::waiter* w = g.waiting_.front(); w; w = g.waiting_.after(*w)) ++n;
    return n;
  }
};

}  // namespace weft::inline v0::core

namespace {

using weft::core::gate;
using weft::core::gate_queue;

TEST(Gate, IsHeldFromTheBeginning) {
  gate g;
  std::thread([&] { EXPECT_FALSE(g.try_enter(0)); }).join();
  g.leave();
  std::thread([&] {
    EXPECT_TRUE(g.try_enter(0));
    g.leave();
  }).join();
}

TEST(Gate, WaitsNoLongerThanAsked) {
  gate g;
  std::thread([&] { EXPECT_FALSE(g.try_enter(1'000'000)); }).join();
  EXPECT_FALSE(g.is_wanted());
  g.leave();
  EXPECT_TRUE(g.try_enter(0));
}

/// Starts threads that enter, one behind the other.
struct queue {
  explicit queue(gate& g, int n) {
    for (int i = 0; i < n; ++i) {
      threads.emplace_back([this, &g, i] {
        g.enter();
        order.push_back(i);
        g.leave();
      });
      while (gate_queue::length(g) != threads.size()) std::this_thread::yield();
    }
  }
  ~queue() {
    for (std::thread& t : threads) t.join();
  }
  std::vector<int> order;
  std::vector<std::thread> threads;
};

TEST(Gate, FirstComeFirstServed) {
  gate g;
  std::vector<int> order;
  {
    queue q(g, 8);
    EXPECT_TRUE(g.is_wanted());
    g.leave();
    for (std::thread& t : q.threads) t.join();
    q.threads.clear();
    order = q.order;
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Gate, PassComesBackBehindThoseWhoWait) {
  gate g;
  queue q(g, 4);
  g.pass();
  EXPECT_EQ(q.order.size(), 4U);
  EXPECT_FALSE(g.is_wanted());
  g.pass();
  g.leave();
}

TEST(Gate, ManyThreadsExcludeEachOther) {
  gate g;
  g.leave();
  long plain = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 2000; ++n) {
        if (n % 3 == 0)
          while (!g.try_enter(1'000'000)) continue;
        else
          g.enter();
        ++plain;
        if (n % 7 == 0) g.pass();
        g.leave();
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(plain, 8000);
}

// Found as a hang: who was let in had rung before the worker went to sleep.
TEST(Gate, ATurnThatLetsSomebodyInDoesNotBlock) {
  const char* error = nullptr;
  std::unique_ptr<weft::core::reactor> r(weft::core::make_reactor(nullptr, &error));
  ASSERT_TRUE(r) << error;
  weft::core::worker w(std::move(r));
  const auto g = std::make_shared<gate>();
  w.use_gate(g, false);
  w.add_source();
  std::thread guest([&] {
    g->enter();
    g->leave();
  });
  while (!g->is_wanted()) std::this_thread::yield();
  {
    const weft_test::watchdog dog("a turn that has let somebody in");
    const weft::core::worker::driving guard(w);
    w.turn(weft::core::forever);
  }
  guest.join();
  w.drop_source();
}

/// A reactor that writes down when its events are fetched; each block is ended by a post.
class noting_reactor final : public weft::core::reactor {
 public:
  explicit noting_reactor(std::string& log) : log_(log) {}
  const char* name() const noexcept override { return "noting"; }
  int attach(weft::core::descriptor&) noexcept override { return -ENOTSUP; }
  void detach(weft::core::descriptor&) noexcept override {}
  void await(weft::core::descriptor&, weft::core::direction,
             weft::core::wait_record&) noexcept override {}
  void submit(weft::core::io_request&) noexcept override {}
  void cancel(weft::core::io_request&) noexcept override {}
  int wait(weft::core::nanoseconds) noexcept override { return log_ += "fetch ", 0; }
  void block(weft::core::nanoseconds, gate&) noexcept override {
    log_ += "block ";
    std::thread(poster).join();
  }
  void wake() noexcept override { log_ += "bell "; }
  bool busy() noexcept override { return false; }

  std::function<void()> poster = [] {};

 private:
  std::string& log_;
};

TEST(Gate, WhatWasPostedRunsBeforeEventsAreFetched) {
  std::string log;
  auto owned = std::make_unique<noting_reactor>(log);
  noting_reactor& io = *owned;
  weft::core::worker w(std::move(owned));
  w.use_gate(std::make_shared<gate>(), false);
  w.add_source();
  weft_test::function_task posted([&] { log += "task "; });
  io.poster = [&] { w.post(posted); };
  const weft::core::worker::driving guard(w);
  w.turn(weft::core::forever);
  w.turn(weft::core::forever);
  EXPECT_EQ(log, "block bell task fetch ");
  io.poster = [] {};
  log.clear();
  w.turn(weft::core::forever);  // for events of the kernel's, or for nothing
  EXPECT_EQ(log, "block fetch ");
  w.drop_source();
}

}  // namespace
