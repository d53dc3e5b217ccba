// SPDX-License-Identifier: MIT
// Queues, calls and hosts, without a worker: the host is the test's own thread.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "foreign/host.hpp"

namespace {

using weft::foreign::call;
using weft::foreign::host;
using weft::foreign::part;
using weft::foreign::queue;
using weft::foreign::request;

constexpr auto forever = weft::core::forever;

/// A host that sleeps on a condition variable.
class sleeper {
 public:
  sleeper() : host_(host::open(wake, this)) {}

  host& at() { return *host_; }
  void close() { host_.reset(); }
  int notified() const { return notified_.load(); }

  call* post(queue& q, const std::string& bytes) {
    return at().post(q, {bytes.data(), bytes.size(), nullptr, nullptr}, forever).made;
  }
  /// Until `pending` calls are left.
  void run_until(std::size_t pending) {
    at().flush();
    for (;;) {
      at().deliver();
      if (at().pending() <= pending) return;
      if (!at().arm()) continue;
      std::unique_lock held(mutex_);
      bell_.wait(held, [this] { return rung_; });
      rung_ = false;
    }
  }

 private:
  static void wake(void* self) noexcept {
    auto& s = *static_cast<sleeper*>(self);
    s.notified_.fetch_add(1);
    const std::lock_guard held(s.mutex_);
    s.rung_ = true;
    s.bell_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable bell_;
  bool rung_ = false;
  std::atomic<int> notified_{0};
  host::pointer host_;
};

char* copy_of(const std::string& s) {
  char* const p = static_cast<char*>(std::malloc(s.size() + 1));
  std::memcpy(p, s.c_str(), s.size() + 1);
  return p;
}

std::string answer_of(const call& c) {
  return c.answer ? std::string(c.answer, c.answer_size) : "(none)";
}

/// A library with some threads, each of which answers what it is sent.
class echoing {
 public:
  echoing(queue& q, int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([&q] { serve(q.token()); });
  }
  ~echoing() {
    for (std::thread& t : threads_) t.join();
  }

 private:
  static void serve(weft_queue* q) {
    while (weft_task* t = weft_task_poll(q)) {
      std::size_t n = 0;
      const char* bytes = weft_task_request(t, &n);
      EXPECT_EQ(weft_task_respond_copy(t, 0, bytes, n), 0);
    }
  }
  std::vector<std::thread> threads_;
};

TEST(foreign_queue, one_call_there_and_back) {
  sleeper s;
  queue& q = *queue::make(10, "config");
  EXPECT_STREQ(q.config(), "config");
  {
    const echoing library(q, 1);
    call* const c = s.post(q, "hello");
    ASSERT_NE(c, nullptr);
    s.run_until(0);
    EXPECT_TRUE(c->arrived);
    EXPECT_EQ(answer_of(*c), "hello");
    EXPECT_EQ(c->status, 0);
    s.at().leave(*c);
    q.finish();
  }
}

TEST(foreign_queue, many_calls_many_pollers_short_and_long) {
  sleeper s;
  queue& q = *queue::make(65536, nullptr);
  EXPECT_EQ(q.config(), nullptr);
  const echoing library(q, 4);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<call*, std::string>> calls;
    for (int i = 0; i < 200; ++i) {
      std::string bytes(static_cast<std::size_t>(i * 3), static_cast<char>('a' + i % 26));
      calls.emplace_back(s.post(q, bytes), bytes);
    }
    s.run_until(0);
    for (auto& [c, bytes] : calls) {
      ASSERT_TRUE(c->arrived);
      ASSERT_EQ(answer_of(*c), bytes);
      s.at().leave(*c);
    }
  }
  q.finish();
}

TEST(foreign_queue, the_limit_counts_what_nobody_has_taken) {
  sleeper s;
  queue& q = *queue::make(2, nullptr);
  ASSERT_NE(s.post(q, "1"), nullptr);
  ASSERT_NE(s.post(q, "2"), nullptr);
  const host::posting refused = s.at().post(q, {"3", 1, nullptr, nullptr}, forever);
  EXPECT_EQ(refused.how, host::outcome::full);
  weft_task* t = nullptr;
  ASSERT_EQ(weft_task_poll_many(q.token(), &t, 1, 0), 1);
  EXPECT_NE(s.post(q, "3"), nullptr);
  EXPECT_EQ(s.post(q, "4"), nullptr);
}

TEST(foreign_queue, a_task_knows_the_name_it_was_called_by_until_it_is_answered) {
  sleeper s;
  queue& q = *queue::make(2, nullptr);
  request named{"1", 1};
  named.method = "greet";
  ASSERT_NE(s.at().post(q, named, forever).made, nullptr);
  ASSERT_NE(s.post(q, "2"), nullptr);
  weft_task* tasks[2] = {};
  ASSERT_EQ(weft_task_poll_many(q.token(), tasks, 2, 0), 2);
  EXPECT_STREQ(weft_foreign_functions()->method(tasks[0]), "greet");
  EXPECT_STREQ(weft_task_method(tasks[1]), "");
  for (weft_task* task : tasks) EXPECT_EQ(weft_task_respond(task, 0, nullptr, 0), 0);
  EXPECT_STREQ(weft_task_method(tasks[0]), "");
  s.run_until(0);
}

TEST(foreign_queue, the_end_drains_first_and_stays) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  ASSERT_NE(s.post(q, "1"), nullptr);
  ASSERT_NE(s.post(q, "2"), nullptr);
  q.finish();
  EXPECT_EQ(s.at().post(q, {"3", 1, nullptr, nullptr}, forever).how, host::outcome::finished);
  EXPECT_NE(weft_task_poll(q.token()), nullptr);
  EXPECT_NE(weft_task_poll(q.token()), nullptr);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(weft_task_poll(q.token()), nullptr);
  weft_task* t = nullptr;
  EXPECT_EQ(weft_task_poll_many(q.token(), &t, 1, 0), -1);
}

