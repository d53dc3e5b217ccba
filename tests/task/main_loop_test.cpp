// SPDX-License-Identifier: MIT
// A runtime inside somebody else's main loop: its descriptor, and what drives it.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "net_support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;
using weft::tcp_listener;
using weft::tcp_stream;
constexpr int for_ever = -1;

bool is_readable(int fd, int milliseconds) {
  pollfd p = {fd, POLLIN, 0};
  return ::poll(&p, 1, milliseconds) == 1;
}

std::vector<const char*> watchable_backends() {
  std::vector<const char*> names = weft_test::backend_names();
  std::erase_if(names, [](const char* name) { return std::strcmp(name, "select") == 0; });
  return names;
}

class MainLoop : public ::testing::TestWithParam<const char*> {
 protected:
  static weft::runtime_options options() {
    weft::runtime_options o;
    o.backend = GetParam();
    return o;
  }
  void TearDown() override {
    rt.reset();
    EXPECT_EQ(open_descriptors(), before);
  }

  /// As a main loop with nothing else to do.
  template <class Done>
  void loop_until(Done done) {
    while (!done()) {
      EXPECT_TRUE(is_readable(rt->event_fd(), for_ever));
      rt->poll_once();
    }
  }
  /// Runs all that can run now.
  void drain() {
    while (rt->poll_once()) {
    }
  }

  /// Nothing shows. For nothing it may, but not on and on: the kernel may tell of an end twice.
  bool is_quiet(int milliseconds = 0) {
    for (int i = 0; i < 5; ++i) {
      if (!is_readable(rt->event_fd(), milliseconds)) return true;
      EXPECT_FALSE(rt->poll_once());
    }
    return false;
  }

  long before = open_descriptors();
  std::unique_ptr<weft::runtime> rt = std::make_unique<weft::runtime>(options());
};
INSTANTIATE_TEST_SUITE_P(Backends, MainLoop, ::testing::ValuesIn(watchable_backends()),
                         [](const auto& i) { return std::string(i.param); });

task<> set(std::atomic<bool>* flag) {
  *flag = true;
  co_return;
}
task<> sleeps(std::chrono::nanoseconds d, std::atomic<bool>* over) {
  co_await weft::sleep(d);
  *over = true;
}
task<> waits(weft::event e) { co_await e.wait(); }

// ---------------------------------------------------------------- the descriptor

TEST_P(MainLoop, TheDescriptorIsTheSameAtEveryCall) {
  const int fd = rt->event_fd();
  EXPECT_GE(fd, 0);
  drain();
  EXPECT_EQ(rt->event_fd(), fd);
  rt->block_on(waits([] {
    weft::event e;
    e.set();
    return e;
  }()));
  EXPECT_EQ(rt->event_fd(), fd);
  std::thread([&] { EXPECT_EQ(rt->event_fd(), fd); }).join();
}

TEST_P(MainLoop, ASpawnByAnotherThreadShows) {
  const int fd = rt->event_fd();
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> ran = false;
    EXPECT_TRUE(is_quiet());
    std::thread([&] { rt->spawn(set, &ran).detach(); }).join();
    EXPECT_TRUE(is_readable(fd, for_ever));
    EXPECT_FALSE(ran);
    EXPECT_TRUE(rt->poll_once());
    EXPECT_TRUE(ran);
    EXPECT_FALSE(rt->poll_once());
  }
}

TEST_P(MainLoop, ASpawnByTheLoopItselfShowsAlsoBeforeTheFirstCall) {
  std::atomic<bool> first = false;
  std::atomic<bool> second = false;
  rt->spawn(set, &first).detach();
  const int fd = rt->event_fd();
  EXPECT_TRUE(is_readable(fd, for_ever));
  EXPECT_TRUE(rt->poll_once());
  EXPECT_TRUE(first);
  EXPECT_TRUE(is_quiet());
  rt->handle().spawn(set, &second).detach();
  EXPECT_TRUE(is_readable(fd, for_ever));
  EXPECT_TRUE(rt->poll_once());
  EXPECT_TRUE(second);
}

