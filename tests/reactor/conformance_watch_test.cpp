// SPDX-License-Identifier: MIT
// A backend that another loop watches, and one that blocks outside its worker's gate.
#include <poll.h>

#include <chrono>
#include <deque>
#include <thread>

#include "fixture.hpp"
#include "weft/core/gate.hpp"

using namespace weft_test;

namespace {

constexpr direction in = direction::in;
constexpr int for_ever = -1;

bool is_readable(int fd, int milliseconds) {
  pollfd p = {fd, POLLIN, 0};
  return ::poll(&p, 1, milliseconds) == 1;
}

class reactor_watched : public reactor_test {
 protected:
  void SetUp() override {
    reactor_test::SetUp();
    if (io && io->watch_fd() < 0) GTEST_SKIP() << "nothing to watch";
  }
};

TEST_P(reactor_watched, an_event_shows_until_it_is_fetched) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  for (int i = 0; i < 3; ++i) {
    d.not_ready(in);
    performer p;
    p.await(*io, d, in);
    const int watched = io->watch_fd();
    EXPECT_FALSE(is_readable(watched, 0));
    put(b.get(), "x");
    EXPECT_TRUE(is_readable(watched, for_ever));
    poll();
    EXPECT_TRUE(p.woken());
    EXPECT_EQ(take(d.fd), "x");
  }
  EXPECT_FALSE(is_readable(io->watch_fd(), 0));
}

TEST_P(reactor_watched, what_came_before_shows) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  d.not_ready(in);
  performer p;
  p.await(*io, d, in);
  put(b.get(), "x");
  EXPECT_TRUE(is_readable(io->watch_fd(), for_ever));
  poll();
  EXPECT_TRUE(p.woken());
}

TEST_P(reactor_watched, a_wake_shows) {
  poll();
  for (int i = 0; i < 3; ++i) {
    const int watched = io->watch_fd();
    EXPECT_FALSE(is_readable(watched, 0));
    std::thread([&] { io->wake(); }).join();
    EXPECT_TRUE(is_readable(watched, for_ever));
    EXPECT_GT(io->wait(0), 0);
  }
  EXPECT_FALSE(is_readable(io->watch_fd(), 0));
}

TEST_P(reactor_watched, a_wake_ends_a_wait_all_the_same) {
  io->wait(1'000'000);
  for (int i = 0; i < 3; ++i) {
    ASSERT_GE(io->watch_fd(), 0);
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // it waits by then, or soon
      io->wake();
    });
    constexpr nanoseconds ten_seconds = 10'000'000'000;
    const nanoseconds begin = weft::core::clock_now();
    int events = 0;
    while (events == 0 && weft::core::clock_now() - begin < ten_seconds)
      events = io->wait(ten_seconds);
    other.join();
    EXPECT_GT(events, 0);
  }
}

TEST_P(reactor_watched, of_many_events_none_is_left) {
  constexpr int count = 200;
  std::deque<attached> all;
  std::vector<unique_fd> peers;
  std::deque<performer> waiting(count);
  for (performer& p : waiting) {
    auto [a, b] = local_pair();
    peers.push_back(std::move(b));
    attached& d = all.emplace_back(*io, std::move(a));
    d.not_ready(in);
    p.await(*io, d, in);
  }
  poll();
  for (const unique_fd& p : peers) put(p.get(), "x");
  for (performer& p : waiting)
    while (!p.woken()) {
      EXPECT_TRUE(is_readable(io->watch_fd(), for_ever));
      io->wait(0);
    }
}

class reactor_gated : public reactor_test {};

TEST_P(reactor_gated, others_are_inside_while_it_blocks) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  weft::core::gate inside;
  for (int i = 0; i < 100; ++i) {
    d.not_ready(in);
    performer p;
    p.await(*io, d, in);
    std::thread other([&] {
      inside.enter();
      EXPECT_FALSE(p.woken());
      put(b.get(), "x");
      inside.leave();
    });
    while (!p.woken()) {
      io->block(forever, inside);
      io->wait(0);
    }
    other.join();
    EXPECT_EQ(take(d.fd), "x");
  }
}

TEST_P(reactor_gated, a_wake_ends_it_and_so_does_its_time) {
  weft::core::gate inside;
  std::thread other([&] { io->wake(); });
  int events = 0;
  while (events == 0) {
    io->block(forever, inside);
    events = io->wait(0);
  }
  other.join();
  const nanoseconds begin = weft::core::clock_now();
  while (weft::core::clock_now() - begin < 1'000'000) io->block(1'000'000, inside);
  EXPECT_FALSE(inside.is_wanted());
}

INSTANTIATE_TEST_SUITE_P(backends, reactor_watched, backends(), backend_name);
INSTANTIATE_TEST_SUITE_P(backends, reactor_gated, backends(), backend_name);

}  // namespace