TEST(foreign_queue, the_end_wakes_every_parked_poller) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  std::atomic<int> ended{0};
  std::vector<std::thread> pollers;
  for (int i = 0; i < 5; ++i)
    pollers.emplace_back([&] {
      if (!weft_task_poll(q.token())) ++ended;
    });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  q.finish();
  for (std::thread& t : pollers) t.join();
  EXPECT_EQ(ended.load(), 5);
}

TEST(foreign_queue, a_poll_with_a_limit_in_time) {
  queue& q = *queue::make(10, nullptr);
  weft_task* t = nullptr;
  EXPECT_EQ(weft_task_poll_many(q.token(), &t, 1, 0), 0);
  const auto before = weft::core::clock_now();
  EXPECT_EQ(weft_task_poll_many(q.token(), &t, 1, 5'000'000), 0);
  EXPECT_GE(weft::core::clock_now() - before, 5'000'000);
}

TEST(foreign_queue, batches) {
  sleeper s;
  queue& q = *queue::make(100, nullptr);
  for (int i = 0; i < 10; ++i) s.post(q, std::to_string(i));
  weft_task* tasks[8];
  ASSERT_EQ(weft_task_poll_many(q.token(), tasks, 8, -1), 8);
  EXPECT_STREQ(weft_task_request(tasks[7], nullptr), "7");
  ASSERT_EQ(weft_task_poll_many(q.token(), tasks, 8, -1), 2);
  EXPECT_STREQ(weft_task_request(tasks[0], nullptr), "8");
}

TEST(foreign_call, kinds_of_answers) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  struct {
    int status;
    const char* data;
    std::size_t size;
    const char* arrives;
  } const kinds[] = {{0, nullptr, 0, "(none)"},
                     {0, nullptr, 7, "(none)"},
                     {3, "a C string", 0, "a C string"},
                     {0, "", 0, ""},
                     {-1, "cut short", 3, "cut"}};
  for (const auto& k : kinds) {
    call* const c = s.post(q, "?");
    weft_task* const t = weft_task_poll(q.token());
    EXPECT_EQ(weft_task_respond(t, k.status, k.data ? copy_of(k.data) : nullptr, k.size), 0);
    s.run_until(0);
    EXPECT_EQ(c->status, k.status);
    EXPECT_EQ(answer_of(*c), k.arrives);
    s.at().leave(*c);
  }
}

TEST(foreign_call, the_request_given_back_short_long_and_lent) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  static int released;
  released = 0;
  std::string lent = "lent bytes";
  const std::string bytes[] = {"short", std::string(1000, 'x')};
  const auto echo = [&](call* c, const std::string& expected) {
    weft_task* const t = weft_task_poll(q.token());
    std::size_t n = 0;
    char* const data = weft_task_request(t, &n);
    EXPECT_EQ(weft_task_respond(t, 0, data, n), 0);
    s.run_until(0);
    EXPECT_EQ(answer_of(*c), expected);
    s.at().leave(*c);
  };
  for (const std::string& b : bytes) echo(s.post(q, b), b);
  const request r = {lent.data(), lent.size(), [](void*) noexcept { ++released; }, nullptr};
  call* const c = s.at().post(q, r, forever).made;
  EXPECT_EQ(c->data, lent.data());
  echo(c, lent);
  EXPECT_EQ(released, 1);
}

