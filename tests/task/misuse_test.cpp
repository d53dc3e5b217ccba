// SPDX-License-Identifier: MIT
// What is refused, and in which words; and runtimes that end in tasks of others.
#include "task/support.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using weft::task;

class Misuse : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Misuse, ::testing::Values(1U, 2U));

/// The text of the std::logic_error that f throws.
template <class F>
std::string refusal(F f) {
  try {
    f();
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "it was not refused";
}

task<int> five() { co_return 5; }

TEST_P(Misuse, SpawnOutsideATask) {
  EXPECT_EQ(refusal([] { weft::spawn(five).detach(); }),
            "weft: spawn outside a task: use runtime::spawn or a runtime_handle");
  EXPECT_FALSE(weft::is_cancelled());
}

task<> blocks(weft::runtime* rt) {
  EXPECT_EQ(refusal([rt] { rt->block_on(five()); }), "weft: block_on inside a task");
  EXPECT_EQ(refusal([] { const weft::runtime inner; }), "weft: runtime inside a task");
  EXPECT_EQ(refusal([] { weft::perform_blocking(weft::sleep_op(1ms)); }),
            "weft: perform_blocking inside a task");
  weft::mutex m;
  weft::cond c;
  auto held = co_await m.lock();
  EXPECT_EQ(refusal([&] { c.wait_blocking(held); }), "weft: cond::wait_blocking inside a task");
  EXPECT_TRUE(held) << "still locked";
  EXPECT_TRUE(weft::sleep_op(0ms).try_perform());
}
TEST_P(Misuse, BlockingInsideATask) { run(blocks(&rt)); }

task<> uses_empty_ones() {
  auto used = five();
  EXPECT_EQ(co_await std::move(used), 5);
  auto t = five();
  const auto other = std::move(t);
  const char* const empty = "weft: a task that is empty: it was moved from";
  EXPECT_EQ(refusal([&t] { weft::spawn(std::move(t)).detach(); }), empty);   // NOLINT: that is it
  EXPECT_THROW(co_await std::move(t), std::logic_error);                     // NOLINT
  EXPECT_THROW(co_await weft::all(std::move(t), five()), std::logic_error);  // NOLINT
}
TEST_P(Misuse, EmptyTasks) {
  run(uses_empty_ones());
  auto t = five();
  const auto other = std::move(t);
  EXPECT_THROW(run(std::move(t)), std::logic_error);  // NOLINT
  EXPECT_EQ(run(five()), 5);
}

// A runtime whose last owner is a task of another one.
task<> stays(std::atomic<bool>* ended) {
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
    *ended = true;
    throw;
  }
}
task<> ends(std::unique_ptr<weft::runtime>* other, std::atomic<bool>* ended) {
  other->reset();
  EXPECT_TRUE(*ended);
  co_await weft::yield();
}
TEST_P(Misuse, ATaskEndsAnotherRuntime) {
  std::atomic<bool> ended{false};
  auto other = std::make_unique<weft::runtime>(options());
  other->spawn(stays, &ended).detach();
  other->block_on(five());
  run(ends(&other, &ended));
}

}  // namespace
