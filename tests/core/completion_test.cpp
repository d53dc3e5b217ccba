// SPDX-License-Identifier: MIT
// Invariants: one finish() counts, from whatever thread, before, during or after the wait; what was
// written before it is seen by the waiter; a pending one keeps its worker waiting; both references
// are given back whichever side goes first, the worker too.
#include "weft/core/completion.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "support.hpp"
#include "weft/core/lock.hpp"
#include "worker_fixture.hpp"

namespace weft_test {
namespace {

using weft::core::forever;
using weft::core::worker;
using outcome = worker::outcome;

weft::core::atomic<int> alive{0};

struct reply : weft::core::completion {
  explicit reply(worker& home) noexcept : completion(home) { alive.fetch_add(1); }
  int value = 0;  // by the finisher, without synchronisation of its own

 protected:
  ~reply() override { alive.fetch_sub(1); }
};

class completion_test : public testing::Test {
 protected:
  void SetUp() override {
    alive = 0;
    w = std::make_unique<worker>(default_reactor());
    here = std::make_unique<worker::driving>(*w);
  }
  void TearDown() override {
    end_worker();
    EXPECT_EQ(alive.load(), 0) << "a reference is left";
  }
  void end_worker() {
    here.reset();
    w.reset();
  }
  /// Waits for r unless it is there; the task runs when it is.
  static bool await(reply& r, function_task& t) {
    if (r.arrived()) return false;
    r.await(t.begin());
    return true;
  }