TEST_P(MainLoop, ATimerShowsWhenItIsDue) {
  rt->event_fd();
  for (const auto d : {1ms, 7ms, 0ms, 3ms}) {
    std::atomic<bool> over = false;
    const auto begin = weft::clock::now();
    rt->spawn(sleeps, d, &over).detach();
    loop_until([&] { return over.load(); });
    EXPECT_GE(weft::clock::now() - begin, d);
    EXPECT_TRUE(is_quiet());
    EXPECT_EQ(rt->next_deadline(), std::nullopt);
  }
}

TEST_P(MainLoop, AnEarlierTimerTakesTheLaterOnesPlace) {
  std::atomic<bool> far = false;
  std::atomic<bool> near = false;
  rt->spawn(sleeps, 1h, &far).detach();
  rt->event_fd();
  drain();
  EXPECT_TRUE(is_quiet());
  rt->spawn(sleeps, 2ms, &near).detach();
  loop_until([&] { return near.load(); });
  EXPECT_TRUE(is_quiet());
  EXPECT_FALSE(far);
  EXPECT_GT(rt->next_deadline().value(), weft::clock::now() + 30min);
}

struct local_pair {
  int fds[2];
  local_pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
  local_pair(const local_pair&) = delete;
  local_pair& operator=(const local_pair&) = delete;
  ~local_pair() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  void put() const { EXPECT_EQ(::write(fds[1], "x", 1), 1); }
};

task<> take_bytes(int fd, int count, std::atomic<int>* taken) {
  const weft::pollable p(fd);
  char byte;
  while (*taken < count)
    if (::read(fd, &byte, 1) == 1)
      ++*taken;
    else
      EXPECT_TRUE(co_await p.readable());
}

TEST_P(MainLoop, WhatTheKernelHasShows) {
  const local_pair pair;
  std::atomic<int> taken = 0;
  rt->spawn(take_bytes, pair.fds[0], 10, &taken).detach();
  rt->event_fd();
  for (int i = 1; i <= 10; ++i) {
    drain();
    EXPECT_TRUE(is_quiet());
    pair.put();
    loop_until([&] { return taken == i; });
  }
  drain();
  EXPECT_TRUE(is_quiet());
}

TEST_P(MainLoop, WhatCameBeforeTheFirstCallShowsToo) {
  const local_pair pair;
  std::atomic<int> taken = 0;
  rt->spawn(take_bytes, pair.fds[0], 1, &taken).detach();
  drain();
  pair.put();
  loop_until([&] { return taken == 1; });
}

task<> accepts(const tcp_listener* l) { static_cast<void>(co_await l->accept()); }

TEST_P(MainLoop, ARuntimeWithNothingToDoStaysQuiet) {
  const weft::event never;
  std::atomic<bool> over = false;
  const tcp_listener l = rt->block_on(listen());
  rt->event_fd();
  rt->spawn(waits, never).detach();
  rt->spawn(sleeps, 1h, &over).detach();
  rt->spawn(accepts, &l).detach();
  drain();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(is_quiet(2));
    EXPECT_FALSE(rt->poll_once());
  }
}

TEST_P(MainLoop, NoSpawnIsMissed) {
  constexpr int threads = 4;
  const int each = scaled(5000);
  std::atomic<int> ran = 0;
  rt->event_fd();
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&] {
      const weft::runtime_handle h = rt->handle();
      for (int n = 0; n < each; ++n) {
        h.spawn(
             [](std::atomic<int>* count) -> task<> {
               ++*count;
               co_return;
             },
             &ran)
            .detach();
        if (n % 16 == 0) std::this_thread::yield();
      }
    });
  loop_until([&] { return ran == threads * each; });
  for (std::thread& t : all) t.join();
  drain();
  EXPECT_TRUE(is_quiet());
}

