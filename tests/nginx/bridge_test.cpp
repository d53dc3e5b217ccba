// SPDX-License-Identifier: MIT
// The bridge without nginx: this file is its event loop, and the library.
#include "nginx/bridge.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "foreign/queue.hpp"
#include "weft/foreign.h"

namespace {

using weft::foreign::queue;

/// Echoes until it is unloaded.
class echo {
 public:
  explicit echo(std::size_t limit = 65536) : queue_(queue::make(limit, nullptr)) {}
  ~echo() {
    weft_nginx_unload(library());
    if (thread_.joinable()) thread_.join();
  }
  void start() {
    thread_ = std::thread([q = queue_->token()] {
      while (weft_task* const task = weft_task_poll(q)) {
        std::size_t size = 0;
        const char* const request = weft_task_request(task, &size);
        weft_task_respond_copy(task, static_cast<int>(size), request, size);
      }
    });
  }
  weft_nginx_library* library() { return reinterpret_cast<weft_nginx_library*>(queue_); }
  weft_task* poll_now() {
    weft_task* task = nullptr;
    return weft_task_poll_many(queue_->token(), &task, 1, 0) == 1 ? task : nullptr;
  }

 private:
  queue* queue_;
  std::thread thread_;
};

class bridge_test : public testing::Test {
 protected:
  ~bridge_test() override { weft_nginx_close(bridge); }