  std::unique_ptr<worker> w;
  std::unique_ptr<worker::driving> here;
};

TEST_F(completion_test, finished_on_home) {
  auto* r = new reply(*w);
  function_task waiter([&] {
    EXPECT_EQ(r->value, 7);
    r->drop_reference();
  });
  EXPECT_TRUE(await(*r, waiter));
  r->value = 7;
  EXPECT_FALSE(r->arrived());
  EXPECT_TRUE(r->finish());
  EXPECT_FALSE(r->arrived()) << "it arrives through the inbox";
  EXPECT_EQ(w->run(), outcome::idle);
  EXPECT_EQ(waiter.runs, 1);
}

TEST_F(completion_test, finished_before_anybody_waits) {
  auto* r = new reply(*w);
  EXPECT_TRUE(r->finish());
  EXPECT_EQ(w->run(), outcome::idle);
  EXPECT_TRUE(r->arrived());
  r->drop_reference();
}

TEST_F(completion_test, a_second_finish_is_refused) {
  auto* r = new reply(*w);
  r->add_reference();  // the second finisher's
  EXPECT_TRUE(r->finish());
  EXPECT_FALSE(r->finish());
  EXPECT_EQ(w->run(), outcome::idle);
  EXPECT_FALSE(r->finish());
  r->drop_reference();
  EXPECT_EQ(alive.load(), 1);
  r->drop_reference();
}

TEST_F(completion_test, all_who_wait_are_woken_once) {
  auto* r = new reply(*w);
  function_task a([] {});
  function_task b([] {});
  function_task c([] {});
  for (function_task* t : {&a, &b, &c}) await(*r, *t);
  EXPECT_TRUE(b.complete_at_home(9));  // by another arm, and not retracted yet
  r->finish();
  EXPECT_EQ(w->run(), outcome::idle);
  EXPECT_EQ(a.runs, 1);
  EXPECT_EQ(b.runs, 0);
  EXPECT_EQ(c.runs, 1);
  EXPECT_FALSE(b.record.linked());
  r->drop_reference();
}

TEST_F(completion_test, a_waiter_that_has_gone_is_not_woken) {
  auto* r = new reply(*w);
  {
    function_task waiter([] {});
    await(*r, waiter);
    EXPECT_TRUE(waiter.complete_at_home(weft::core::winner_cancelled));
    waiter.record.unlink();
    r->drop_reference();
  }
  EXPECT_EQ(alive.load(), 1);
  EXPECT_TRUE(r->finish());
  EXPECT_EQ(w->run(), outcome::idle);
}

TEST_F(completion_test, a_pending_one_is_a_source) {
  const watchdog dog("a pending completion");
  auto* r = new reply(*w);
  EXPECT_EQ(w->turn(0), outcome::ran);
  EXPECT_EQ(w->turn(1000), outcome::ran);
  std::thread finisher([r] { r->finish(); });
  EXPECT_EQ(w->run(), outcome::idle);
  EXPECT_TRUE(r->arrived());
  finisher.join();
  r->drop_reference();
}

TEST_F(completion_test, finished_by_another_thread_any_number_of_times) {
  const watchdog dog("completions from a thread");
  const int rounds = scaled(50'000, 1'000);
  weft::core::atomic<reply*> handed{nullptr};
  weft::core::random_source random(1);
  reply* current = nullptr;
  int served = 0;
  function_task waiter([&](function_task& self, worker& at) {
    if (current) {
      EXPECT_TRUE(current->arrived());
      EXPECT_EQ(current->value, served);
      current->drop_reference();
      ++served;
    }
    current = nullptr;
    if (served == rounds) return;
    current = new reply(at);
    handed.store(current);
    handed.notify_one();
    for (std::uint32_t n = random.below(200); n; --n) weft::core::pause_cpu();
    await(*current, self);
  });
  std::thread finisher([&] {
    weft::core::random_source pause(2);
    for (int i = 0; i < rounds; ++i) {
      handed.wait(nullptr);
      reply* r = handed.exchange(nullptr);
      for (std::uint32_t n = pause.below(200); n; --n) weft::core::pause_cpu();
      r->value = i;
      EXPECT_TRUE(r->finish());
    }
  });
  w->ready(waiter);
  EXPECT_EQ(w->run(), outcome::idle);
  finisher.join();
  EXPECT_EQ(served, rounds);
}

TEST_F(completion_test, of_many_finishers_one_counts) {
  const watchdog dog("many finishers");
  for (int i = scaled(2'000, 100); i > 0; --i) {
    auto* r = new reply(*w);
    for (int n = 0; n < 2; ++n) r->add_reference();
    weft::core::atomic<int> counted{0};
    std::vector<std::thread> threads;
    for (int n = 0; n < 3; ++n)
      threads.emplace_back([&, r] {
        if (r->finish())
          counted.fetch_add(1);
        else
          r->drop_reference();
      });
    EXPECT_EQ(w->run(), outcome::idle);
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(counted.load(), 1);
    EXPECT_TRUE(r->arrived());
    r->drop_reference();
  }
}

// ---- the worker goes first ----

TEST_F(completion_test, finished_after_the_worker_has_gone) {
  auto* r = new reply(*w);
  end_worker();
  EXPECT_TRUE(r->finish());
  EXPECT_FALSE(r->arrived());
  r->drop_reference();
}

TEST_F(completion_test, dropped_after_the_worker_has_gone_then_finished) {
  auto* r = new reply(*w);
  end_worker();
  r->drop_reference();
  EXPECT_EQ(alive.load(), 1);
  EXPECT_TRUE(r->finish());
}

TEST_F(completion_test, the_worker_goes_with_one_in_its_inbox) {
  auto* r = new reply(*w);
  EXPECT_TRUE(r->finish());
  r->drop_reference();
  end_worker();
}

TEST_F(completion_test, the_worker_stops_with_one_that_has_come) {
  auto* r = new reply(*w);
  function_task stopper([](function_task&, worker& at) { at.stop(); });
  w->ready(stopper);
  EXPECT_TRUE(r->finish());
  r->drop_reference();
  EXPECT_EQ(w->run(), outcome::stopped);
  end_worker();
}

TEST_F(completion_test, the_worker_goes_while_threads_finish) {
  const watchdog dog("a worker that goes");
  for (int i = scaled(3'000, 200); i > 0; --i) {
    std::vector<reply*> replies;
    for (int n = 0; n < 4; ++n) replies.push_back(new reply(*w));
    weft::core::atomic<bool> go{false};
    std::thread finisher([&] {
      while (!go.load()) weft::core::pause_cpu();
      for (reply* r : replies) EXPECT_TRUE(r->finish());
    });
    go = true;
    if (i & 1) w->turn(0);
    end_worker();
    for (reply* r : replies) r->drop_reference();
    finisher.join();
    ASSERT_EQ(alive.load(), 0);
    SetUp();
  }
}

}  // namespace
}  // namespace weft_test
