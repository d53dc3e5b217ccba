// SPDX-License-Identifier: MIT
// Tasks that compute: how a cancellation reaches those that only yield, or do not wait at all.
#include "task/support.hpp"

#include <atomic>

namespace {

using namespace std::chrono_literals;
using weft::task;

class Computing : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Computing, ::testing::Values(1U, 2U, 4U));

task<> spins() {
  for (;;) co_await weft::yield();
}
task<> computes() {
  while (!weft::is_cancelled()) co_await weft::yield();
}
task<> limited() {
  weft::scope_options limit;
  limit.timeout = 2ms;
  EXPECT_THROW(co_await weft::scope(limit, spins), weft::timed_out);
  auto h = weft::spawn(spins);
  co_await weft::yield();
  h.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&h));
}
TEST_P(Computing, AYieldIsCancelled) { run(limited()); }
TEST_P(Computing, TheEndOfTheRuntimeEndsIt) {
  weft::runtime other(options());
  other.spawn(spins).detach();
  other.block_on(settle(&other));
}

task<> hidden(std::atomic<bool>* ran) {
  EXPECT_FALSE(weft::is_cancelled());
  for (int i = 0; i < 10; ++i) co_await weft::yield();
  *ran = true;
}
task<> cleans_up(weft::event begun, std::atomic<bool>* ran) {
  begun.set();
  EXPECT_THROW(co_await weft::sleep(1h), weft::cancelled);
  EXPECT_TRUE(weft::is_cancelled());
  co_await weft::shield(hidden, ran);
  EXPECT_THROW(co_await weft::yield(), weft::cancelled);
  throw weft::cancelled();
}
task<> cancels_clean_up(std::atomic<bool>* ran) {
  EXPECT_FALSE(weft::is_cancelled());
  const weft::event begun;
  auto h = weft::spawn(cleans_up, begun, ran);
  co_await begun.wait();
  h.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&h));
}
TEST_P(Computing, NotInAShield) {
  std::atomic<bool> ran{false};
  run(cancels_clean_up(&ran));
  EXPECT_TRUE(ran);
}

/// Never waits.
task<> never_waits(weft::event begun, std::atomic<long>* rounds) {
  begun.set();
  while (!weft::is_cancelled()) ++*rounds;
  co_return;
}
task<> asks(std::atomic<long>* rounds) {
  const weft::event begun;
  auto h = weft::spawn(never_waits, begun, rounds);
  co_await begun.wait();
  h.cancel();
  co_await h;  // it returned of its own accord
}
TEST(ComputingBeside, OneThatNeverWaitsAsks) {
  weft::runtime_options o;
  o.workers = 2;
  weft::runtime rt(o);
  std::atomic<long> rounds{0};
  // The body is not on the worker that the task computes on: else nobody would cancel it.
  rt.block_on(asks(&rounds));
}

task<> cancels_its_scope(weft::task_group& group) {
  group.cancel();
  EXPECT_TRUE(weft::is_cancelled());
  co_return;
}
task<> computes_in_scopes() {
  co_await weft::scope(cancels_its_scope);
  EXPECT_FALSE(weft::is_cancelled());
  weft::scope_options limit;
  limit.timeout = 2ms;
  EXPECT_THROW(co_await weft::scope(limit, computes), weft::timed_out);
}
TEST_P(Computing, AScopeIsHeardInside) { run(computes_in_scopes()); }

}  // namespace
