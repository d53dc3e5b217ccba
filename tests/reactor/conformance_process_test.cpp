// SPDX-License-Identifier: MIT
// What every backend does with processes: a child that has exited is readable.
#include <sys/eventfd.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <random>
#include <thread>

#include "fixture.hpp"
#include "refused.hpp"
#include "sanitizers.hpp"

using namespace weft_test;

namespace {

constexpr direction in = direction::in;

class reactor_process : public reactor_test {};

/// A child that runs until it is told to exit, or killed.
class child {
 public:
  explicit child(int code = 0) : word_(::eventfd(0, EFD_CLOEXEC)), pid_(::fork()) {
    if (pid_ != 0) return;
    std::uint64_t word = 0;
    (void)!::read(word_.get(), &word, sizeof word);
    ::_exit(code);
  }
  child(child&&) = delete;
  ~child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    exit_status_of(pid_);
  }
  pid_t pid() const noexcept { return pid_; }
  void exit() const noexcept {
    const std::uint64_t word = 1;
    (void)!::write(word_.get(), &word, sizeof word);
  }
  /// Returns once it has exited; it is not reaped.
  void exit_and_wait() const noexcept {
    exit();
    siginfo_t about;
    while (::waitid(P_PID, static_cast<id_t>(pid_), &about, WEXITED | WNOWAIT) != 0) {
    }
  }
  int reap() noexcept { return exit_status_of(std::exchange(pid_, 0)); }

 private:
  unique_fd word_;
  pid_t pid_;
};

bool exits_are_heard(weft::core::reactor& io) {
  child early;
  child late(5);
  early.exit_and_wait();
  watching of_early(io, subject::process, early.pid());
  watching of_late(io, subject::process, late.pid());
  performer p;
  performer q;
  p.await(io, of_early, in);
  q.await(io, of_late, in);
  while (!p.woken()) io.wait(forever);
  while (io.wait(0) > 0) {
  }
  if (q.woken()) return false;
  late.exit();
  while (!q.woken()) io.wait(forever);
  return early.reap() == 0 && late.reap() == 5;
}

TEST_P(reactor_process, an_exit_wakes_and_reaps_nothing) {
  child c(42);
  watching w(*io, subject::process, c.pid());
  ASSERT_EQ(w.status, 0);
  performer p;
  p.await(*io, w, in);
  poll();
  EXPECT_FALSE(p.woken());
  c.exit();
  until([&] { return p.woken(); });
  EXPECT_EQ(p.winner, 7U);
  EXPECT_EQ(c.reap(), 42);
}

TEST_P(reactor_process, an_exit_before_the_wait) {
  child c;
  watching w(*io, subject::process, c.pid());
  poll();
  c.exit_and_wait();
  poll();
  performer p;
  p.await(*io, w, in);
  until([&] { return p.woken(); });
}

TEST_P(reactor_process, an_exit_before_attach) {
  child c(3);
  c.exit_and_wait();
  watching w(*io, subject::process, c.pid());
  ASSERT_EQ(w.status, 0);
  performer p;
  p.await(*io, w, in);
  until([&] { return p.woken(); });
  EXPECT_EQ(c.reap(), 3);
}

TEST_P(reactor_process, one_that_is_gone_has_exited) {
  child c;
  const pid_t gone = c.pid();
  c.exit();
  c.reap();
  watching w(*io, subject::process, gone);
  ASSERT_EQ(w.status, 0);
  performer p;
  p.await(*io, w, in);
  EXPECT_TRUE(p.woken());
}

TEST_P(reactor_process, an_exit_is_for_good) {
  child c;
  watching w(*io, subject::process, c.pid());
  c.exit();
  for (int i = 0; i < 3; ++i) {
    performer p;
    p.await(*io, w, in);
    until([&] { return p.woken(); });
    poll();
  }
  c.reap();
  performer p;
  p.await(*io, w, in);
  EXPECT_TRUE(p.woken());
}

TEST_P(reactor_process, a_kill_is_an_exit_and_a_stop_is_not) {
  child c;
  watching w(*io, subject::process, c.pid());
  performer p;
  p.await(*io, w, in);
  ::kill(c.pid(), SIGSTOP);
  siginfo_t about;
  while (::waitid(P_PID, static_cast<id_t>(c.pid()), &about, WSTOPPED) != 0) {
  }
  poll();
  EXPECT_FALSE(p.woken());
  ::kill(c.pid(), SIGKILL);
  until([&] { return p.woken(); });
  EXPECT_EQ(c.reap(), 1000 + SIGKILL);
}