TEST(foreign_call, a_second_answer_is_refused_also_of_a_place_that_is_used_again) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  call* const c = s.post(q, "1");
  weft_task* const t = weft_task_poll(q.token());
  EXPECT_EQ(weft_task_cancelled(t), 0);
  EXPECT_EQ(weft_task_respond(t, 0, nullptr, 0), 0);
  testing::internal::CaptureStderr();
  EXPECT_EQ(weft_task_respond_copy(t, 0, "x", 1), -1);
  s.run_until(0);
  s.at().leave(*c);
  call* const again = s.post(q, "2");
  EXPECT_EQ(again, c) << "the place was not used again: the test shows less than it should";
  char second[] = "y";
  EXPECT_EQ(weft_task_respond(t, 0, second, 1), -1);
  ngx_http_lua_ffi_respond(t, 0, second, 1);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 3) << log;
  EXPECT_NE(log.find("answered before"), std::string::npos);
  EXPECT_FALSE(again->arrived);
  EXPECT_EQ(weft_task_request(t, nullptr), nullptr);
  EXPECT_NE(weft_task_cancelled(t), 0);
}

TEST(foreign_call, tokens_that_are_none) {
  EXPECT_EQ(weft_task_request(nullptr, nullptr), nullptr);
  const auto wild = reinterpret_cast<weft_task*>(~std::uintptr_t{0});
  EXPECT_EQ(weft_task_request(wild, nullptr), nullptr);
  EXPECT_NE(weft_task_cancelled(wild), 0);
  testing::internal::CaptureStderr();
  EXPECT_EQ(weft_task_respond(wild, 0, nullptr, 0), -1);
  EXPECT_FALSE(testing::internal::GetCapturedStderr().empty());
}

TEST(foreign_call, who_has_left_is_told_of_and_not_served) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  call* const taken = s.post(q, "taken");
  weft_task* const t = weft_task_poll(q.token());
  s.at().leave(*taken);
  EXPECT_NE(weft_task_cancelled(t), 0);
  EXPECT_STREQ(weft_task_request(t, nullptr), "taken");
  call* const queued = s.post(q, std::string(1000, 'q'));
  s.at().leave(*queued);
  EXPECT_EQ(queued->data, nullptr) << "the request of a call that nobody has taken is kept";
  call* const third = s.post(q, "third");
  weft_task* const next = weft_task_poll(q.token());
  EXPECT_STREQ(weft_task_request(next, nullptr), "third");
  EXPECT_EQ(weft_task_respond(t, 0, copy_of("late"), 4), 0);
  EXPECT_EQ(weft_task_respond(next, 0, copy_of("in time"), 0), 0);
  s.run_until(0);
  EXPECT_EQ(answer_of(*third), "in time");
  EXPECT_EQ(s.at().pending(), 0U);
}

TEST(foreign_call, deadlines) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  call* const c = s.at().post(q, {"x", 1, nullptr, nullptr}, 12345).made;
  weft_task* const t = weft_task_poll(q.token());
  EXPECT_EQ(weft_task_deadline(t), 12345);
  weft_task_respond(t, 0, nullptr, 0);
  EXPECT_EQ(weft_task_deadline(t), INT64_MAX);
  s.run_until(0);
  s.at().leave(*c);
}

TEST(foreign_call, parts_of_a_call_that_is_no_stream_count_as_read) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  call* const c = s.post(q, "gather");
  weft_task* const t = weft_task_poll(q.token());
  for (const char* p : {"one", "two"}) EXPECT_EQ(weft_task_respond_part(t, copy_of(p), 0), 0);
  EXPECT_EQ(weft_task_unread_parts(t), 2);
  s.at().deliver();
  EXPECT_EQ(weft_task_unread_parts(t), 0);
  EXPECT_EQ(weft_task_respond(t, 0, nullptr, 0), 0);
  s.run_until(0);
  s.at().leave(*c);
}