TEST(MainLoopOfSelect, HasNoDescriptorButCanBePolled) {
  weft::runtime_options o;
  o.backend = "select";
  weft::runtime rt(o);
  try {
    rt.event_fd();
    FAIL() << "select has none";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::operation_not_supported);
  }
  std::atomic<bool> over = false;
  rt.spawn(sleeps, 2ms, &over).detach();
  while (!over) rt.poll_once(1h);
}

// ---------------------------------------------------------------- poll_once, next_deadline

TEST_P(MainLoop, PollOnceDoesNotWaitUnlessTold) {
  std::atomic<bool> over = false;
  EXPECT_FALSE(rt->poll_once());
  rt->spawn(sleeps, 1h, &over).detach();
  EXPECT_TRUE(rt->poll_once());
  EXPECT_FALSE(rt->poll_once());
  EXPECT_FALSE(rt->poll_once(-1s));
}

TEST_P(MainLoop, PollOnceWaitsAsLongAsTold) {
  for (const bool watched : {false, true}) {
    if (watched) rt->event_fd();
    const auto begin = weft::clock::now();
    EXPECT_FALSE(rt->poll_once(5ms));
    EXPECT_GE(weft::clock::now() - begin, 5ms);
  }
}

TEST_P(MainLoop, AWakeUpEndsTheWait) {
  for (const bool watched : {false, true}) {
    if (watched) rt->event_fd();
    for (const std::chrono::nanoseconds limit :
         {std::chrono::nanoseconds(1h), std::chrono::nanoseconds::max()}) {
      const weft::event e;
      auto h = rt->spawn(waits, e);
      drain();
      std::thread other([&] {
        std::this_thread::sleep_for(2ms);
        e.set();
      });
      EXPECT_TRUE(rt->poll_once(limit));
      EXPECT_TRUE(h.is_finished());
      other.join();
    }
  }
}

TEST_P(MainLoop, ATimerEndsTheWait) {
  std::atomic<bool> over = false;
  rt->spawn(sleeps, 3ms, &over).detach();
  drain();
  EXPECT_TRUE(over || rt->poll_once(1h));
  EXPECT_TRUE(over);
}

TEST_P(MainLoop, IoEndsTheWait) {
  const local_pair pair;
  std::atomic<int> taken = 0;
  rt->spawn(take_bytes, pair.fds[0], 1, &taken).detach();
  drain();
  pair.put();
  EXPECT_TRUE(rt->poll_once(1h));
  EXPECT_EQ(taken, 1);
}

TEST_P(MainLoop, NextDeadlineIsTheNextTimersOrNow) {
  EXPECT_EQ(rt->next_deadline(), std::nullopt);
  std::atomic<bool> over = false;
  const auto begin = weft::clock::now();
  rt->spawn(sleeps, 1h, &over).detach();
  const auto now = rt->next_deadline().value();
  EXPECT_LE(now, weft::clock::now());
  drain();
  const auto next = rt->next_deadline().value();
  EXPECT_GE(next, begin + 1h);
  EXPECT_LE(next, weft::clock::now() + 1h);
}

task<> yields(const std::atomic<bool>* enough) {
  while (!*enough) co_await weft::yield();
}

TEST_P(MainLoop, ABusyTaskLetsTheLoopGetOn) {
  std::atomic<bool> enough = false;
  auto h = rt->spawn(yields, &enough);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(is_readable(rt->event_fd(), for_ever));
    EXPECT_TRUE(rt->poll_once());
  }
  EXPECT_FALSE(h.is_finished());
  enough = true;
  loop_until([&] { return h.is_finished(); });
}

// ---------------------------------------------------------------- a whole program