TEST_P(reactor_process, an_exec_is_no_exit) {
  auto [read_end, write_end] = make_pipe();
  ::fcntl(read_end.get(), F_SETFL, 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(read_end.get(), 0);
    ::execl("/bin/sh", "sh", "-c", "read line; exit 9", nullptr);
    ::_exit(127);
  }
  watching w(*io, subject::process, pid);
  performer p;
  p.await(*io, w, in);
  poll();
  EXPECT_FALSE(p.woken());
  put(write_end.get(), "go\n");
  until([&] { return p.woken(); });
  EXPECT_EQ(exit_status_of(pid), 9);
}

TEST_P(reactor_process, many_children_in_any_order) {
  constexpr std::size_t count = 100;
  std::deque<child> children;
  std::deque<watching> watched;
  std::deque<performer> waiting(count);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < count; ++i) {
    const child& c = children.emplace_back(static_cast<int>(i));
    watching& w = watched.emplace_back(*io, subject::process, c.pid());
    ASSERT_EQ(w.status, 0);
    waiting[i].await(*io, w, in);
    order.push_back(i);
  }
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  for (std::size_t k = 0; k < count; ++k) {
    children[order[k]].exit();
    if (k % 10 != 9) continue;  // ten at a time
    until([&] {
      return std::all_of(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k) + 1,
                         [&](std::size_t i) { return waiting[i].wakes == 1; });
    });
    for (std::size_t later = k + 1; later < count; ++later)
      EXPECT_FALSE(waiting[order[later]].woken());
  }
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(children[i].reap(), static_cast<int>(i));
}

TEST_P(reactor_process, waiters_of_one_child_pass_it_on) {
  child c;
  watching w(*io, subject::process, c.pid());
  performer p[3];
  for (performer& each : p) each.await(*io, w, in);
  c.exit();
  until([&] { return p[0].woken(); });
  weft::core::pass_on(w, in);
  weft::core::pass_on(w, in);
  EXPECT_TRUE(p[1].woken() && p[2].woken());
  for (performer& each : p) EXPECT_EQ(each.wakes, 1);
}

TEST_P(reactor_process, watched_twice_here_and_once_elsewhere) {
  const char* error = nullptr;
  const std::unique_ptr<weft::core::reactor> elsewhere(make_backend(GetParam(), &error));
  child c;
  watching first(*io, subject::process, c.pid());
  watching second(*io, subject::process, c.pid());
  watching third(*io, subject::process, c.pid());
  watching other(*elsewhere, subject::process, c.pid());
  performer p[4];
  p[0].await(*io, first, in);
  p[1].await(*io, second, in);
  p[2].await(*elsewhere, other, in);
  p[3].await(*io, third, in);
  p[3].record.unlink();
  third.close();
  c.exit();
  until([&] { return p[0].woken() && p[1].woken(); });
  while (!p[2].woken()) elsewhere->wait(forever);
  EXPECT_FALSE(p[3].woken());
}

TEST_P(reactor_process, retracting_is_unlink_and_loses_nothing) {
  child c;
  watching w(*io, subject::process, c.pid());
  performer p;
  performer q;
  EXPECT_FALSE(io->busy());
  p.await(*io, w, in);
  EXPECT_TRUE(io->busy());
  p.record.unlink();
  EXPECT_FALSE(io->busy());
  c.exit_and_wait();
  poll();
  EXPECT_FALSE(p.woken());
  q.await(*io, w, in);
  until([&] { return q.woken(); });
  EXPECT_FALSE(p.woken());
}

TEST_P(reactor_process, a_waiter_that_is_decided_takes_nothing) {
  child c;
  watching w(*io, subject::process, c.pid());
  performer decided;
  performer waiting;
  decided.await(*io, w, in);
  waiting.await(*io, w, in);
  ASSERT_TRUE(decided.complete_at_home(3));
  c.exit();
  until([&] { return waiting.woken(); });
  EXPECT_EQ(decided.wakes, 0);
}

