// SPDX-License-Identifier: MIT
#include "weft/core/slab.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

using weft::core::slab;
using weft::core::wait_record;

namespace {

TEST(slab, gives_fresh_records_of_every_size) {
  slab s;
  for (std::uint32_t n = 1; n <= 130; ++n) {
    wait_record* records = s.allocate(n);
    ASSERT_NE(records, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(records) % alignof(wait_record), 0U);
    for (std::uint32_t i = 0; i < n; ++i) {
      EXPECT_FALSE(records[i].linked());
      EXPECT_EQ(records[i].owner, nullptr);
      EXPECT_EQ(records[i].arm, 0U);
      records[i].next = records[i].prev = &records[i];
      records[i].owner = reinterpret_cast<weft::core::task*>(&s);
      records[i].arm = ~0U;
    }
    s.release(records, n);
  }
}

TEST(slab, a_block_is_used_again_by_its_class) {
  slab s;
  wait_record* first = s.allocate(5);
  s.release(first, 5);
  EXPECT_EQ(s.allocate(8), first);
  s.release(first, 8);
}

TEST(slab, ten_million_choices_leave_memory_flat) {
  slab s;
  for (int i = 0; i < 10'000'000; ++i) s.release(s.allocate(3), 3);
  EXPECT_LE(s.bytes(), 64U * 1024);
}

TEST(slab, large_blocks_go_back_at_once) {
  slab s;
  EXPECT_EQ(s.bytes(), 0U);
  wait_record* records = s.allocate(65);
  EXPECT_EQ(s.bytes(), 65 * sizeof(wait_record));
  s.release(records, 65);
  EXPECT_EQ(s.bytes(), 0U);
}

TEST(slab, blocks_in_use_never_overlap) {
  slab s;
  std::mt19937 random(3);
  std::vector<std::pair<wait_record*, std::uint32_t>> used;
  for (int step = 0; step < 20'000; ++step) {
    if (used.empty() || random() % 5 < 3) {
      const auto n = static_cast<std::uint32_t>(1 + random() % (random() % 10 ? 12 : 100));
      wait_record* records = s.allocate(n);
      for (std::uint32_t i = 0; i < n; ++i) {
        records[i].arm = n;
        records[i].slot = static_cast<std::uint32_t>(step);
      }
      used.emplace_back(records, n);
      continue;
    }
    std::swap(used[random() % used.size()], used.back());
    const auto [records, n] = used.back();
    used.pop_back();
    for (std::uint32_t i = 0; i < n; ++i) {
      ASSERT_EQ(records[i].arm, n);
      ASSERT_EQ(records[i].slot, records[0].slot);
    }
    s.release(records, n);
  }
  for (const auto& [records, n] : used) s.release(records, n);
}

}  // namespace
