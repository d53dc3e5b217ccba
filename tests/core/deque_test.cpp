// SPDX-License-Identifier: MIT
#include "weft/core/deque.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "core/support.hpp"

namespace {

using weft::core::task;
using weft::core::task_kind;
using weft_test::scaled;

constexpr task_kind test_kind = {"test", nullptr, nullptr};

struct numbered : task {
  numbered() : task(test_kind) {}
  std::atomic<int> taken{0};
};

TEST(Deque, TheOwnerTakesTheNewestAThiefTheOldest) {
  weft::core::deque d;
  d.share();
  std::deque<numbered> tasks(3);
  for (numbered& t : tasks) ASSERT_TRUE(d.push(t));
  EXPECT_EQ(d.size(), 3U);
  EXPECT_EQ(d.pop(), &tasks[2]);
  EXPECT_EQ(d.steal(), &tasks[0]);
  EXPECT_EQ(d.pop(), &tasks[1]);
  EXPECT_EQ(d.pop(), nullptr);
  EXPECT_EQ(d.steal(), nullptr);
}

TEST(Deque, GrowsWithWhatIsInIt) {
  weft::core::deque d;
  std::deque<numbered> tasks(10'000);
  for (numbered& t : tasks) ASSERT_TRUE(d.push(t));
  EXPECT_EQ(d.steal(), &tasks.front());
  for (std::size_t i = tasks.size() - 1; i > 0; --i) ASSERT_EQ(d.pop(), &tasks[i]);
  EXPECT_EQ(d.size(), 0U);
}

/// models/: deque.pml, with a growing buffer and the memory orders of the machine.
TEST(Deque, EachTaskIsTakenOnceByOwnerOrThief) {
  weft::core::deque d;
  d.share();
  std::deque<numbered> tasks(static_cast<std::size_t>(scaled(200'000)));
  std::atomic<bool> over{false};
  auto take = [](task* t) { ++static_cast<numbered*>(t)->taken; };
  std::vector<std::thread> thieves;
  for (int i = 0; i < 2; ++i)
    thieves.emplace_back([&] {
      while (!over || d.size() != 0)
        if (task* t = d.steal()) take(t);
    });
  std::size_t pushed = 0;
  for (numbered& t : tasks) {
    ASSERT_TRUE(d.push(t));
    if (++pushed % 3 != 0) continue;
    for (std::size_t i = 0; i < pushed % 5; ++i)
      if (task* own = d.pop()) take(own);
  }
  while (task* own = d.pop()) take(own);
  over = true;
  for (std::thread& t : thieves) t.join();
  for (numbered& t : tasks) ASSERT_EQ(t.taken, 1);
}

}  // namespace