task<> client(const tcp_listener* l, int rounds, weft::sender<int> done) {
  tcp_stream s = co_await connect_to(*l);
  int right = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string sent = "message " + std::to_string(i);
    std::string got(sent.size(), '?');
    EXPECT_TRUE(co_await s.write_all(bytes(sent)));
    EXPECT_TRUE(co_await weft::read_all(s, room(got)));
    if (got == sent) ++right;
    if (i % 4 == 0) co_await weft::sleep(200us);
  }
  EXPECT_TRUE(co_await done.send(right));
}
task<> whole(int clients, int rounds, std::atomic<int>* right, std::atomic<bool>* over) {
  const tcp_listener l = co_await listen();
  auto server = weft::spawn(serve, &l, clients);
  auto [tx, rx] = weft::channel<int>();
  {
    const auto done = std::move(tx);
    for (int i = 0; i < clients; ++i) weft::spawn(client, &l, rounds, done).detach();
  }
  while (const auto n = co_await rx.recv()) *right += *n;
  co_await server;
  *over = true;
}

TEST_P(MainLoop, DrivesChannelsTimersAndSockets) {
  constexpr int clients = 5;
  const int rounds = scaled(100);
  std::atomic<int> right = 0;
  std::atomic<bool> over = false;
  rt->spawn(whole, clients, rounds, &right, &over).detach();
  loop_until([&] { return over.load(); });
  EXPECT_EQ(right, clients * rounds);
}

task<> ping(weft::sender<int> tx, weft::receiver<int> rx, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    EXPECT_TRUE(co_await tx.send(i));
    EXPECT_EQ(co_await rx.recv(), i);
  }
}
task<> pong(weft::sender<int> tx, weft::receiver<int> rx) {
  while (const auto n = co_await rx.recv())
    if (!co_await tx.send(*n)) co_return;
}

TEST_P(MainLoop, TwoRuntimesInOneLoop) {
  weft::runtime second(options());
  auto [there, theirs] = weft::channel<int>();
  auto [back, ours] = weft::channel<int>();
  const int rounds = scaled(500);
  auto h = rt->spawn(ping, std::move(there), std::move(ours), rounds);
  second.spawn(pong, std::move(back), std::move(theirs)).detach();
  pollfd both[] = {{rt->event_fd(), POLLIN, 0}, {second.event_fd(), POLLIN, 0}};
  while (!h.is_finished()) {
    ASSERT_GT(::poll(both, 2, for_ever), 0);
    if (both[0].revents) rt->poll_once();
    if (both[1].revents) second.poll_once();
  }
}

TEST_P(MainLoop, BlockOnDrivesItToo) {
  const local_pair pair;
  std::atomic<int> taken = 0;
  std::atomic<bool> over = false;
  rt->event_fd();
  rt->spawn(take_bytes, pair.fds[0], 2, &taken).detach();
  drain();
  pair.put();
  rt->block_on([](std::atomic<int>* n) -> task<> {
    while (*n == 0) co_await weft::sleep(100us);
  }(&taken));
  EXPECT_EQ(taken, 1);
  EXPECT_TRUE(is_quiet());
  pair.put();
  loop_until([&] { return taken == 2; });
  rt->spawn(sleeps, 1ms, &over).detach();
  loop_until([&] { return over.load(); });
}

TEST_P(MainLoop, AnotherThreadMayGoOnWithIt) {
  const local_pair pair;
  std::atomic<int> taken = 0;
  std::atomic<bool> over = false;
  rt->event_fd();
  rt->spawn(take_bytes, pair.fds[0], 6, &taken).detach();
  for (int i = 1; i <= 6; ++i)
    std::thread([&] {
      over = false;
      rt->spawn(sleeps, 1ms, &over).detach();
      drain();
      pair.put();
      loop_until([&] { return taken == i && over; });
    }).join();
}

// ---------------------------------------------------------------- failures, misuse

task<> fails(const char* why) {
  co_await weft::yield();
  throw std::runtime_error(why);
}