  weft_nginx_call* ask(echo& of, const std::string& text) {
    weft_nginx_call* const c = weft_nginx_call_new(bridge, ++number);
    EXPECT_EQ(weft_nginx_post(c, of.library(), "ask", text.data(), text.size(), 0),
              weft_nginx_posted);
    return c;
  }
  std::string answer(weft_nginx_call* c) { return {c->answer, c->answer_size}; }
  /// All that is done, the bell being watched at fd.
  std::vector<weft_nginx_call*> wait_for(std::size_t n, int fd) {
    std::vector<weft_nginx_call*> done;
    while (done.size() < n) {
      weft_nginx_call* some[4];
      int taken;
      while ((taken = weft_nginx_take(bridge, some, 4)) > 0)
        done.insert(done.end(), some, some + taken);
      if (weft_nginx_settle(bridge) || done.size() >= n) continue;
      pollfd watched = {fd, POLLIN, 0};
      EXPECT_EQ(poll(&watched, 1, 600'000), 1) << "the bell does not ring";
      char rung[64];
      if (read(fd, rung, sizeof rung) <= 0) break;
    }
    return done;
  }

  weft_nginx* bridge = weft_nginx_open();
  uint32_t number = 0;
};

TEST_F(bridge_test, an_eventfd_rings) {
  echo library;
  const int fd = weft_nginx_eventfd(bridge);
  ASSERT_GE(fd, 0);
  weft_nginx_settle(bridge);
  library.start();
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 10; ++i) ask(library, std::string(static_cast<std::size_t>(round), 'x'));
    for (weft_nginx_call* c : wait_for(10, fd)) {
      EXPECT_EQ(c->done, 1);
      EXPECT_EQ(c->status, round);
      EXPECT_EQ(answer(c), std::string(static_cast<std::size_t>(round), 'x'));
      weft_nginx_leave(c);
      EXPECT_EQ(c->answer, nullptr);
    }
  }
}

TEST_F(bridge_test, a_socket_rings) {
  echo library;
  char path[128];
  ASSERT_EQ(weft_nginx_listen(bridge, path, sizeof path), 0);
  EXPECT_EQ(access(path, F_OK), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(std::strlen(path), sizeof address.sun_path);
  std::memcpy(address.sun_path, path, std::strlen(path) + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(weft_nginx_accept(bridge), 0);
  EXPECT_NE(access(path, F_OK), 0) << "its name is to go";
  weft_nginx_settle(bridge);
  library.start();
  for (int round = 0; round < 50; ++round) {
    ask(library, "hello");
    for (weft_nginx_call* c : wait_for(1, fd)) EXPECT_EQ(answer(c), "hello");
  }
  close(fd);
}

TEST_F(bridge_test, accept_without_a_connection) {
  char path[128];
  ASSERT_EQ(weft_nginx_listen(bridge, path, sizeof path), 0);
  EXPECT_EQ(weft_nginx_accept(bridge), EAGAIN);
  EXPECT_NE(access(path, F_OK), 0);
}

TEST_F(bridge_test, who_leaves_cancels) {
  echo library;
  weft_nginx_call* const c = ask(library, "hello");
  weft_task* const task = library.poll_now();
  ASSERT_NE(task, nullptr);
  EXPECT_EQ(weft_task_cancelled(task), 0);
  weft_nginx_leave(c);
  EXPECT_NE(weft_task_cancelled(task), 0);
  weft_task_respond_copy(task, 0, "late", 4);
  weft_nginx_call* some[1];
  EXPECT_EQ(weft_nginx_take(bridge, some, 1), 0);
  EXPECT_EQ(c->answer, nullptr);
}

TEST_F(bridge_test, who_leaves_a_call_that_is_done_and_not_taken) {
  echo library;
  weft_nginx_call* const first = ask(library, "a");
  weft_nginx_call* const second = ask(library, "b");
  for (int i = 0; i < 2; ++i) weft_task_respond_copy(library.poll_now(), 0, "x", 1);
  weft_nginx_call* some[1];
  ASSERT_EQ(weft_nginx_take(bridge, some, 1), 1);
  EXPECT_EQ(some[0], first);
  weft_nginx_leave(second);
  EXPECT_EQ(weft_nginx_take(bridge, some, 1), 0);
}

TEST_F(bridge_test, parts_are_put_together) {
  echo library;
  weft_nginx_call* const c = ask(library, "hello");
  weft_task* const task = library.poll_now();
  for (const char* text : {"one ", "", "two "})
    weft_task_respond_part(task, strdup(text), std::strlen(text));
  weft_task_respond_copy(task, 0, "three", 5);
  weft_nginx_call* some[1];
  ASSERT_EQ(weft_nginx_take(bridge, some, 1), 1);
  EXPECT_EQ(answer(c), "one two three");
}

TEST_F(bridge_test, refusals) {
  echo library(1);
  ask(library, "hello");
  weft_nginx_call* const c = weft_nginx_call_new(bridge, 7);
  EXPECT_EQ(weft_nginx_post(c, library.library(), "ask", "x", 1, 0), weft_nginx_full);
  weft_nginx_unload(library.library());
  EXPECT_EQ(weft_nginx_post(c, library.library(), "ask", "x", 1, 0), weft_nginx_unloaded);
  weft_nginx_loaded made;
  weft_nginx_load(bridge, "/nowhere/libnothing.so", nullptr, 1, 0, &made);
  EXPECT_EQ(made.library, nullptr);
  EXPECT_STREQ(made.code, "ENOEXEC");
  EXPECT_NE(std::strstr(made.message, "/nowhere/libnothing.so"), nullptr);
}

TEST_F(bridge_test, the_library_is_told_the_deadline) {
  echo library;
  weft_nginx_call* const c = weft_nginx_call_new(bridge, 1);
  const int64_t before = weft::core::clock_now();
  ASSERT_EQ(weft_nginx_post(c, library.library(), "ask", nullptr, 0, 1.5), weft_nginx_posted);
  weft_task* const task = library.poll_now();
  EXPECT_GE(weft_task_deadline(task), before + 1'500'000'000);
  EXPECT_LE(weft_task_deadline(task), weft::core::clock_now() + 1'500'000'000);
}

TEST(bridge, closes_with_calls_out) {
  echo library;
  weft_nginx* const bridge = weft_nginx_open();
  for (uint32_t i = 0; i < 3; ++i)
    weft_nginx_post(weft_nginx_call_new(bridge, i), library.library(), "ask", "x", 1, 0);
  weft_task* const task = library.poll_now();
  weft_nginx_close(bridge);
  EXPECT_NE(weft_task_cancelled(task), 0);
  weft_task_respond_copy(task, 0, "late", 4);
}

TEST(bridge, its_folder) {
  EXPECT_EQ(std::string(weft_nginx_folder()).find(".so"), std::string::npos);
}

}  // namespace
