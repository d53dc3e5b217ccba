// SPDX-License-Identifier: MIT
// Invariants: what is pushed is drained exactly once; the order of each producer's pushes is kept;
// what the producer wrote before the push is seen by the consumer (checked by TSan); with the
// parked flag no push goes unseen while the consumer sleeps.
#include "weft/core/inbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

using weft::core::inbox;
using weft::core::task;
using weft::core::task_kind;

namespace {

const task_kind message_kind = {"message", nullptr, nullptr};

struct message : task {
  message(std::size_t p, std::size_t n) noexcept : task(message_kind), producer(p), number(n) {}
  const std::size_t producer;
  const std::size_t number;
  std::size_t written = 0;  // by the producer, without synchronisation of its own
};

constexpr std::size_t producers = 4;

std::vector<std::deque<message>> make_messages(std::size_t each) {
  std::vector<std::deque<message>> all(producers);
  for (std::size_t p = 0; p < producers; ++p)
    for (std::size_t n = 0; n < each; ++n) all[p].emplace_back(p, n);
  return all;
}

/// Checks a chain against the next number expected of each producer.
std::size_t take(task* chain, std::vector<std::size_t>& expected) {
  std::size_t n = 0;
  while (chain) {
    auto& m = static_cast<message&>(*chain);
    chain = chain->next;
    EXPECT_EQ(m.number, expected[m.producer]++);
    EXPECT_EQ(m.written, m.number + 1);
    ++n;
  }
  return n;
}

TEST(inbox, drains_in_order_of_the_pushes) {
  inbox box;
  EXPECT_TRUE(box.empty());
  EXPECT_EQ(box.drain(), nullptr);
  message a(0, 0);
  message b(0, 1);
  message c(0, 2);
  EXPECT_TRUE(box.push(a));
  EXPECT_FALSE(box.push(b));
  EXPECT_FALSE(box.push(c));
  EXPECT_FALSE(box.empty());
  EXPECT_EQ(box.drain(), &a);
  EXPECT_EQ(a.next, &b);
  EXPECT_EQ(b.next, &c);
  EXPECT_EQ(c.next, nullptr);
  EXPECT_TRUE(box.empty());
  EXPECT_TRUE(box.push(b));
  EXPECT_EQ(box.drain(), &b);
}

TEST(inbox, many_producers_lose_nothing) {
  constexpr std::size_t each = 20'000;
  inbox box;
  auto messages = make_messages(each);
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (message& m : messages[p]) {
        m.written = m.number + 1;
        box.push(m);
      }
    });
  std::vector<std::size_t> expected(producers);
  std::size_t seen = 0;
  while (seen < producers * each) seen += take(box.drain(), expected);
  for (std::thread& t : threads) t.join();
  EXPECT_TRUE(box.empty());
}

// The worker's protocol: store parked, look at the inbox, sleep until the bell; push, look at
// parked, ring. If both sides could miss each other this would hang.
TEST(inbox, a_parked_consumer_is_always_woken) {
  constexpr std::size_t each = 5'000;
  enum : int { running, parked, notified };
  inbox box;
  std::atomic<int> park{running};
  auto messages = make_messages(each);
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (message& m : messages[p]) {
        m.written = m.number + 1;
        box.push(m);
        int seen = parked;
        if (park.load(std::memory_order_seq_cst) == parked &&
            park.compare_exchange_strong(seen, notified))
          park.notify_one();
      }
    });
  std::vector<std::size_t> expected(producers);
  std::size_t seen = 0;
  while (seen < producers * each) {
    seen += take(box.drain(), expected);
    if (seen == producers * each) break;
    park.store(parked, std::memory_order_seq_cst);
    if (box.empty()) park.wait(parked);
    park.store(running, std::memory_order_seq_cst);
  }
  for (std::thread& t : threads) t.join();
}

// was_empty is true for exactly one push between two drains.
TEST(inbox, one_push_of_a_burst_finds_it_empty) {
  constexpr std::size_t each = 5'000;
  inbox box;
  auto messages = make_messages(each);
  std::atomic<std::size_t> firsts{0};
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (message& m : messages[p]) {
        m.written = m.number + 1;
        if (box.push(m)) firsts.fetch_add(1);
      }
    });
  std::vector<std::size_t> expected(producers);
  std::size_t seen = 0;
  std::size_t drains = 0;
  while (seen < producers * each) {
    const std::size_t n = take(box.drain(), expected);
    drains += n > 0;
    seen += n;
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(firsts.load(), drains);
}

}  // namespace
