// SPDX-License-Identifier: MIT
// The channel of one worker: no lock, plain words. Invariants: waiters and messages are first in,
// first out; who is decided already is passed over and dropped; a free place is filled at once by
// the oldest putter that still waits; closing wakes everybody, and what is in the buffer can still
// be got.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "support.hpp"
#include "weft/core/channel.hpp"

namespace weft_test {
namespace {

using weft::core::no_lock;
using weft::core::pass;
using weft::core::task;
using weft::core::task_kind;
using weft::core::wait_record;
using weft::core::winner_cancelled;

/// A waiter with as many arms as there are records; what it offers and what it received.
struct party : task {
  explicit party(int message = 0) noexcept : task(kind_table), offer(message) {}
  ~party() {
    for (wait_record& r : records) {
      if (r.linked()) r.unlink();
    }
  }
  wait_record& arm() {
    wait_record& r = records.emplace_back();
    r.owner = this;
    r.arm = static_cast<std::uint32_t>(records.size() - 1);
    return r;
  }
  /// Decided by another arm; not resumed yet, so the records are still there.
  void decide_elsewhere() { EXPECT_TRUE(complete_at_home(winner_cancelled)); }

  int offer;
  int received = 0;
  int wakes = 0;
  std::deque<wait_record> records;

 private:
  static void on_wake(task& t) noexcept { ++static_cast<party&>(t).wakes; }
  static inline const task_kind kind_table = {"party", nullptr, on_wake};
};

struct local_channel {
  explicit local_channel(std::size_t capacity) noexcept : channel(capacity) {}

  struct mover {
    local_channel& at;
    int& value;
    static party& owner(wait_record& r) noexcept { return static_cast<party&>(*r.owner); }
    void give(wait_record& r) const noexcept { owner(r).received = value; }
    void take(wait_record& r) const noexcept { value = owner(r).offer; }
    void store() const {
      if (at.refuses) throw at.refuses;
      at.buffer.push_back(value);
    }
    void load() const noexcept {
      value = at.buffer.front();
      at.buffer.pop_front();
    }
    void refill(wait_record& r) const { at.buffer.push_back(owner(r).offer); }
    static void wake(task& t) noexcept { t.kind->wake(t); }
  };

  pass put(int value) { return channel.try_put(mover{*this, value}); }
  pass get(int& value) { return channel.try_get(mover{*this, value}); }
  int got() {
    int value = 0;
    EXPECT_EQ(get(value), pass::done);
    return value;
  }
  void wait_put(party& p) {
    p.begin_plain();
    channel.publish_put(p.arm());
  }
  void wait_get(party& p) {
    p.begin_plain();
    channel.publish_get(p.arm());
  }

