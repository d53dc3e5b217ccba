// SPDX-License-Identifier: MIT
// scope, shield, all, any, cancellation: who ends when, and with what.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;
using weft::task_group;

class Scope : public RuntimeTest {};

// Two workers may do so at once.
task<> count(std::atomic<int>* ended, std::chrono::milliseconds after) {
  co_await weft::sleep(after);
  ++*ended;
}
task<int> body_with_children(task_group& g, std::atomic<int>* ended) {
  g.spawn(count, ended, 2ms).detach();
  weft::spawn(count, ended, 1ms).detach();
  co_return 7;
}
task<int> waits_for_children(std::atomic<int>* ended) {
  const int r = co_await weft::scope(body_with_children, ended);
  EXPECT_EQ(*ended, 2);
  co_return r;
}
TEST_P(Scope, EndsWithItsChildren) {
  std::atomic<int> ended{0};
  EXPECT_EQ(run(waits_for_children(&ended)), 7);
}

task<> fails(std::chrono::milliseconds after) {
  co_await weft::sleep(after);
  throw std::runtime_error("first");
}
task<> sleeps_long(bool* cancelled) {
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
    *cancelled = true;
    throw;
  }
}
task<> body_that_waits(task_group& g, bool* child, bool* body) {
  g.spawn(sleeps_long, child).detach();
  g.spawn(fails, 1ms).detach();
  co_await sleeps_long(body);
}
task<std::string> first_failure(bool* child, bool* body) {
  try {
    co_await weft::scope(body_that_waits, child, body);
  } catch (const std::runtime_error& e) {
    co_return e.what();
  }
  co_return "none";
}
TEST_P(Scope, TheFirstFailureCancelsTheRest) {
  bool child = false, body = false;
  EXPECT_EQ(run(first_failure(&child, &body)), "first");
  EXPECT_TRUE(child);
  EXPECT_TRUE(body);
}

task<> cancels_itself(task_group& g, bool* child) {
  g.spawn(sleeps_long, child).detach();
  co_await weft::sleep(1ms);
  g.cancel();
  co_await weft::sleep(1h);
}
TEST_P(Scope, AbsorbsItsOwnCancellation) {
  bool child = false;
  run(weft::scope(cancels_itself, &child));
  EXPECT_TRUE(child);
}

task<> times_out(bool* body) {
  weft::scope_options options;
  options.timeout = 2ms;
  try {
    co_await weft::scope(options, sleeps_long, body);
    ADD_FAILURE() << "no timed_out";
  } catch (const weft::timed_out&) {
  }
}
TEST_P(Scope, ItsDeadlineThrows) {
  bool body = false;
  run(times_out(&body));
  EXPECT_TRUE(body);
}

task<> clean_up(bool* done) {
  co_await weft::sleep(20ms);
  *done = true;
}
task<> shielded(bool* done) {
  co_await weft::shield(clean_up, done);
  co_await weft::sleep(1h);
}
task<> cancels_shielded(bool* done) {
  auto h = weft::spawn(shielded, done);
  co_await settle();
  h.cancel();
  try {
    co_await h;
    ADD_FAILURE() << "no cancelled";
  } catch (const weft::cancelled&) {
  }
}
TEST_P(Scope, AShieldHidesCancellation) {
  bool done = false;
  run(cancels_shielded(&done));
  EXPECT_TRUE(done);
}

task<int> after(int value, std::chrono::milliseconds d) {
  co_await weft::sleep(d);
  co_return value;
}
task<> nothing() { co_return; }
task<> gathers() {
  auto [a, b, c] = co_await weft::all(after(1, 2ms), nothing(), after(3, 1ms));
  EXPECT_EQ(a, 1);
  EXPECT_EQ(c, 3);
  static_cast<void>(b);
  auto first = co_await weft::any(after(1, 1h), after(2, 1ms));
  EXPECT_EQ(first.index(), 1U);
  EXPECT_EQ(std::get<1>(first), 2);
}
TEST_P(Scope, AllAndAny) { run(gathers()); }

task<> unjoined() {
  auto h = weft::spawn(fails, 0ms);
  co_await weft::sleep(2ms);
  static_cast<void>(h);
}
TEST_P(Scope, AnUnjoinedFailureGoesToTheScope) {
  EXPECT_THROW(run(unjoined()), std::runtime_error);
}
task<> dropped() {
  weft::spawn(fails, 1ms).detach();
  co_await weft::sleep(1h);
}
TEST_P(Scope, ADetachedFailureGoesToTheScope) { EXPECT_THROW(run(dropped()), std::runtime_error); }

task<> joined() {
  auto h = weft::spawn(fails, 1ms);
  EXPECT_THROW(co_await h, std::runtime_error);
  co_await weft::sleep(1ms);
}
TEST_P(Scope, AJoinedFailureIsTheJoiners) { run(joined()); }

task<> never_ends() { co_await weft::never(); }
TEST(Deadlock, IsThrown) {
  weft::runtime rt;
  EXPECT_THROW(rt.block_on(never_ends()), weft::deadlock);
  EXPECT_THROW(rt.block_on(weft::shield(never_ends)), weft::deadlock);
}

task<int> received(weft::receiver<int> rx) { co_return *co_await rx.recv(); }
task<int> joined_here(weft::join_handle<int>* h) { co_return co_await *h; }
TEST(Deadlock, IsNoneWhileATaskOfTheRuntimesWaitsForAThread) {
  weft::runtime rt;
  auto [tx, rx] = weft::channel<int>(1);
  auto h = rt.spawn(received, std::move(rx));
  std::thread other([&tx = tx] {
    std::this_thread::sleep_for(20ms);
    EXPECT_TRUE(tx.try_send(7));
  });
  EXPECT_EQ(rt.block_on(joined_here(&h)), 7);
  other.join();
}

INSTANTIATE_TEST_SUITE_P(Workers, Scope, ::testing::Values(1U, 2U, 4U));

}  // namespace
