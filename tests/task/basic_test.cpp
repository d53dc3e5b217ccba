// SPDX-License-Identifier: MIT
// task, spawn, join_handle, block_on: values, exceptions, order, and chains without stack.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

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
  const auto early = co_await weft::choose(rx.recv_op(), weft::sleep_op(10s));
  EXPECT_EQ(std::get<0>(early), 42);
  co_await sent;
  co_return early.index();
}
TEST(Choose, OneOfTwo) {
  weft::runtime rt;
  EXPECT_EQ(rt.block_on(chooses()), 0U);
}

}  // namespace