  weft::core::channel<no_lock> channel;
  std::deque<int> buffer;
  int refuses = 0;
};

TEST(local_channel, a_rendezvous_waits_for_the_other_side) {
  local_channel c(0);
  int value = 0;
  EXPECT_EQ(c.put(1), pass::wait);
  EXPECT_EQ(c.get(value), pass::wait);
  EXPECT_FALSE(c.channel.can_put());
  EXPECT_FALSE(c.channel.can_get());
  EXPECT_EQ(c.channel.size(), 0U);
}

TEST(local_channel, a_put_meets_the_oldest_getter) {
  local_channel c(0);
  party a;
  party b;
  c.wait_get(a);
  c.wait_get(b);
  EXPECT_TRUE(c.channel.can_put());
  EXPECT_EQ(c.put(5), pass::done);
  EXPECT_EQ(a.received, 5);
  EXPECT_EQ(a.wakes, 1);
  EXPECT_EQ(a.winner, 0U);
  EXPECT_FALSE(a.closed);
  EXPECT_FALSE(a.records[0].linked());
  EXPECT_EQ(b.wakes, 0);
  EXPECT_EQ(c.put(6), pass::done);
  EXPECT_EQ(b.received, 6);
  EXPECT_EQ(c.put(7), pass::wait);
}

TEST(local_channel, a_get_meets_the_oldest_putter) {
  local_channel c(0);
  party a(1);
  party b(2);
  c.wait_put(a);
  c.wait_put(b);
  EXPECT_TRUE(c.channel.can_get());
  EXPECT_EQ(c.got(), 1);
  EXPECT_EQ(c.got(), 2);
  EXPECT_EQ(a.wakes + b.wakes, 2);
  int value = 0;
  EXPECT_EQ(c.get(value), pass::wait);
}

TEST(local_channel, a_buffer_is_first_in_first_out_and_has_its_limit) {
  local_channel c(3);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(c.put(i), pass::done);
  EXPECT_EQ(c.put(4), pass::wait);
  EXPECT_EQ(c.channel.size(), 3U);
  EXPECT_FALSE(c.channel.can_put());
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(c.got(), i);
  EXPECT_EQ(c.channel.size(), 0U);
}

TEST(local_channel, unbounded) {
  local_channel c(weft::core::unbounded);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(c.put(i), pass::done);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(c.got(), i);
}

TEST(local_channel, a_free_place_is_filled_by_the_oldest_putter) {
  local_channel c(1);
  EXPECT_EQ(c.put(1), pass::done);
  party a(2);
  party b(3);
  c.wait_put(a);
  c.wait_put(b);
  EXPECT_EQ(c.got(), 1);
  EXPECT_EQ(a.wakes, 1);
  EXPECT_EQ(b.wakes, 0);
  EXPECT_EQ(c.channel.size(), 1U);
  EXPECT_EQ(c.put(4), pass::wait) << "nobody passes a queued waiter";
  EXPECT_EQ(c.got(), 2);
  EXPECT_EQ(c.got(), 3);
  EXPECT_EQ(c.channel.size(), 0U);
}

TEST(local_channel, who_is_decided_is_passed_over_and_dropped) {
  local_channel c(0);
  party dead;
  party living;
  c.wait_get(dead);
  c.wait_get(living);
  dead.decide_elsewhere();
  EXPECT_EQ(c.put(5), pass::done);
  EXPECT_EQ(dead.received, 0);
  EXPECT_EQ(dead.wakes, 0);
  EXPECT_EQ(dead.winner, winner_cancelled);
  EXPECT_FALSE(dead.records[0].linked());
  EXPECT_EQ(living.received, 5);
}

TEST(local_channel, the_dead_do_not_count_as_partners) {
  local_channel c(0);
  party getter;
  party putter(1);
  c.wait_get(getter);
  getter.decide_elsewhere();
  EXPECT_FALSE(c.channel.can_put());
  EXPECT_EQ(c.put(1), pass::wait);
  c.wait_put(putter);
  putter.decide_elsewhere();
  EXPECT_FALSE(c.channel.can_get());
  EXPECT_FALSE(putter.records[0].linked());
}

TEST(local_channel, a_dead_putter_does_not_refill) {
  local_channel c(1);
  c.put(1);
  party dead(2);
  party living(3);
  c.wait_put(dead);
  c.wait_put(living);
  dead.decide_elsewhere();
  EXPECT_EQ(c.got(), 1);
  EXPECT_EQ(c.got(), 3);
}

TEST(local_channel, retract_is_unlink) {
  local_channel c(0);
  party a;
  c.wait_get(a);
  a.decide_elsewhere();
  a.records[0].unlink();
  EXPECT_FALSE(c.channel.can_put());
  party b;
  c.wait_get(b);
  c.channel.retract(b.records[0]);
  c.channel.retract(b.records[0]);
  EXPECT_FALSE(c.channel.can_put());
}

TEST(local_channel, one_arm_of_a_choice_wins) {
  local_channel c(0);
  local_channel d(0);
  party chooser(9);
  chooser.begin_plain();
  c.channel.publish_get(chooser.arm());
  d.channel.publish_put(chooser.arm());
  EXPECT_EQ(d.got(), 9);
  EXPECT_EQ(chooser.winner, 1U);
  EXPECT_EQ(c.put(1), pass::wait);
  EXPECT_EQ(chooser.wakes, 1);
  EXPECT_EQ(chooser.received, 0);
}

TEST(local_channel, a_store_that_raises_has_changed_nothing) {
  local_channel c(2);
  c.put(1);
  c.refuses = 77;
  EXPECT_THROW(c.put(2), int);
  EXPECT_EQ(c.channel.size(), 1U);
  c.refuses = 0;
  EXPECT_EQ(c.put(3), pass::done);
  EXPECT_EQ(c.got(), 1);
  EXPECT_EQ(c.got(), 3);
}

// ---------------------------------------------------------------- closing

TEST(local_channel, close_wakes_everybody_once) {
  for (const bool putters : {false, true}) {
    local_channel c(0);
    party a;
    party b;
    party dead;
    for (party* p : {&a, &dead, &b}) putters ? c.wait_put(*p) : c.wait_get(*p);
    dead.decide_elsewhere();
    EXPECT_TRUE(c.channel.close());
    EXPECT_FALSE(c.channel.close());
    for (const party* p : {&a, &b}) {
      EXPECT_EQ(p->wakes, 1);
      EXPECT_TRUE(p->closed);
      EXPECT_EQ(p->winner, 0U);
      EXPECT_FALSE(p->records[0].linked());
    }
    EXPECT_EQ(dead.wakes, 0);
    EXPECT_FALSE(dead.closed);
  }
}

TEST(local_channel, after_close_nothing_is_put_and_the_buffer_is_drained) {
  local_channel c(2);
  c.put(1);
  c.put(2);
  EXPECT_TRUE(c.channel.close());
  EXPECT_TRUE(c.channel.closed());
  EXPECT_EQ(c.put(3), pass::closed);
  EXPECT_EQ(c.got(), 1);
  EXPECT_EQ(c.got(), 2);
  int value = 0;
  EXPECT_EQ(c.get(value), pass::closed);
  EXPECT_TRUE(c.channel.can_get());
  EXPECT_TRUE(c.channel.can_put());
}

TEST(local_channel, a_putter_that_waits_when_it_is_closed_does_not_deliver) {
  local_channel c(1);
  c.put(1);
  party p(2);
  c.wait_put(p);
  c.channel.close();
  EXPECT_TRUE(p.closed);
  EXPECT_EQ(c.got(), 1);
  int value = 0;
  EXPECT_EQ(c.get(value), pass::closed);
}

TEST(local_channel, closed_does_not_stick_to_the_next_perform) {
  local_channel c(0);
  party p;
  c.wait_get(p);
  c.channel.close();
  EXPECT_TRUE(p.closed);
  p.begin_plain();
  EXPECT_FALSE(p.closed);
  EXPECT_EQ(p.winner, weft::core::winner_unset);
}

// ---------------------------------------------------------------- against the definition

// The definition: a queue of messages, of which the first `capacity` are stored and the others
// wait.
class random_channel {
 public:
  explicit random_channel(unsigned seed) : random_(seed), capacity_(random_() % 4), c_(capacity_) {}

