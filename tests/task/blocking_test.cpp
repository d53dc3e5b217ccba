// SPDX-License-Identifier: MIT
// spawn_blocking: results, exceptions, waiters that leave, how many at once, the end of the
// process.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "task/support.hpp"
#include "weft/core/helpers.hpp"

namespace {

using namespace std::chrono_literals;
using weft::spawn_blocking;
using weft::task;

class Blocking : public RuntimeTest {};

int slow_sum(int a, int b) {
  std::this_thread::sleep_for(2ms);
  return a + b;
}
std::unique_ptr<std::string> owned(std::unique_ptr<std::string> s) {
  *s += "!";
  return s;
}
int& refers(int* p) { return *p; }
void nothing() {}
[[noreturn]] int fails() { throw std::runtime_error("from a helper"); }

task<> results() {
  EXPECT_EQ(co_await spawn_blocking(slow_sum, 2, 3), 5);
  auto s = co_await spawn_blocking(owned, std::make_unique<std::string>("moved"));
  EXPECT_EQ(*s, "moved!");
  int x = 1;
  (co_await spawn_blocking(refers, &x)) = 7;
  EXPECT_EQ(x, 7);
  co_await spawn_blocking(nothing);
  auto failing = spawn_blocking(fails);
  EXPECT_THROW(static_cast<void>(co_await failing), std::runtime_error);
  EXPECT_TRUE(failing.is_finished());
}
TEST_P(Blocking, ValuesAndExceptionsTravel) { run(results()); }

TEST(BlockingCall, IsAwaitedByAPlainThread) {
  EXPECT_EQ(weft::perform_blocking(spawn_blocking(slow_sum, 1, 1)), 2);
  EXPECT_THROW(weft::perform_blocking(spawn_blocking(fails)), std::runtime_error);
}

// The worker goes on while the call blocks, which waits for just that.
task<> ticks(std::atomic<int>* left) {
  while (left->fetch_sub(1) > 1) co_await weft::sleep(1ms);
}
void outlasts(const std::atomic<int>* left) {
  while (*left > 0) std::this_thread::sleep_for(1ms);
}
task<> beside(std::atomic<int>* left) {
  auto h = weft::spawn(ticks, left);
  co_await spawn_blocking(outlasts, left);
  co_await h;
}
TEST_P(Blocking, TasksGoOnMeanwhile) {
  std::atomic<int> left{4};
  run(beside(&left));
  EXPECT_EQ(left, 0);
}

using held = std::shared_ptr<int>;
held wait_for(const std::atomic<bool>* go, held h) {
  while (!go->load()) std::this_thread::sleep_for(100us);
  return h;
}
task<> awaits(const std::atomic<bool>* go, held h) {
  const held back = co_await spawn_blocking(wait_for, go, h);
}
task<> leave(std::atomic<bool>* go, held h) {
  auto lost = spawn_blocking(wait_for, go, h);
  const auto r = co_await weft::choose(lost, weft::sleep_op(1ms));
  EXPECT_EQ(r.index(), 1U);
  auto t = weft::spawn(awaits, go, h);
  co_await settle();
  t.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&t));
  EXPECT_FALSE(lost.is_finished());
  go->store(true);
  const held back = co_await lost;
  EXPECT_EQ(back, h);
}
TEST_P(Blocking, WhoeverLeavesLetsItFinish) {
  std::atomic<bool> go{false};
  auto h = std::make_shared<int>(1);
  run(leave(&go, h));
  while (h.use_count() != 1) std::this_thread::yield();  // the helper lets go of it a moment later
}

task<> lets_go(held h) {
  co_await spawn_blocking([](const held&) {}, h);
  EXPECT_EQ(h.use_count(), 2) << "the caller's and this task's";
}
TEST_P(Blocking, ArgumentsAreGoneWhenItReturns) {
  for (int i = 0; i < scaled(500); ++i) {
    auto h = std::make_shared<int>(1);
    run(lets_go(h));
  }
}

void count_inside(std::atomic<int>* inside, std::atomic<int>* most) {
  const int n = inside->fetch_add(1) + 1;
  for (int seen = *most; n > seen && !most->compare_exchange_weak(seen, n);) continue;
  do std::this_thread::sleep_for(1ms);
  while (*most < 2);  // nobody gets on alone
  inside->fetch_sub(1);
}
task<> many_calls(std::atomic<int>* inside, std::atomic<int>* most) {
  std::vector<weft::blocking_handle<void>> all;
  for (int i = 0; i < 400; ++i) all.push_back(spawn_blocking(count_inside, inside, most));
  for (auto& h : all) co_await h;
}
TEST_P(Blocking, AtMostSixtyFourAtOnce) {
  std::atomic<int> inside{0}, most{0};
  run(many_calls(&inside, &most));
  EXPECT_LE(most, static_cast<int>(weft::core::helper_limit));
}

task<> ends_at_once() {
  co_await spawn_blocking([] {});
}
TEST_P(Blocking, TheRuntimeMayEndWhileAHelperWakesItsLastTask) {
  for (int i = 0; i < std::max(100, scaled(2000)); ++i) {
    weft::runtime short_lived{options()};
    short_lived.block_on(ends_at_once());
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, Blocking, ::testing::Values(1U, 2U, 4U));

// A helper idles for some seconds, and leaves.
TEST(BlockingCall, AHelperThatHasLeftIsNothingToTheChildOfAFork) {
  const auto self = [] { return std::to_string(::gettid()); };
  const std::string helper = weft::perform_blocking(spawn_blocking(self));
  while (std::filesystem::exists("/proc/self/task/" + helper)) std::this_thread::sleep_for(10ms);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// Threads that idle, and one that is at work: the process ends at once, and cleanly.
TEST(BlockingDeathTest, TheProcessEnds) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        weft::perform_blocking(spawn_blocking(slow_sum, 1, 2));
        static_cast<void>(spawn_blocking([] { std::this_thread::sleep_for(1h); }));
        std::this_thread::sleep_for(5ms);
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