TEST(foreign_call, parts_arrive_in_order_and_are_counted) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  call* const c = s.post(q, "stream");
  c->streams = true;
  weft_task* const t = weft_task_poll(q.token());
  for (const char* p : {"one", "two", "three"})
    EXPECT_EQ(weft_task_respond_part(t, copy_of(p), 0), 0);
  EXPECT_EQ(weft_task_unread_parts(t), 3);
  s.at().deliver();
  for (const char* p : {"one", "two"}) {
    part* const got = host::take_part(*c);
    ASSERT_NE(got, nullptr);
    EXPECT_EQ(std::string(got->data, got->size), p);
    host::free_part(got);
  }
  EXPECT_EQ(weft_task_unread_parts(t), 1);
  EXPECT_EQ(weft_task_respond(t, 0, copy_of("end"), 3), 0);
  EXPECT_EQ(weft_task_respond_part(t, nullptr, 0), -1);
  EXPECT_EQ(weft_task_unread_parts(t), -1);
  s.run_until(0);
  EXPECT_EQ(answer_of(*c), "end");
  s.at().leave(*c);  // with a part that nobody has read
}

TEST(foreign_call, parts_that_race_the_answer_are_taken_or_refused) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  std::atomic<weft_task*> current{nullptr};
  std::atomic<bool> over{false};
  std::thread sender([&] {
    while (!over.load()) {
      char* const bytes = copy_of("part");
      if (weft_task_respond_part(current.load(), bytes, 4) != 0) std::free(bytes);
    }
  });
  for (int i = 0; i < 20000; ++i) {
    call* const c = s.post(q, "x");
    weft_task* const t = weft_task_poll(q.token());
    current.store(t);
    EXPECT_EQ(weft_task_respond_copy(t, 0, "end", 3), 0);
    s.run_until(0);
    EXPECT_EQ(answer_of(*c), "end");
    s.at().leave(*c);
  }
  over.store(true);
  sender.join();
  s.at().deliver();
}

TEST(foreign_host, is_notified_once_for_many_answers) {
  sleeper s;
  queue& q = *queue::make(10, nullptr);
  std::vector<call*> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(s.post(q, "x"));
  ASSERT_TRUE(s.at().arm());
  weft_task* tasks[5];
  ASSERT_EQ(weft_task_poll_many(q.token(), tasks, 5, 0), 5);
  for (weft_task* t : tasks) weft_task_respond(t, 0, nullptr, 0);
  EXPECT_EQ(s.notified(), 1);
  EXPECT_FALSE(s.at().arm());
  EXPECT_EQ(s.at().deliver(), 5U);
  EXPECT_EQ(s.at().deliver(), 0U);
  for (call* c : calls) s.at().leave(*c);
}

TEST(foreign_host, may_go_before_the_answers_come) {
  queue& q = *queue::make(10, nullptr);
  weft_task* taken = nullptr;
  call* held = nullptr;
  {
    sleeper s;
    held = s.post(q, "taken");
    held->holder = &held;
    taken = weft_task_poll(q.token());
    s.post(q, "queued");
    s.close();
    EXPECT_EQ(held, nullptr);
    EXPECT_NE(weft_task_cancelled(taken), 0);
  }
  sleeper other;  // has the same place in the pool
  EXPECT_EQ(weft_task_respond(taken, 0, copy_of("late"), 0), 0);
  other.at().deliver();
  call* const c = other.post(q, "mine");
  weft_task* const mine = weft_task_poll(q.token());
  EXPECT_STREQ(weft_task_request(mine, nullptr), "mine") << "a call of a host that has gone";
  weft_task_respond(mine, 0, copy_of("yes"), 0);
  other.run_until(0);
  EXPECT_EQ(answer_of(*c), "yes");
  other.at().leave(*c);
}

TEST(foreign_host, is_forgotten_in_the_child_of_a_fork) {
  const auto forget = [] {
    host::pointer h = host::open(+[](void*) noexcept {}, nullptr);
    call* held = h->post(*queue::make(1, nullptr), {}, forever).made;
    held->holder = &held;
    h.release()->forget();
    std::_Exit(held ? 1 : 0);
  };
  EXPECT_EXIT(forget(), testing::ExitedWithCode(0), "");
}

TEST(foreign_host, callbacks_may_post_and_leave) {
  sleeper s;
  queue& q = *queue::make(100, nullptr);
  struct loop {
    sleeper& s;
    queue& q;
    int left;
    void go() {
      call* const c = s.post(q, "again");
      s.at().on_arrival(*c, arrived, this);
    }
    static void arrived(call& c, void* context) noexcept {
      auto& l = *static_cast<loop*>(context);
      l.s.at().leave(c);
      if (--l.left > 0) l.go();
      l.s.at().flush();
    }
  } l{s, q, 1000};
  {
    const echoing library(q, 2);
    l.go();
    s.run_until(0);
    q.finish();
  }
  EXPECT_EQ(l.left, 0);
}

}  // namespace
