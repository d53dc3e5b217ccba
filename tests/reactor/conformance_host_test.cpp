// SPDX-License-Identifier: MIT
// What every backend does beside descriptors: time, wake-ups, signals, processes, limits.
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <semaphore>
#include <thread>

#include "fixture.hpp"

using namespace weft_test;
using kind = io_request::kind;

namespace {

constexpr direction in = direction::in;

class reactor_host : public reactor_test {};

// ---- time ----

// On a thread that has had no ring: when the kernel takes one down it interrupts the thread whose
// it was, some time after an earlier test.
TEST_P(reactor_host, a_time_out_is_never_early) {
  std::thread([&] {
    for (const nanoseconds timeout : {0, 1, 999, 100'000, 1'000'000, 2'345'678}) {
      const nanoseconds begin = weft::core::clock_now();
      EXPECT_EQ(io->wait(timeout), 0);
      EXPECT_GE(weft::core::clock_now() - begin, timeout);
    }
    EXPECT_EQ(io->wait(-5), 0);
  }).join();
}

TEST_P(reactor_host, long_time_outs_are_no_errors) {
  for (const nanoseconds timeout : {nanoseconds{86'400'000'000'000}, forever - 1, forever}) {
    io->wake();
    EXPECT_GT(io->wait(timeout), 0);
  }
}

// ---- wake ----

TEST_P(reactor_host, a_wake_before_the_wait_ends_it) {
  for (int i = 0; i < 1'000; ++i) {
    io->wake();
    io->wait(forever);
  }
}

TEST_P(reactor_host, wakes_coalesce) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100'000; ++i) io->wake();
    EXPECT_GT(io->wait(forever), 0);
    EXPECT_EQ(io->wait(0), 0);
  }
}

TEST_P(reactor_host, a_wake_from_another_thread_ends_the_wait) {
  constexpr int rounds = 2'000;
  std::atomic<int> posted{0};
  std::counting_semaphore<> seen(0);
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      posted.fetch_add(1);
      io->wake();
      seen.acquire();
    }
  });
  for (int i = 1; i <= rounds; ++i) {
    until([&] { return posted.load() >= i; });
    seen.release();
  }
  other.join();
}

TEST_P(reactor_host, wakes_from_many_threads_beside_events) {
  constexpr int threads = 3;
  constexpr int each = 3'000;
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  std::atomic<int> posted{0};
  std::vector<std::thread> others;
  for (int t = 0; t < threads; ++t)
    others.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        posted.fetch_add(1);
        io->wake();
      }
    });
  while (posted.load() < threads * each) {
    char byte;
    request q(kind::read, d, &byte, 1);
    io->submit(q);
    put(b.get(), "x");
    until([&] { return q.ended(); });
  }
  for (std::thread& t : others) t.join();
  poll();
  EXPECT_EQ(io->wait(0), 0);
}

weft::core::reactor* rung_by_signal;

TEST_P(reactor_host, wake_from_a_signal_handler) {
  rung_by_signal = io.get();
  struct sigaction action = {};
  struct sigaction before;
  action.sa_handler = [](int) {
    for (int i = 0; i < 100'000; ++i) rung_by_signal->wake();  // fills a pipe
  };
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR1, &action, &before);
  errno = E2BIG;
  ::raise(SIGUSR1);
  EXPECT_EQ(errno, E2BIG);
  EXPECT_GT(io->wait(forever), 0);
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_P(reactor_host, a_signal_ends_the_wait_without_events) {
  struct sigaction action = {};
  struct sigaction before;
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR2, &action, &before);
  std::atomic<bool> returned{false};
  const pthread_t main = ::pthread_self();
  std::thread other([&] {
    while (!returned.load()) {
      ::pthread_kill(main, SIGUSR2);
      std::this_thread::yield();
    }
  });
  for (const nanoseconds timeout : {forever, nanoseconds{3'600'000'000'000}})
    EXPECT_EQ(io->wait(timeout), 0);
  returned = true;
  other.join();
  ::sigaction(SIGUSR2, &before, nullptr);
}

// ---- processes ----

// The kernel may take down what a backend held only after the process is gone; its port is free at
// once.
TEST_P(reactor_host, the_port_of_a_killed_listener_is_free) {
  auto [told, tell] = make_pipe();
  sockaddr_in a;
  unique_fd listener = listening(a, loopback_of_our_own());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const char* error = nullptr;
    std::unique_ptr<weft::core::reactor> own(make_backend(GetParam(), &error));
    attached d(*own, std::move(listener));
    d.not_ready(in);
    performer p;
    p.await(*own, d, in);
    own->wait(0);
    put(tell.get(), "x");
    own->wait(forever);
    ::_exit(1);
  }
  listener.reset();
  pollfd up = {told.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&up, 1, -1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const unique_fd next = tcp_socket();
  EXPECT_EQ(::bind(next.get(), generic(a), sizeof a), 0);
  EXPECT_EQ(::listen(next.get(), 8), 0) << std::strerror(errno);
}

