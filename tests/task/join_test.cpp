// SPDX-License-Identifier: MIT
// Joins: who has the handle meanwhile, and that there is one joiner.
#include "task/support.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using weft::task;

class Join : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Join, ::testing::Values(1U, 2U, 4U));

task<int> five() {
  co_await weft::sleep(1ms);
  co_return 5;
}
auto spawned_five() { return weft::spawn(five); }

task<> made_in_place() {
  EXPECT_EQ(co_await weft::guard(spawned_five), 5);
  const auto late = weft::guard(spawned_five);
  EXPECT_EQ(std::get<0>(co_await weft::choose(late, weft::sleep_op(1h))), 5);
  EXPECT_EQ(co_await late, 5) << "made anew";
  auto nacked = [](const weft::event_operation&) { return weft::spawn(five); };
  EXPECT_EQ(co_await weft::with_nack(nacked), 5);
  EXPECT_EQ(std::get<0>(co_await weft::choose(weft::spawn(five), weft::sleep_op(1h))), 5);
  EXPECT_EQ((co_await weft::timeout(weft::spawn(five), 1h)).value(), 5);
  auto twice = [](int n) { return 2 * n; };
  EXPECT_EQ(co_await weft::wrap(weft::spawn(five), twice), 10);
  auto choice = weft::choose(weft::spawn(five), weft::never<>());
  EXPECT_EQ(std::get<0>(co_await choice), 5);
}
TEST_P(Join, AnOperationMayOwnItsHandle) { run(made_in_place()); }

// What an operation owns goes when that has lost; the task runs on.
task<> runs_on(std::atomic<bool>* ended) {
  co_await weft::sleep(5ms);
  *ended = true;
}
task<> loses(std::atomic<bool>* ended) {
  const auto r = co_await weft::timeout(weft::spawn(runs_on, ended), 1us);
  EXPECT_EQ(r.error(), weft::errc::timeout);
}
TEST_P(Join, TheTaskOfALostJoinRunsOn) {
  std::atomic<bool> ended{false};
  run(loses(&ended));
  EXPECT_TRUE(ended);
}

task<> is_late() {
  co_await weft::yield();
  throw std::runtime_error("late");
}
task<> loses_a_failure() {
  co_await weft::choose(weft::spawn(is_late), weft::always(1));
  co_await weft::sleep(1h);
}
TEST_P(Join, TheFailureOfALostJoinGoesToTheScope) {
  EXPECT_THROW(run(loses_a_failure()), std::runtime_error);
}

task<std::string> text() { co_return "a text that does not fit into the object itself"; }
task<> joins_twice() {
  auto h = weft::spawn(text);
  EXPECT_EQ(co_await std::move(h), co_await text());
  EXPECT_FALSE(h);
  EXPECT_THROW(static_cast<void>(co_await h), std::logic_error);
  EXPECT_THROW(static_cast<void>(co_await h.join_op()), std::logic_error);
  h.cancel();
  auto k = weft::spawn(text);
  static_cast<void>(co_await k);
  EXPECT_THROW(static_cast<void>(co_await k), std::logic_error);
  EXPECT_THROW(static_cast<void>(co_await std::move(k).join_op()), std::logic_error);
  auto let_go = weft::spawn(text);
  let_go.detach();
  EXPECT_THROW(static_cast<void>(co_await let_go), std::logic_error);
}
TEST_P(Join, OnceOnly) { run(joins_twice()); }

TEST_P(Join, ACallOnce) {
  run([]() -> task<> {
    auto call = [] { return std::string("result"); };
    auto h = weft::spawn_blocking(call);
    auto copy = h;
    EXPECT_EQ(co_await h, "result");
    EXPECT_THROW(static_cast<void>(co_await copy), std::logic_error);
  }());
}

// Two tasks join one handle at once: one gets the value, the other is refused.
task<int> begins(weft::event e) {
  co_await e.wait();
  co_return 7;
}
task<> competes(weft::join_handle<int>* h, bool in_a_choice, std::atomic<int>* got,
                std::atomic<int>* refused) {
  try {
    int value = 0;
    if (in_a_choice)
      value = std::get<0>(co_await weft::choose(h->join_op(), weft::sleep_op(1h)));
    else
      value = co_await *h;
    EXPECT_EQ(value, 7);
    ++*got;
  } catch (const std::logic_error&) {
    ++*refused;
  }
}
task<> compete(bool wait) {
  std::atomic<int> got{0}, refused{0};
  const weft::event e;
  auto h = weft::spawn(begins, e);
  if (!wait) e.set();
  std::vector<weft::join_handle<void>> all;
  for (int i = 0; i < 4; ++i) all.push_back(weft::spawn(competes, &h, i % 2 == 0, &got, &refused));
  if (wait)
    while (refused < 3) co_await weft::yield();
  e.set();
  co_await join(&all);
  EXPECT_EQ(got, 1);
  EXPECT_EQ(refused, 3);
}
TEST_P(Join, OneJoinerAtATime) {
  for (int i = 0; i < scaled(500); ++i) run(compete(i % 2 == 0));
}

// A joiner that gave up makes room for another one.
task<> waits_for(weft::join_handle<int>* h) { static_cast<void>(co_await *h); }
task<> gives_up() {
  const weft::event e;
  auto h = weft::spawn(begins, e);
  auto first = weft::spawn(waits_for, &h);
  co_await settle();
  first.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&first));
  EXPECT_EQ((co_await weft::choose(h.join_op(), weft::sleep_op(1ms))).index(), 1U);
  EXPECT_FALSE(h.try_perform());
  e.set();
  EXPECT_EQ(co_await h, 7);
}
TEST_P(Join, OneThatGaveUpMakesRoom) { run(gives_up()); }

int place = 3;
task<int&> refers() {
  co_await weft::yield();
  co_return place;
}
task<> by_reference() {
  EXPECT_EQ(&co_await refers(), &place);
  auto h = weft::spawn(refers);
  EXPECT_EQ(&co_await std::move(h), &place);
  const auto chosen = co_await weft::choose(weft::spawn(refers), weft::sleep_op(1h));
  EXPECT_EQ(&std::get<0>(chosen).get(), &place);
  const auto in_time = co_await weft::timeout(weft::spawn(refers), 1h);
  EXPECT_EQ(&in_time.value().get(), &place);
  EXPECT_EQ(&co_await weft::unite(weft::spawn(refers), weft::spawn(refers)), &place);
  const auto [one, two] = co_await weft::all(refers(), refers());
  EXPECT_EQ(&one.get(), &two.get());
  EXPECT_EQ(&std::get<0>(co_await weft::any(refers())).get(), &place);
}
TEST_P(Join, ResultsMayBeReferences) {
  run(by_reference());
  EXPECT_EQ(&run(refers()), &place);
  // One worker alone rests outside block_on.
  if (rt.workers() == 1) return;
  EXPECT_EQ(&weft::perform_blocking(rt.spawn(refers)), &place);
}

}  // namespace