  void step() {
    switch (random_() % 6) {
      case 0:
      case 1: put(); break;
      case 2:
      case 3: get(); break;
      case 4: cancel(putters_); break;
      case 5: cancel(getters_); break;
    }
    EXPECT_EQ(c_.channel.size(), stored_.size());
  }

 private:
  void put() {
    const int message = ++last_;
    const bool goes = !getters_.empty() || stored_.size() < capacity_;
    if (c_.put(message) != (goes ? pass::done : pass::wait)) ADD_FAILURE();
    if (!goes) {
      putters_.push_back(&parties_.emplace_back(message));
      c_.wait_put(*putters_.back());
    } else if (!getters_.empty()) {
      expect_woken(getters_, message);
    } else {
      stored_.push_back(message);
    }
  }
  void get() {
    int value = 0;
    const pass p = c_.get(value);
    if (stored_.empty() && putters_.empty()) {
      EXPECT_EQ(p, pass::wait);
      getters_.push_back(&parties_.emplace_back());
      c_.wait_get(*getters_.back());
      return;
    }
    EXPECT_EQ(p, pass::done);
    if (!putters_.empty()) {
      stored_.push_back(putters_.front()->offer);
      expect_woken(putters_, 0);
    }
    EXPECT_EQ(value, stored_.front());
    stored_.pop_front();
  }
  void expect_woken(std::deque<party*>& waiting, int received) {
    EXPECT_EQ(waiting.front()->wakes, 1);
    EXPECT_EQ(waiting.front()->received, received);
    waiting.pop_front();
  }
  /// Any of those that wait is decided elsewhere; its record is taken back now, or left for others.
  void cancel(std::deque<party*>& waiting) {
    if (waiting.empty()) return;
    const auto at = waiting.begin() + static_cast<std::ptrdiff_t>(random_() % waiting.size());
    (*at)->decide_elsewhere();
    if (random_() % 2) (*at)->records[0].unlink();
    waiting.erase(at);
  }

  std::mt19937 random_;
  const std::size_t capacity_;
  local_channel c_;
  int last_ = 0;
  std::deque<int> stored_;
  std::deque<party> parties_;
  std::deque<party*> putters_;
  std::deque<party*> getters_;
};

TEST(local_channel, random_use_agrees_with_the_definition) {
  for (int seed = scaled(500, 20); seed > 0; --seed) {
    random_channel c(static_cast<unsigned>(seed));
    for (int i = 0; i < 500 && !testing::Test::HasFailure(); ++i) c.step();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace weft_test