TEST_P(reactor_host, a_forked_child_leaves_the_parent_alone) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  d.not_ready(in);
  performer p;
  p.await(*io, d, in);
  io->wake();             // the child shares the bell,
  put(b.get(), "early");  // and the events
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool inert = io->wait(0) == 0 && io->wait(1'000) == 0 && !p.woken();
    descriptor mine;
    mine.fd = b.get();
    const bool refused = io->attach(mine) < 0;
    p.record.unlink();
    d.close();
    io.reset();
    b.reset();
    const char* error = nullptr;
    std::unique_ptr<weft::core::reactor> own(make_backend(GetParam(), &error));
    own->wake();
    const bool works = own->wait(forever) > 0;
    ::_exit((inert ? 0 : 1) + (refused ? 0 : 2) + (works ? 0 : 4));
  }
  EXPECT_EQ(exit_status_of(child), 0);
  EXPECT_GT(io->wait(forever), 0);
  until([&] { return p.woken(); });
  EXPECT_EQ(take(d.fd), "early");

  performer again;
  d.not_ready(in);
  again.await(*io, d, in);
  put(b.get(), "late");
  until([&] { return again.woken(); });
  EXPECT_EQ(io->wait(0), 0);
}

TEST_P(reactor_host, a_child_does_not_ring_the_parents_bell) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    io->wake();
    ::_exit(0);
  }
  EXPECT_EQ(exit_status_of(child), 0);
  EXPECT_EQ(io->wait(0), 0);
}

// ---- rest ----

/// How often a thread has left its processor; -1 where nobody tells.
long switches_of(pid_t thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  long total = -1;
  for (std::string line; std::getline(status, line);)
    if (const std::size_t at = line.find("ctxt_switches:"); at != std::string::npos)
      total = std::max(total, 0L) + std::stol(line.substr(at + 14));
  return total;
}
bool sleeps(pid_t thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("State:", 0) == 0) return line.find('S', 6) != std::string::npos;
  return false;
}

// Whoever does not run makes no system call, and does not spin on what has been told.
TEST_P(reactor_host, idle_is_asleep) {
  if (switches_of(::gettid()) < 0) GTEST_SKIP() << "no /proc/self/task";
  auto [ended, peer] = local_pair();
  auto [quiet, speaker] = local_pair();
  std::atomic<pid_t> thread{0};
  std::thread waiting([&] {
    attached hung_up(*io, std::move(ended));
    hung_up.not_ready(in);
    performer first;
    first.await(*io, hung_up, in);
    peer.reset();
    until([&] { return first.woken(); });
    attached d(*io, std::move(quiet));
    d.not_ready(in);
    performer second;
    second.await(*io, d, in);
    poll();
    thread = ::gettid();
    until([&] { return second.woken(); });
  });
  while (thread == 0) std::this_thread::yield();
  // It has to get there first.
  bool slept = false;
  for (int i = 0; i < 1'000 && !slept; ++i) {
    const long before = switches_of(thread);
    const bool began_asleep = sleeps(thread);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    slept = began_asleep && sleeps(thread) && switches_of(thread) == before;
  }
  EXPECT_TRUE(slept);
  put(speaker.get(), "x");
  waiting.join();
}

// ---- what it holds ----

TEST_P(reactor_host, its_descriptors_are_closed_on_exec_and_at_its_end) {
  io.reset();
  const std::vector<int> before = open_descriptors();
  const char* error = nullptr;
  io.reset(make_backend(GetParam(), &error));
  const std::vector<int> during = open_descriptors();
  EXPECT_GT(during.size(), before.size());
  for (const int fd : during) {
    if (std::find(before.begin(), before.end(), fd) != before.end()) continue;
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_GT(fd, 2);
  }
  io.reset();
  EXPECT_EQ(open_descriptors(), before);
}

// Its memory may be where that of another thread's was, which has ended: no data race, although
// nothing but the kernel has ordered the two.
TEST_P(reactor_host, comes_after_one_of_another_thread) {
  const auto comes_and_goes = [] {
    const char* error = nullptr;
    const std::unique_ptr<weft::core::reactor> own(make_backend(GetParam(), &error));
    own->wake();
    EXPECT_GT(own->wait(forever), 0);
  };
  std::atomic<bool> gone{false};
  std::thread second([&] {
    while (!gone.load(std::memory_order_relaxed)) std::this_thread::yield();
    comes_and_goes();
  });
  std::thread first([&] {
    comes_and_goes();
    gone.store(true, std::memory_order_relaxed);
  });
  first.join();
  second.join();
}

TEST_P(reactor_host, running_out_of_descriptors_is_an_error) {
  rlimit limit;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit none = {0, limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const char* error = nullptr;
  const std::unique_ptr<weft::core::reactor> r(make_backend(GetParam(), &error));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(r, nullptr);
  ASSERT_NE(error, nullptr);
  EXPECT_NE(std::string(error).find(weft::core::describe(EMFILE).message), std::string::npos)
      << error;
}

INSTANTIATE_TEST_SUITE_P(backends, reactor_host, backends(), backend_name);

}  // namespace
