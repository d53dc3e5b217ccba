// SPDX-License-Identifier: MIT
// Invariants: ready tasks run first in, first out; nothing that is ready for ever keeps a timer, a
// descriptor or a post waiting for ever; a post is never slept through; idle means that nothing can
// ever happen any more.
#include "weft/core/worker.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <set>
#include <thread>
#include <vector>

#include "weft/core/lock.hpp"

#include "support.hpp"
#include "worker_fixture.hpp"

namespace weft_test {
namespace {

using weft::core::forever;
using weft::core::nanoseconds;
using weft::core::task;
using weft::core::worker;
using outcome = worker::outcome;

constexpr nanoseconds millisecond = 1'000'000;
constexpr nanoseconds hour = 3'600'000 * millisecond;

/// An event on a descriptor that is there already.
struct ready_descriptor : weft::core::descriptor {
  explicit ready_descriptor(worker& w, unsigned count = 1) : at(w) {
    fd = ::eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC);
    EXPECT_EQ(w.io().attach(*this), 0);
    set_ready(weft::core::direction::in, false);
  }
  ~ready_descriptor() {
    at.io().detach(*this);
    ::close(fd);
  }
  void await(function_task& t) { at.io().await(*this, weft::core::direction::in, t.begin()); }
  worker& at;
};

// ---------------------------------------------------------------- order, batches, stop

TEST_F(worker_test, runs_first_in_first_out) {
  std::vector<int> ran;
  std::deque<function_task> tasks;
  for (int i = 0; i < 1000; ++i) w.ready(tasks.emplace_back([&ran, i] { ran.push_back(i); }));
  EXPECT_TRUE(w.has_ready());
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_FALSE(w.has_ready());
  ASSERT_EQ(ran.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[static_cast<std::size_t>(i)], i);
}

TEST_F(worker_test, who_is_ready_again_goes_behind_the_others) {
  std::vector<char> ran;
  function_task a([&](function_task& t, worker& at) {
    ran.push_back('a');
    if (t.runs < 3) at.ready(t);
  });
  function_task b([&](function_task& t, worker& at) {
    ran.push_back('b');
    if (t.runs < 3) at.ready(t);
  });
  w.ready(a);
  w.ready(b);
  w.run();
  EXPECT_EQ(ran, (std::vector<char>{'a', 'b', 'a', 'b', 'a', 'b'}));
}

TEST_F(worker_test, stop_ends_run_after_the_task) {
  function_task second([] {});
  function_task first([&](function_task&, worker& at) {
    at.ready(second);
    at.stop();
  });
  w.ready(first);
  EXPECT_EQ(w.run(), outcome::stopped);
  EXPECT_TRUE(w.stopping());
  EXPECT_EQ(second.runs, 0);
  w.clear_stop();
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(second.runs, 1);
}

TEST_F(worker_test, a_task_may_do_so_much_and_no_more) {
  int spent = 0;
  function_task t([&](function_task&, worker& at) {
    while (at.spend()) ++spent;
  });
  w.ready(t);
  w.run();
  const int first = spent;
  EXPECT_GT(first, 16);
  EXPECT_LT(first, 10'000);
  w.ready(t);
  w.run();
  EXPECT_EQ(spent, 2 * first) << "each resumption has its share";
}

// Always ready: the turn is bounded, so the other sources get theirs.
struct busy_task : function_task {
  explicit busy_task(const bool& until)
      : function_task([&until](function_task& t, worker& at) {
          if (!until) at.ready(t);
        }) {}
};

TEST_F(worker_test, a_busy_task_does_not_starve_a_timer) {
  const watchdog dog("a busy task and a timer");
  bool over = false;
  busy_task busy(over);
  function_task sleeper([&] { over = true; });
  w.arm_timer(sleeper.begin(), w.now() + millisecond);
  w.ready(busy);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_TRUE(over);
}

TEST_F(worker_test, a_busy_task_does_not_starve_a_descriptor) {
  const watchdog dog("a busy task and a descriptor");
  bool over = false;
  busy_task busy(over);
  function_task reader([&] { over = true; });
  ready_descriptor d(w);
  d.await(reader);
  w.ready(busy);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_TRUE(over);
}

TEST_F(worker_test, a_busy_task_does_not_starve_a_post) {
  const watchdog dog("a busy task and a post");
  bool over = false;
  busy_task busy(over);
  function_task posted([&] { over = true; });
  w.ready(busy);
  std::thread other([&] { w.post(posted); });
  w.run();
  other.join();
  while (!over) w.turn(0);
}

TEST_F(worker_test, busy_readers_do_not_starve_a_timer) {
  const watchdog dog("busy readers and a timer");
  bool over = false;
  ready_descriptor d(w);
  // Never reads it: the descriptor is ready for ever.
  function_task reader([&](function_task& t, worker&) {
    if (!over) d.await(t);
  });
  function_task sleeper([&] { over = true; });
  w.arm_timer(sleeper.begin(), w.now() + millisecond);
  d.set_ready(weft::core::direction::in, true);
  d.await(reader);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_TRUE(over);
}

// ---------------------------------------------------------------- timers

TEST_F(worker_test, timers_fire_in_order_and_never_early) {
  const watchdog dog("timers");
  std::vector<int> fired;
  std::deque<function_task> tasks;
  const nanoseconds start = w.now();
  for (const int after : {5, 1, 3, 1, 4, 2}) {
    const nanoseconds deadline = start + after * millisecond;
    function_task& t = tasks.emplace_back([&fired, after, deadline, this] {
      EXPECT_GE(w.now(), deadline);
      fired.push_back(after);
    });
    w.arm_timer(t.begin(), deadline);
  }
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(fired, (std::vector<int>{1, 1, 2, 3, 4, 5}));
}

TEST_F(worker_test, a_disarmed_timer_leaves_it_idle) {
  function_task t([] {});
  w.arm_timer(t.begin(), w.now() + hour);
  t.record.unlink();
  EXPECT_EQ(w.turn(forever), outcome::idle);
  EXPECT_EQ(t.runs, 0);
}

TEST_F(worker_test, a_timer_that_lost_wakes_nobody) {
  function_task t([] {});
  w.arm_timer(t.begin(), w.now());
  EXPECT_TRUE(t.complete_at_home(5));
  t.kind->wake(t);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(t.runs, 1);
  EXPECT_EQ(t.winner, 5U);
}

// ---------------------------------------------------------------- idle

TEST_F(worker_test, idle_when_nothing_can_happen) {
  EXPECT_EQ(w.turn(forever), outcome::idle);
  EXPECT_EQ(w.turn(millisecond), outcome::idle);
  EXPECT_EQ(w.turn(0), outcome::idle);
}

TEST_F(worker_test, not_idle_with_a_timer) {
  function_task t([] {});
  w.arm_timer(t.begin(), w.now() + hour);
  EXPECT_EQ(w.turn(0), outcome::ran);
  EXPECT_EQ(w.turn(1000), outcome::ran);
  t.record.unlink();
  EXPECT_EQ(w.turn(0), outcome::idle);
}

TEST_F(worker_test, not_idle_with_a_source) {
  w.add_source();
  EXPECT_EQ(w.turn(0), outcome::ran);
  EXPECT_EQ(w.turn(millisecond), outcome::ran);
  w.drop_source();
  EXPECT_EQ(w.turn(forever), outcome::idle);
}

TEST_F(worker_test, not_idle_while_a_descriptor_is_waited_for) {
  ready_descriptor d(w, 0);
  EXPECT_EQ(w.turn(forever), outcome::idle) << "attached is not waited for";
  function_task t([] {});
  d.await(t);
  EXPECT_EQ(w.turn(0), outcome::ran);
  EXPECT_EQ(w.turn(1000), outcome::ran);
  t.record.unlink();
  EXPECT_EQ(w.turn(forever), outcome::idle);
}

// ---------------------------------------------------------------- posts, parking

TEST_F(worker_test, posts_keep_the_order_of_each_producer) {
  constexpr int producers = 3;
  const int each = scaled(100'000, 2'000);
  const watchdog dog("posts of many producers");
  std::vector<int> expected(producers, 0);
  int left = producers * each;
  std::vector<std::deque<function_task>> tasks(producers);
  for (int p = 0; p < producers; ++p)
    for (int i = 0; i < each; ++i)
      tasks[static_cast<std::size_t>(p)].emplace_back([&, p, i] {
        EXPECT_EQ(expected[static_cast<std::size_t>(p)]++, i);
        if (--left == 0) w.drop_source();
      });
  w.add_source();
  std::vector<std::thread> threads;
  for (auto& mine : tasks)
    threads.emplace_back([&mine, this] {
      for (function_task& t : mine) w.post(t);
    });
  EXPECT_EQ(w.run(), outcome::idle);
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(w.count().posts, static_cast<std::uint64_t>(producers * each));
}

// The worker parks before almost every post: a lost bell would hang here.
TEST_F(worker_test, no_post_is_slept_through) {
  const int rounds = scaled(50'000, 2'000);
  const watchdog dog("post and park");
  weft::core::atomic<int> ran{0};
  function_task t([&] {
    ran.fetch_add(1);
    ran.notify_one();
  });
  function_task last([this] { w.drop_source(); });
  w.add_source();
  std::thread other([&] {
    weft::core::random_source random(1);
    for (int i = 0; i < rounds; ++i) {
      for (std::uint32_t n = random.below(400); n; --n) weft::core::pause_cpu();
      w.post(t);
      ran.wait(i);
    }
    w.post(last);
  });
  EXPECT_EQ(w.run(), outcome::idle);
  other.join();
  EXPECT_EQ(ran.load(), rounds);
  EXPECT_GT(w.count().parks, 0U);
}

TEST_F(worker_test, no_post_is_slept_through_by_two_workers_at_once) {
  const int rounds = scaled(50'000, 2'000);
  const watchdog dog("ball between two workers");
  worker other(default_reactor());
  int left = rounds;
  function_task* ball_here = nullptr;
  function_task there([&](function_task&, worker&) { w.post(*ball_here); });
  function_task here_again([&](function_task&, worker&) {
    if (--left > 0)
      other.post(there);
    else
      w.drop_source();
  });
  ball_here = &here_again;
  function_task end([&](function_task&, worker& at) { at.drop_source(); });
  other.add_source();
  w.add_source();
  std::thread thread([&] {
    const worker::driving driving(other);
    EXPECT_EQ(other.run(), outcome::idle);
  });
  other.post(there);
  EXPECT_EQ(w.run(), outcome::idle);
  other.post(end);
  thread.join();
  EXPECT_EQ(there.runs, rounds);
}

TEST_F(worker_test, ring_ends_a_wait) {
  const watchdog dog("ring");
  w.add_source();
  weft::core::atomic<bool> over{false};
  std::thread other([&] {
    while (!over.load()) {
      w.ring();
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(w.turn(forever), outcome::ran);
  over = true;
  other.join();
  w.drop_source();
}

TEST_F(worker_test, an_early_ring_ends_the_next_wait) {
  const watchdog dog("early ring");
  w.add_source();
  w.ring();
  EXPECT_EQ(w.turn(forever), outcome::ran);
  w.drop_source();
}

TEST(worker, mailbox_tells_that_the_worker_is_gone) {
  function_task t([] {});
  auto w = std::make_unique<worker>(default_reactor());
  weft::core::mailbox& address = w->address();
  address.add_reference();
  EXPECT_TRUE(address.post(t));
  {
    const worker::driving here(*w);
    w->run();
  }
  EXPECT_EQ(t.runs, 1);
  w.reset();
  EXPECT_FALSE(address.post(t));
  EXPECT_EQ(t.runs, 1);
  address.drop_reference();
}

TEST(worker, drivings_nest) {
  EXPECT_EQ(worker::current(), nullptr);
  worker outer(default_reactor());
  worker inner(default_reactor());
  {
    const worker::driving first(outer);
    EXPECT_EQ(worker::current(), &outer);
    {
      const worker::driving second(inner);
      EXPECT_EQ(worker::current(), &inner);
    }
    EXPECT_EQ(worker::current(), &outer);
    std::thread([] { EXPECT_EQ(worker::current(), nullptr); }).join();
  }
  EXPECT_EQ(worker::current(), nullptr);
}

// ---------------------------------------------------------------- time

TEST_F(worker_test, virtual_time_jumps_to_the_next_timer) {
  const watchdog dog("virtual time");
  w.use_virtual_time();
  const nanoseconds start = w.now();
  std::vector<nanoseconds> at;
  std::deque<function_task> tasks;
  for (const nanoseconds after : {24 * 365 * hour, hour, 2 * hour})
    w.arm_timer(tasks.emplace_back([&] { at.push_back(w.now() - start); }).begin(), start + after);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(at, (std::vector<nanoseconds>{hour, 2 * hour, 24 * 365 * hour}));
}

TEST_F(worker_test, virtual_time_jumps_with_many_timers) {
  const watchdog dog("virtual time, many timers");
  w.use_virtual_time();
  const nanoseconds start = w.now();
  nanoseconds last = 0;
  std::deque<function_task> tasks;
  for (int i = 0; i < 1000; ++i) {
    const nanoseconds deadline = start + hour + i * 7;
    w.arm_timer(tasks
                    .emplace_back([&, deadline] {
                      EXPECT_EQ(w.now(), deadline);
                      EXPECT_GE(deadline, last);
                      last = deadline;
                    })
                    .begin(),
                deadline);
  }
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(last, start + hour + 999 * 7);
}

TEST_F(worker_test, virtual_time_stands_while_tasks_run) {
  w.use_virtual_time();
  const nanoseconds start = w.now();
  bool over = false;
  function_task t([&](function_task& self, worker& at) {
    EXPECT_EQ(at.now(), start);
    if (self.runs < 10'000) at.ready(self);
    over = self.runs == 10'000;
  });
  function_task sleeper([&] { EXPECT_TRUE(over); });
  w.arm_timer(sleeper.begin(), start + 1);
  w.ready(t);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(sleeper.runs, 1);
}

// Something outside may come at any time, so time may not jump; but it may not stand still either.
TEST_F(worker_test, virtual_time_passes_while_something_outside_is_waited_for) {
  const watchdog dog("virtual time and a descriptor");
  w.use_virtual_time();
  ready_descriptor d(w, 0);
  function_task reader([] {});
  d.await(reader);
  function_task sleeper([&] { reader.record.unlink(); });
  w.arm_timer(sleeper.begin(), w.now() + 5 * millisecond);
  EXPECT_EQ(w.run(), outcome::idle);
  EXPECT_EQ(sleeper.runs, 1);
  EXPECT_EQ(reader.runs, 0);
}

TEST_F(worker_test, virtual_time_does_not_jump_past_a_limit) {
  w.use_virtual_time();
  const nanoseconds start = w.now();
  function_task sleeper([] {});
  w.arm_timer(sleeper.begin(), start + hour);
  EXPECT_EQ(w.turn(millisecond), outcome::ran);
  EXPECT_LE(w.now(), start + millisecond);
  sleeper.record.unlink();
}

TEST_F(worker_test, the_coarse_clock_goes_on_while_tasks_are_ready) {
  const watchdog dog("coarse clock");
  const nanoseconds start = w.now();
  function_task busy([&](function_task& t, worker& at) {
    if (at.coarse_now() < start + millisecond) at.ready(t);
  });
  w.ready(busy);
  EXPECT_EQ(w.run(), outcome::idle);
}

// ---------------------------------------------------------------- seeds

std::vector<int> order_of(std::uint64_t seed) {
  worker w(default_reactor());
  const worker::driving here(w);
  w.use_seed(seed);
  std::vector<int> ran;
  std::deque<function_task> tasks;
  for (int i = 0; i < 50; ++i)
    w.ready(tasks.emplace_back([&ran, i](function_task& t, worker& at) {
      ran.push_back(i);
      if (t.runs < 3) at.ready(t);
    }));
  w.run();
  return ran;
}

TEST(worker, a_seeded_order_replays) {
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{42}})
    EXPECT_EQ(order_of(seed), order_of(seed));
}

TEST(worker, each_seed_has_an_order_of_its_own) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    const std::vector<int> ran = order_of(seed);
    EXPECT_EQ(ran.size(), 150U);
    orders.insert(ran);
  }
  EXPECT_EQ(orders.size(), 64U);
}

TEST(worker, each_seed_has_random_numbers_of_its_own) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    worker w(default_reactor());
    w.use_seed(seed);
    const std::uint64_t high = w.random().next();
    first.insert(high << 32 | w.random().next());
  }
  EXPECT_EQ(first.size(), 64U);
}