TEST_P(reactor_process, detached_while_it_runs_and_after_it_has_exited) {
  const std::vector<int> before = open_descriptors();
  {
    child c;
    watching w(*io, subject::process, c.pid());
    performer p;
    p.await(*io, w, in);
    poll();
    p.record.unlink();
    w.close();
    c.exit_and_wait();
    poll();
    EXPECT_FALSE(p.woken());
    for (int i = 0; i < 3; ++i) {  // attached again it has no past but that of the child
      ASSERT_EQ(io->attach(w), 0);
      performer again;
      again.await(*io, w, in);
      until([&] { return again.woken(); });
      w.close();
    }
    child next;
    w.id = next.pid();
    ASSERT_EQ(io->attach(w), 0);
    performer other;
    other.await(*io, w, in);
    poll();
    EXPECT_FALSE(other.woken());
    next.exit();
    until([&] { return other.woken(); });
  }
  poll();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(reactor_process, outlives_its_reactor) {
  child c;
  descriptor d;
  d.what = subject::process;
  d.id = c.pid();
  ASSERT_EQ(io->attach(d), 0);
  const char* error = nullptr;
  io.reset(make_backend(GetParam(), &error));
  EXPECT_FALSE(d.attached);
  ASSERT_EQ(io->attach(d), 0);
  performer p;
  p.await(*io, d, in);
  c.exit();
  until([&] { return p.woken(); });
  io->detach(d);
}

TEST_P(reactor_process, what_is_no_process_is_refused) {
  for (const int id : {0, -1, -2}) {
    watching w(*io, subject::process, id);
    EXPECT_EQ(w.status, -EINVAL);
    EXPECT_FALSE(w.is_attached());
  }
  EXPECT_FALSE(io->busy());
}

TEST_P(reactor_process, a_child_of_another_thread) {
  std::unique_ptr<child> c;
  std::thread([&] { c = std::make_unique<child>(6); }).join();
  watching w(*io, subject::process, c->pid());
  performer p;
  p.await(*io, w, in);
  std::thread other([&] { c->exit(); });
  until([&] { return p.woken(); });
  other.join();
  EXPECT_EQ(c->reap(), 6);
}

TEST_P(reactor_process, beside_sockets) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  d.not_ready(in);
  child c;
  watching w(*io, subject::process, c.pid());
  performer reader;
  performer waiter;
  reader.await(*io, d, in);
  waiter.await(*io, w, in);
  put(b.get(), "x");
  until([&] { return reader.woken(); });
  EXPECT_FALSE(waiter.woken());
  c.exit();
  until([&] { return waiter.woken(); });
  EXPECT_EQ(reader.wakes, 1);
}

TEST_P(reactor_process, a_process_that_blocks_outside_the_gate) {
  if (io->watch_fd() < 0) GTEST_SKIP() << "nothing to watch";
  child c;
  watching w(*io, subject::process, c.pid());
  performer p;
  p.await(*io, w, in);
  weft::core::gate inside;
  std::thread other([&] { c.exit(); });
  while (!p.woken()) {
    io->block(forever, inside);
    io->wait(0);
  }
  other.join();
}

// A child's own children, while what it has inherited is inert.
TEST_P(reactor_process, in_a_forked_child) {
  child c;
  watching w(*io, subject::process, c.pid());
  performer p;
  p.await(*io, w, in);
  EXPECT_EQ(in_a_child([&] {
              const char* error = nullptr;
              std::unique_ptr<weft::core::reactor> own(make_backend(GetParam(), &error));
              const bool works = exits_are_heard(*own);
              p.record.unlink();
              w.close();
              io.reset();
              return works && !p.woken() ? 0 : 1;
            }),
            0);
  poll();
  EXPECT_FALSE(p.woken());
  c.exit();
  until([&] { return p.woken(); });
}

TEST_P(reactor_process, a_kernel_without_pidfd_open) {
  if (std::string(io->name()) == "kqueue") GTEST_SKIP() << "has events of its own for processes";
  if (WEFT_TEST_TSAN && std::string(io->name()) == "io_uring")
    GTEST_SKIP()
        << "TSan runs a signal's handler at the next call that it knows: the ring's is none";
  for (const int error : {ENOSYS, EPERM}) {
    const int result = in_a_child([&] {
      if (!refuse_call(SYS_pidfd_open, error)) return 77;  // as a kernel before 5.3, or a container
      const char* message = nullptr;
      std::unique_ptr<weft::core::reactor> own(make_backend(GetParam(), &message));
      struct sigaction before;
      ::sigaction(SIGCHLD, nullptr, &before);
      for (int i = 0; i < 3; ++i)
        if (!exits_are_heard(*own)) return 1;
      child c;
      watching beside(*own, subject::signal, SIGCHLD);
      watching first(*own, subject::process, c.pid());
      watching second(*own, subject::process, c.pid());
      performer p[3];
      p[0].await(*own, first, in);
      p[1].await(*own, second, in);
      p[2].await(*own, beside, in);
      if (first.fd >= 0) return 2;
      c.exit();
      for (performer& each : p)
        while (!each.woken()) own->wait(forever);
      first.close();
      second.close();
      beside.close();
      struct sigaction after;
      ::sigaction(SIGCHLD, nullptr, &after);
      return after.sa_handler == before.sa_handler ? 0 : 3;
    });
    if (result == 77) GTEST_SKIP() << "no seccomp here";
    EXPECT_EQ(result, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(backends, reactor_process, backends(), backend_name);

}  // namespace
