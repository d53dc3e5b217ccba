// SPDX-License-Identifier: MIT
#include "weft/core/list.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace weft_test {
namespace {

struct item : weft::core::list_node {
  explicit item(int n = 0) noexcept : name(n) {}
  int name;
};
using items = weft::core::list<item>;

std::vector<int> names(items& l) {
  std::vector<int> all;
  for (item* i = l.front(); i; i = l.after(*i)) all.push_back(i->name);
  return all;
}

TEST(list, first_in_first_out) {
  items l;
  item a(1);
  item b(2);
  EXPECT_TRUE(l.empty());
  EXPECT_EQ(l.front(), nullptr);
  EXPECT_EQ(l.pop_front(), nullptr);
  l.push_back(a);
  l.push_back(b);
  EXPECT_TRUE(a.linked());
  EXPECT_EQ(l.pop_front(), &a);
  EXPECT_FALSE(a.linked());
  EXPECT_EQ(l.pop_front(), &b);
  EXPECT_TRUE(l.empty());
}

TEST(list, unlink_without_the_list) {
  items l;
  std::deque<item> all;
  for (int i = 0; i < 5; ++i) l.push_back(all.emplace_back(i));
  all[0].unlink();
  all[2].unlink();
  all[4].unlink();
  EXPECT_EQ(names(l), (std::vector<int>{1, 3}));
  EXPECT_FALSE(all[2].linked());
  l.push_back(all[2]);
  EXPECT_EQ(names(l), (std::vector<int>{1, 3, 2}));
}

TEST(list, an_item_may_go_while_one_walks) {
  items l;
  std::deque<item> all;
  for (int i = 0; i < 6; ++i) l.push_back(all.emplace_back(i));
  for (item* i = l.front(); i;) {
    item* following = l.after(*i);
    if (i->name % 2 == 0) i->unlink();
    i = following;
  }
  EXPECT_EQ(names(l), (std::vector<int>{1, 3, 5}));
}

TEST(list, splice_keeps_the_order) {
  items from;
  items to;
  std::deque<item> all;
  for (int i = 0; i < 3; ++i) to.push_back(all.emplace_back(i));
  from.splice_to(to);
  EXPECT_EQ(names(to), (std::vector<int>{0, 1, 2}));
  for (int i = 3; i < 6; ++i) from.push_back(all.emplace_back(i));
  from.splice_to(to);
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(names(to), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  to.splice_to(from);
  EXPECT_TRUE(to.empty());
  EXPECT_EQ(names(from), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  all[5].unlink();
  all[0].unlink();
  EXPECT_EQ(names(from), (std::vector<int>{1, 2, 3, 4}));
}

TEST(list, agrees_with_a_deque) {
  std::mt19937 random(1);
  items l;
  std::deque<item> all(64);
  std::deque<int> expected;
  for (int i = 0; i < 64; ++i) all[static_cast<std::size_t>(i)].name = i;
  for (int step = 0; step < 20'000; ++step) {
    item& i = all[random() % 64];
    if (random() % 8 == 0) {
      item* first = l.pop_front();
      EXPECT_EQ(first ? first->name : -1, expected.empty() ? -1 : expected.front());
      if (first) expected.pop_front();
    } else if (i.linked()) {
      i.unlink();
      std::erase(expected, i.name);
    } else {
      l.push_back(i);
      expected.push_back(i.name);
    }
    ASSERT_EQ(names(l), std::vector<int>(expected.begin(), expected.end()));
  }
}

}  // namespace
}  // namespace weft_test
