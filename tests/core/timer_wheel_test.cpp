// SPDX-License-Identifier: MIT
#include "weft/core/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

using weft::core::forever;
using weft::core::nanoseconds;
using weft::core::timer_wheel;
using weft::core::wait_record;

namespace {

constexpr nanoseconds second = 1'000'000'000;
constexpr nanoseconds day = 86'400 * second;
constexpr nanoseconds year = 365 * day;

/// A wheel with records named by arm, and what has fired.
struct fixture {
  explicit fixture(nanoseconds start = 0) : wheel(start) {}

  wait_record& add(nanoseconds deadline) {
    wait_record& r = records.emplace_back();
    r.arm = static_cast<std::uint32_t>(records.size() - 1);
    wheel.insert(r, deadline);
    return r;
  }
  std::vector<std::uint32_t> advance(nanoseconds now) {
    std::vector<std::uint32_t> fired;
    wheel.advance(now, [&](wait_record& r) {
      EXPECT_FALSE(r.linked());
      EXPECT_LE(r.deadline, now);
      fired.push_back(r.arm);
    });
    return fired;
  }

  timer_wheel wheel;
  std::deque<wait_record> records;
};

using names = std::vector<std::uint32_t>;

TEST(timer_wheel, empty_has_no_deadline) {
  fixture f;
  EXPECT_TRUE(f.wheel.empty());
  EXPECT_EQ(f.wheel.next_deadline(), forever);
  EXPECT_EQ(f.advance(second), names{});
}

TEST(timer_wheel, fires_at_its_deadline_and_not_a_nanosecond_before) {
  for (const nanoseconds deadline : {nanoseconds{1}, nanoseconds{63}, nanoseconds{64}, second,
                                     second + 1, day, year, 200 * year, forever - 1, forever}) {
    fixture f;
    f.add(deadline);
    EXPECT_EQ(f.wheel.next_deadline(), deadline);
    EXPECT_EQ(f.advance(deadline - 1), names{}) << deadline;
    EXPECT_EQ(f.wheel.next_deadline(), deadline);
    EXPECT_EQ(f.advance(deadline), names{0}) << deadline;
    EXPECT_TRUE(f.wheel.empty());
  }
}

TEST(timer_wheel, order_is_that_of_deadlines) {
  fixture f(5 * second);
  for (const nanoseconds after :
       {day, second, nanoseconds{70}, nanoseconds{5}, year, nanoseconds{64}})
    f.add(5 * second + after);
  EXPECT_EQ(f.advance(forever), (names{3, 5, 2, 1, 0, 4}));
}

TEST(timer_wheel, ties_are_in_order_of_insertion_also_after_cascades) {
  constexpr nanoseconds deadline = 3 * day + 12'345'678'901;
  fixture f;
  f.add(deadline);
  f.add(deadline + 1);
  for (const nanoseconds now : {second, day, 3 * day, deadline - 1'000'000, deadline - 64,
                                deadline - 63, deadline - 2, deadline - 1}) {
    EXPECT_EQ(f.advance(now), names{});
    f.add(deadline);
  }
  EXPECT_EQ(f.advance(deadline), (names{0, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(f.advance(deadline + 1), names{1});
}

TEST(timer_wheel, what_has_passed_is_due_at_the_next_advance_in_order_of_insertion) {
  fixture f(1000);
  f.add(1000);
  f.add(3);
  f.add(-7);
  EXPECT_LE(f.wheel.next_deadline(), 1000);
  EXPECT_EQ(f.advance(1000), (names{0, 1, 2}));
}

TEST(timer_wheel, every_boundary_of_a_level) {
  for (unsigned level = 0; level < 10; ++level) {
    const nanoseconds edge = nanoseconds{1} << (6 * (level + 1));
    fixture f(edge - 1);
    f.add(edge + 1);
    f.add(edge);
    f.add(2 * edge);
    EXPECT_EQ(f.wheel.next_deadline(), edge);
    EXPECT_EQ(f.advance(edge), names{1});
    EXPECT_EQ(f.advance(edge + 1), names{0});
    EXPECT_EQ(f.advance(2 * edge - 1), names{});
    EXPECT_EQ(f.advance(2 * edge), names{2});
  }
}

TEST(timer_wheel, cancel_is_unlink_and_empties_are_noticed) {
  fixture f;
  wait_record& a = f.add(100);
  wait_record& b = f.add(second);
  wait_record& c = f.add(second);
  a.unlink();
  EXPECT_EQ(f.wheel.next_deadline(), second);
  b.unlink();
  EXPECT_EQ(f.advance(day), names{2});
  EXPECT_FALSE(c.linked());
  f.add(day + 1).unlink();
  EXPECT_TRUE(f.wheel.empty());
  EXPECT_EQ(f.wheel.next_deadline(), forever);
}

TEST(timer_wheel, a_record_can_be_used_again) {
  fixture f;
  wait_record& r = f.add(10);
  for (nanoseconds now = 10; now < 100'000; now += 777) {
    EXPECT_EQ(f.advance(now), names{0});
    f.wheel.insert(r, now + 777);
  }
  r.unlink();
}

TEST(timer_wheel, fire_may_cancel_what_is_due_and_what_is_not) {
  fixture f;
  f.add(50);
  wait_record& same = f.add(50);
  wait_record& later = f.add(60);
  wait_record& far = f.add(year);
  f.add(60);
  names fired;
  f.wheel.advance(100, [&](wait_record& r) {
    fired.push_back(r.arm);
    for (wait_record* victim : {&same, &later, &far})
      if (victim->linked()) victim->unlink();
  });
  EXPECT_EQ(fired, (names{0, 4}));
  EXPECT_TRUE(f.wheel.empty());
}

TEST(timer_wheel, fire_may_insert) {
  fixture f;
  wait_record extra[4];
  for (std::uint32_t i = 0; i < 4; ++i) extra[i].arm = 100 + i;
  f.add(50);
  f.add(80);
  names fired;
  f.wheel.advance(100, [&](wait_record& r) {
    fired.push_back(r.arm);
    if (r.arm != 0) return;
    f.wheel.insert(extra[0], 40);   // passed: due in this advance
    f.wheel.insert(extra[1], 70);   // before the next
    f.wheel.insert(extra[2], 80);   // ties with it, behind
    f.wheel.insert(extra[3], 101);  // not yet
  });
  EXPECT_EQ(fired, (names{0, 100, 101, 1, 102}));
  EXPECT_EQ(f.wheel.next_deadline(), 101);
  extra[3].unlink();
}

TEST(timer_wheel, fire_may_insert_itself_again) {
  fixture f;
  f.add(10);
  std::vector<nanoseconds> times;
  f.wheel.advance(100, [&](wait_record& r) {
    times.push_back(r.deadline);
    f.wheel.insert(r, r.deadline + 30);
  });
  EXPECT_EQ(times, (std::vector<nanoseconds>{10, 40, 70, 100}));
  EXPECT_EQ(f.wheel.next_deadline(), 130);
}

// Waiting until next_deadline() again and again reaches a timer among many, in few steps.
TEST(timer_wheel, a_lower_bound_makes_progress) {
  fixture f(12'345);
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i)
    f.add(year + static_cast<nanoseconds>(random() % static_cast<std::uint64_t>(second)));
  std::size_t fired = 0;
  int idle = 0;
  while (!f.wheel.empty()) {
    const nanoseconds next = f.wheel.next_deadline();
    const std::size_t n = f.advance(next).size();
    fired += n;
    idle += n == 0;
    ASSERT_LT(idle, 10'000);
  }
  EXPECT_EQ(fired, 10'000U);
}

TEST(timer_wheel, a_million_timers) {
  constexpr std::size_t n = 1'000'000;
  const auto records = std::make_unique<wait_record[]>(n);
  timer_wheel wheel;
  std::mt19937_64 random(2);
  for (std::size_t i = 0; i < n; ++i)
    wheel.insert(records[i], static_cast<nanoseconds>(random() % static_cast<std::uint64_t>(day)));
  std::size_t fired = 0;
  nanoseconds before = 0;
  nanoseconds now = 0;
  for (; now < day; now += day / 1000)
    wheel.advance(now, [&](wait_record& r) {
      EXPECT_GE(r.deadline, before);
      EXPECT_LE(r.deadline, now);
      before = r.deadline;
      ++fired;
    });
  wheel.advance(now, [&](wait_record&) { ++fired; });
  EXPECT_EQ(fired, n);
}

// ---- compared with a multimap, which keeps equal keys in order of insertion ----

class comparison : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr int steps = 20'000;

  std::uint64_t below(std::uint64_t n) { return random() % n; }

  nanoseconds some_delay() {
    switch (below(6)) {
      case 0: return static_cast<nanoseconds>(below(3));
      case 1: return static_cast<nanoseconds>(below(200));
      case 2: return static_cast<nanoseconds>(below(5000)) * 64;
      case 3: return static_cast<nanoseconds>(below(static_cast<std::uint64_t>(second)));
      case 4: return static_cast<nanoseconds>(below(static_cast<std::uint64_t>(year)));
      default: return static_cast<nanoseconds>(1) << below(58);
    }
  }

  void insert() {
    const std::size_t i = below(records.size());
    if (records[i].linked()) return cancel(i);
    const nanoseconds deadline = now + some_delay();
    wheel->insert(records[i], deadline);
    places[i] = model.emplace(deadline, i);
  }
  void cancel(std::size_t i) {
    records[i].unlink();
    model.erase(places[i]);
  }

  void advance() {
    now += some_delay() >> below(20);
    int changes = 8;
    wheel->advance(now, [&](wait_record& r) {
      const auto i = static_cast<std::size_t>(&r - records.data());
      ASSERT_FALSE(model.empty());
      ASSERT_EQ(model.begin()->second, i);
      model.erase(model.begin());
      if (changes-- > 0) change_from_inside();
    });
    ASSERT_TRUE(model.empty() || model.begin()->first > now);
  }
  // For what has passed the wheel's order is that of insertion, the model's that of deadlines: so
  // from inside only what is later than now.
  void change_from_inside() {
    const std::size_t i = below(records.size());
    if (records[i].linked()) return cancel(i);
    const nanoseconds deadline = now + 1 + some_delay();
    wheel->insert(records[i], deadline);
    places[i] = model.emplace(deadline, i);
  }

  void check_next() {
    ASSERT_EQ(wheel->empty(), model.empty());
    const nanoseconds next = wheel->next_deadline();
    if (model.empty()) {
      ASSERT_EQ(next, forever);
      return;
    }
    ASSERT_LE(next, model.begin()->first);
    if (model.size() <= 16 && model.begin()->first > now) {
      ASSERT_EQ(next, model.begin()->first);
    }
  }

  std::mt19937_64 random{GetParam()};
  nanoseconds now = static_cast<nanoseconds>(below(static_cast<std::uint64_t>(year)));
  std::unique_ptr<timer_wheel> wheel = std::make_unique<timer_wheel>(now);
  std::vector<wait_record> records = std::vector<wait_record>(1 + below(600));
  std::multimap<nanoseconds, std::size_t> model;
  std::vector<decltype(model)::iterator> places{records.size()};
};

TEST_P(comparison, with_a_multimap) {
  for (int step = 0; step < steps && !HasFatalFailure(); ++step) {
    if (below(4) == 0)
      advance();
    else
      insert();
    check_next();
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, comparison, testing::Range<std::uint64_t>(1, 33));

}  // namespace