TEST_P(MainLoop, AFailureIsThrownAndTheOthersGetOn) {
  for (int round = 0; round < 3; ++round) {
    std::string what;
    const weft::event go;
    auto other = rt->spawn(waits, go);
    rt->spawn(fails, "nobody joins me").detach();
    try {
      loop_until([] { return false; });
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "nobody joins me");
    EXPECT_FALSE(rt->poll_once());
    EXPECT_FALSE(other.is_finished());
    go.set();
    loop_until([&] { return other.is_finished(); });
  }
}

TEST_P(MainLoop, AFailureWithAHandleIsItsJoiners) {
  auto h = rt->spawn(fails, "joined");
  drain();
  EXPECT_TRUE(h.is_finished());
  EXPECT_FALSE(rt->poll_once());
  EXPECT_THROW(rt->block_on([](weft::join_handle<void>* of) -> task<> { co_await *of; }(&h)),
               std::runtime_error);
  EXPECT_FALSE(rt->poll_once());
}

TEST_P(MainLoop, AHandleThatGoesUnjoinedHandsTheFailureOn) {
  {
    auto h = rt->spawn(fails, "dropped");
    drain();
    EXPECT_TRUE(h.is_finished());
  }
  EXPECT_THROW(rt->poll_once(), std::runtime_error);
  EXPECT_FALSE(rt->poll_once());
}

TEST_P(MainLoop, WaitingForEachOtherIsNoDeadlockHere) {
  const weft::event never;
  rt->event_fd();
  auto h = rt->spawn(waits, never);
  drain();
  EXPECT_FALSE(rt->poll_once(1ms));
  EXPECT_FALSE(h.is_finished());
}

task<> calls_inside(weft::runtime* rt) {
  EXPECT_THROW(rt->event_fd(), std::logic_error);
  EXPECT_THROW(rt->poll_once(), std::logic_error);
  EXPECT_THROW(rt->next_deadline(), std::logic_error);
  co_return;
}
TEST_P(MainLoop, InsideATaskIsRefused) {
  auto h = rt->spawn(calls_inside, rt.get());
  drain();
  EXPECT_TRUE(h.is_finished());
}

TEST_P(MainLoop, OneThreadAtATime) {
  const weft::event entered;
  const weft::event leave;
  std::thread other([&] {
    rt->block_on([](weft::event in, weft::event out) -> task<> {
      in.set();
      co_await out.wait();
    }(entered, leave));
  });
  weft::perform_blocking(entered.wait_op());
  EXPECT_THROW(rt->poll_once(), std::logic_error);
  EXPECT_THROW(rt->event_fd(), std::logic_error);
  EXPECT_THROW(rt->next_deadline(), std::logic_error);
  leave.set();
  other.join();
  EXPECT_FALSE(rt->poll_once());
}

TEST_P(MainLoop, SeveralWorkersDriveThemselves) {
  weft::runtime_options o = options();
  o.workers = 2;
  weft::runtime several(o);
  EXPECT_THROW(several.event_fd(), std::logic_error);
  EXPECT_THROW(several.next_deadline(), std::logic_error);
  try {
    several.poll_once();
    FAIL() << "it has threads of its own";
  } catch (const std::logic_error& e) {
    EXPECT_STREQ(e.what(),
                 "weft: poll_once of a runtime with several workers, which drive themselves");
  }
}

TEST_P(MainLoop, AnEndWithTasksUnderWayLeavesNothing) {
  const weft::event never;
  const local_pair pair;
  std::atomic<int> taken = 0;
  std::atomic<bool> over = false;
  rt->event_fd();
  rt->spawn(waits, never).detach();
  rt->spawn(sleeps, 1h, &over).detach();
  rt->spawn(take_bytes, pair.fds[0], 1, &taken).detach();
  drain();
  rt->spawn(waits, never).detach();
  rt.reset();  // TearDown counts descriptors
}

}  // namespace
