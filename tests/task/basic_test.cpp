// SPDX-License-Identifier: MIT
// task, spawn, join_handle, block_on: values, exceptions, order, and chains without stack.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

task<int> five() { co_return 5; }

task<int> add(int a, int b) { co_return a + b; }

TEST(Task, ReturnsItsValue) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(five()), 5);
}

task<int> nested() { co_return co_await five() + co_await add(1, 2); }
TEST(Task, AwaitsOthers) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(nested()), 8);
}

task<> fails() {
  co_await weft::yield();
  throw std::runtime_error("no");
}
TEST(Task, ThrowsToWhoeverAwaits) {
  weft::runtime rt;
  EXPECT_THROW(rt.block_on(fails()), std::runtime_error);
}

task<int> joins() {
  auto h = weft::spawn(add, 2, 3);
  auto k = weft::spawn(five);
  co_return co_await h + co_await k;
}
TEST(Spawn, JoinGivesTheResult) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(joins()), 10);
}

task<int> deep(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await deep(n - 1);
}
TEST(Task, AMillionNestedAwaits) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(deep(1'000'000)), 1'000'000);
}

task<long> chain(int n) {
  long sum = 0;
  for (int i = 0; i < n; ++i) sum += co_await five();
  co_return sum;
}
TEST(Task, AMillionInARow) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(chain(1'000'000)), 5'000'000);
}

task<std::string> sleeps() {
  co_await weft::sleep(2ms);
  co_return "awake";
}
TEST(Sleep, Wakes) {
  weft::runtime rt;
  const auto before = weft::clock::now();
  EXPECT_EQ(rt.block_on(sleeps()), "awake");
  EXPECT_GE(weft::clock::now() - before, 2ms);
}

task<> produce(weft::sender<std::unique_ptr<int>> tx, int n) {
  for (int i = 1; i <= n; ++i) EXPECT_TRUE(co_await tx.send(std::make_unique<int>(i)));
}
task<long> consume(std::size_t capacity) {
  auto [tx, rx] = weft::channel<std::unique_ptr<int>>(capacity);
  weft::spawn(produce, std::move(tx), 1000).detach();
  long sum = 0;
  while (auto v = co_await rx.recv()) sum += **v;
  co_return sum;
}
TEST(Channel, PassesValuesUntilTheSenderGoes) {
  weft::runtime rt;
  for (std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{16}, weft::unbounded})
    EXPECT_EQ(rt.block_on(consume(capacity)), 500'500);
}

task<> produce_one(weft::sender<int> tx) { EXPECT_TRUE(co_await tx.send(42)); }
task<std::size_t> chooses() {
  auto [tx, rx] = weft::channel<int>();
  const auto late = co_await weft::choose(rx.recv_op(), weft::sleep_op(1ms));
  EXPECT_EQ(late.index(), 1U);
  auto sent = weft::spawn(produce_one, tx);
  const auto early = co_await weft::choose(rx.recv_op(), weft::sleep_op(1h));
  EXPECT_EQ(std::get<0>(early), 42);
  co_await sent;
  co_return early.index();
}
TEST(Choose, OneOfTwo) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(chooses()), 0U);
}

// Each of the nested ones has a nack of its own; the loser's are set, the winner's never.
auto nested_nacks(weft::receiver<int> rx, std::vector<weft::event_operation>* nacks) {
  return weft::with_nack([rx, nacks](weft::event_operation outer) {
    nacks->push_back(outer);
    return weft::guard([rx, nacks] {
      return weft::with_nack([rx, nacks](weft::event_operation inner) {
        nacks->push_back(inner);
        return weft::wrap(rx.recv_op(), [](std::optional<int> v) { return *v; });
      });
    });
  });
}
task<> loses_and_wins() {
  auto [tx, rx] = weft::channel<int>(1);
  std::vector<weft::event_operation> lost, won;
  auto loses = weft::choose(nested_nacks(rx, &lost), weft::always(1));
  EXPECT_EQ((co_await loses).index(), 1U);
  EXPECT_TRUE(co_await tx.send(7));
  auto wins = weft::choose(nested_nacks(rx, &won), weft::never());
  EXPECT_EQ(std::get<0>(co_await wins), 7);
  for (auto& n : lost) EXPECT_TRUE(n.try_perform());
  for (auto& n : won) EXPECT_FALSE(n.try_perform());
  EXPECT_EQ(lost.size() + won.size(), 4U);
}
TEST(Nack, NestedOnesAreSetApart) {
  weft::runtime rt;
  rt.block_on(loses_and_wins());
}

}  // namespace