// ---------------------------------------------------------------- hooks, counters

struct seen_by_hooks {
  std::vector<task*> woken;
  std::vector<task*> others;
};

TEST_F(worker_test, hooks_see_wake_ups) {
  seen_by_hooks seen;
  weft::core::hooks table;
  table.wake = [](void* c, task& t) { static_cast<seen_by_hooks*>(c)->woken.push_back(&t); };
  table.context = &seen;
  w.observe(&table);
  EXPECT_EQ(w.observer(), &table);
  function_task a([] {});
  function_task b([] {});
  w.ready(a);
  w.post(b);
  w.run();
  EXPECT_EQ(seen.woken, (std::vector<task*>{&a, &b}));
  w.observe(nullptr);
  w.ready(a);
  w.run();
  EXPECT_EQ(seen.woken.size(), 2U);
}

TEST_F(worker_test, counters_count) {
  function_task a([](function_task& t, worker& at) {
    if (t.runs < 10) at.ready(t);
  });
  function_task b([] {});
  w.ready(a);
  w.post(b);
  w.run();
  EXPECT_EQ(w.count().runs, 11U);
  EXPECT_EQ(w.count().posts, 1U);
  EXPECT_EQ(w.count().parks, 0U);
  w.add_source();
  w.turn(1000);
  w.drop_source();
  EXPECT_EQ(w.count().parks, 1U);
  EXPECT_GE(w.count().polls, 1U);
}

TEST_F(worker_test, tasks_have_their_state) {
  function_task t([] {});
  EXPECT_EQ(t.state, weft::core::task_state::fresh);
  w.ready(t);
  EXPECT_EQ(t.state, weft::core::task_state::runnable);
}

}  // namespace
}  // namespace weft_test
