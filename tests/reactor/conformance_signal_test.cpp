// SPDX-License-Identifier: MIT
// What every backend does with signals: one that comes while it is attached wakes a waiter, now or
// later, and does nothing else.
#include <poll.h>
#include <spawn.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "fixture.hpp"
#include "sanitizers.hpp"

using namespace weft_test;

namespace {

constexpr direction in = direction::in;

/// What a signal does at this moment.
struct sigaction disposition_of(int signal) {
  struct sigaction now = {};
  ::sigaction(signal, nullptr, &now);
  return now;
}
bool is_default(int signal) { return disposition_of(signal).sa_handler == SIG_DFL; }

class reactor_signal : public reactor_test {
 protected:
  using owned = std::unique_ptr<weft::core::reactor>;
  owned another() {
    const char* error = nullptr;
    return owned(make_backend(GetParam(), &error));
  }
  /// A signal of this process, which has come when it returns: this thread takes it.
  static void send(int signal) { ::raise(signal); }
  /// One that is sent now, and none before, wakes this waiter.
  void expect_next(performer& p, int signal) {
    poll();
    EXPECT_FALSE(p.woken());
    send(signal);
    until([&] { return p.woken(); });
  }
};

// ---- arrival ----

TEST_P(reactor_signal, wakes_a_waiter) {
  watching w(*io, subject::signal, SIGUSR1);
  ASSERT_EQ(w.status, 0);
  performer p;
  p.await(*io, w, in);
  expect_next(p, SIGUSR1);
  EXPECT_EQ(p.winner, 7U);
}

TEST_P(reactor_signal, is_kept_for_who_comes_later) {
  watching w(*io, subject::signal, SIGUSR1);
  send(SIGUSR1);
  poll();
  EXPECT_FALSE(io->busy());
  performer p;
  p.await(*io, w, in);
  until([&] { return p.woken(); });
}

TEST_P(reactor_signal, is_taken_once) {
  watching w(*io, subject::signal, SIGUSR1);
  for (int i = 0; i < 5; ++i) send(SIGUSR1);  // before anybody has looked they are one
  poll();
  performer first;
  performer second;
  first.await(*io, w, in);
  EXPECT_TRUE(first.woken());
  second.await(*io, w, in);
  poll();
  EXPECT_FALSE(second.woken());
  send(SIGUSR1);
  until([&] { return second.woken(); });
}

TEST_P(reactor_signal, one_after_the_other) {
  watching w(*io, subject::signal, SIGUSR1);
  for (int i = 0; i < 200; ++i) {
    performer p;
    if (i % 2) send(SIGUSR1);
    p.await(*io, w, in);
    if (i % 2 == 0) send(SIGUSR1);
    until([&] { return p.woken(); });
    poll();
    EXPECT_EQ(p.wakes, 1);
  }
}

TEST_P(reactor_signal, wakes_the_oldest_waiter_alone) {
  watching w(*io, subject::signal, SIGUSR1);
  performer p[3];
  for (performer& each : p) each.await(*io, w, in);
  ASSERT_TRUE(p[0].complete_at_home(3));  // decided: takes nothing
  send(SIGUSR1);
  until([&] { return p[1].woken(); });
  poll();
  EXPECT_FALSE(p[0].woken() || p[2].woken());
  send(SIGUSR1);
  until([&] { return p[2].woken(); });
}

TEST_P(reactor_signal, retracting_is_unlink_and_loses_nothing) {
  watching w(*io, subject::signal, SIGUSR1);
  EXPECT_FALSE(io->busy());  // attached: wakes nobody
  performer p;
  performer q;
  p.await(*io, w, in);
  EXPECT_TRUE(io->busy());
  p.record.unlink();
  EXPECT_FALSE(io->busy());
  send(SIGUSR1);
  poll();
  EXPECT_FALSE(p.woken());
  q.await(*io, w, in);
  until([&] { return q.woken(); });
}

TEST_P(reactor_signal, each_number_for_itself) {
  const int numbers[] = {SIGUSR1, SIGUSR2, SIGWINCH,     SIGTERM,
                         SIGHUP,  SIGCHLD, SIGRTMIN + 3, SIGRTMAX};
  for (const int number : numbers) {
    watching w(*io, subject::signal, number);
    watching other(*io, subject::signal, number == SIGUSR1 ? SIGUSR2 : SIGUSR1);
    ASSERT_EQ(w.status, 0) << number;
    performer p;
    performer q;
    p.await(*io, w, in);
    q.await(*io, other, in);
    send(number);
    until([&] { return p.woken(); });
    poll();
    EXPECT_FALSE(q.woken());
  }
}

TEST_P(reactor_signal, each_descriptor_hears_it) {
  owned elsewhere = another();
  watching first(*io, subject::signal, SIGUSR1);
  watching second(*io, subject::signal, SIGUSR1);
  watching other(*elsewhere, subject::signal, SIGUSR1);
  performer p[3];
  p[0].await(*io, first, in);
  p[2].await(*elsewhere, other, in);
  send(SIGUSR1);
  until([&] { return p[0].woken(); });
  p[1].await(*io, second, in);
  until([&] { return p[1].woken(); });
  while (!p[2].woken()) elsewhere->wait(forever);

  first.close();  // the others go on
  performer again[2];
  again[0].await(*io, second, in);
  again[1].await(*elsewhere, other, in);
  send(SIGUSR1);
  until([&] { return again[0].woken(); });
  while (!again[1].woken()) elsewhere->wait(forever);
}

TEST_P(reactor_signal, attached_again_it_has_no_past) {
  watching keeps(*io, subject::signal, SIGUSR1);
  watching w(*io, subject::signal, SIGUSR1);
  send(SIGUSR1);
  poll();
  w.close();
  ASSERT_EQ(io->attach(w), 0);
  performer p;
  p.await(*io, w, in);
  expect_next(p, SIGUSR1);
}

TEST_P(reactor_signal, sigchld_beside_children) {
  watching w(*io, subject::signal, SIGCHLD);
  performer p;
  p.await(*io, w, in);
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  watching c(*io, subject::process, pid);
  performer q;
  q.await(*io, c, in);
  until([&] { return p.woken() && q.woken(); });
  EXPECT_EQ(exit_status_of(pid), 0);
}

TEST_P(reactor_signal, shows_to_another_loop) {
  if (io->watch_fd() < 0) GTEST_SKIP() << "nothing to watch";
  watching w(*io, subject::signal, SIGUSR1);
  poll();
  for (int i = 0; i < 3; ++i) {
    performer p;
    p.await(*io, w, in);
    pollfd watched = {io->watch_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&watched, 1, 0), 0);
    send(SIGUSR1);
    while (::poll(&watched, 1, -1) < 0) {
    }
    poll();
    EXPECT_TRUE(p.woken());
  }
}

// ---- threads ----

TEST_P(reactor_signal, whichever_thread_it_comes_to) {
  watching w(*io, subject::signal, SIGUSR1);
  for (int i = 0; i < 100; ++i) {
    performer p;
    p.await(*io, w, in);
    std::thread other([] { ::raise(SIGUSR1); });
    until([&] { return p.woken(); });
    other.join();
    poll();
  }
}

// TSan puts a handler off until the thread makes a call that it knows, which entering a ring is
// not.
constexpr nanoseconds limit = WEFT_TEST_TSAN ? 1'000'000 : forever;

TEST_P(reactor_signal, to_the_process_while_workers_block) {
  owned elsewhere = another();
  watching here(*io, subject::signal, SIGUSR1);
  watching there(*elsewhere, subject::signal, SIGUSR1);
  std::atomic<int> heard{0};
  const auto hear = [&](weft::core::reactor& r, descriptor& d) {
    for (int i = 0; i < 50; ++i) {
      performer p;
      p.await(r, d, in);
      while (!p.woken()) {
        r.wait(limit);
        ::usleep(0);
      }
      heard.fetch_add(1);
    }
  };
  std::thread other([&] { hear(*elsewhere, there); });
  std::thread sender([&] {
    for (int i = 0; i < 50; ++i) {
      ::kill(::getpid(), SIGUSR1);
      while (heard.load() < 2 * (i + 1)) std::this_thread::yield();
    }
  });
  hear(*io, here);
  other.join();
  sender.join();
}

// What is sent meanwhile kills nobody and touches nothing that has gone.
TEST_P(reactor_signal, reactors_come_and_go_in_a_storm) {
  watching keeps(*io, subject::signal, SIGUSR1);  // the disposition
  std::atomic<bool> over{false};
  std::thread storm([&] {
    while (!over.load()) {
      ::raise(SIGUSR1);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 300; ++i) {
    owned r = another();
    watching first(*r, subject::signal, SIGUSR1);
    watching second(*r, subject::signal, SIGUSR1);
    performer p;
    p.await(*r, second, in);
    while (!p.woken()) r->wait(forever);
    if (i % 2) first.close();  // else the reactor goes first
    if (i % 2) second.close();
    r.reset();
  }
  over = true;
  storm.join();
}

// ---- dispositions ----

TEST_P(reactor_signal, what_it_did_before_it_does_again) {
  ASSERT_TRUE(is_default(SIGUSR1));
  {
    watching first(*io, subject::signal, SIGUSR1);
    watching second(*io, subject::signal, SIGUSR1);
    first.close();
    EXPECT_FALSE(is_default(SIGUSR1));
    EXPECT_TRUE(is_default(SIGUSR2));
  }
  EXPECT_TRUE(is_default(SIGUSR1));
  for (int i = 0; i < 3; ++i) {
    watching again(*io, subject::signal, SIGUSR1);
    EXPECT_FALSE(is_default(SIGUSR1));
    io = another();
    EXPECT_TRUE(is_default(SIGUSR1));
  }
}

int handled;

TEST_P(reactor_signal, a_handler_of_the_program_rests_meanwhile) {
  struct sigaction theirs = {};
  theirs.sa_handler = [](int) { ++handled; };
  handled = 0;
  ::sigaction(SIGUSR1, &theirs, nullptr);
  {
    watching w(*io, subject::signal, SIGUSR1);
    performer p;
    p.await(*io, w, in);
    send(SIGUSR1);
    until([&] { return p.woken(); });
    EXPECT_EQ(handled, 0);
  }
  send(SIGUSR1);
  EXPECT_EQ(handled, 1);
  ::signal(SIGUSR1, SIG_DFL);
}

TEST_P(reactor_signal, an_ignored_one_is_heard) {
  ::signal(SIGUSR1, SIG_IGN);
  {
    watching w(*io, subject::signal, SIGUSR1);
    performer p;
    p.await(*io, w, in);
    send(SIGUSR1);
    until([&] { return p.woken(); });
  }
  EXPECT_EQ(::signal(SIGUSR1, SIG_DFL), SIG_IGN);
}

TEST_P(reactor_signal, a_handler_that_replaced_ours_stays) {
  const auto theirs = [](int) {};
  {
    watching w(*io, subject::signal, SIGUSR1);
    ::signal(SIGUSR1, theirs);
  }
  EXPECT_EQ(::signal(SIGUSR1, SIG_DFL), static_cast<void (*)(int)>(theirs));
}

TEST_P(reactor_signal, what_nobody_can_wait_for_is_refused) {
  for (const int number : {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, 0,
                           -1, 65, 128, 129, 100'000}) {
    const struct sigaction before = disposition_of(SIGSEGV);
    watching w(*io, subject::signal, number);
    EXPECT_EQ(w.status, -EINVAL) << number;
    EXPECT_FALSE(w.is_attached());
    EXPECT_EQ(disposition_of(SIGSEGV).sa_handler, before.sa_handler);
  }
  watching w(*io, subject::signal, SIGUSR1);  // and has spoiled nothing
  performer p;
  p.await(*io, w, in);
  send(SIGUSR1);
  until([&] { return p.woken(); });
}

TEST_P(reactor_signal, disturbs_no_system_call) {
  watching w(*io, subject::signal, SIGUSR1);
  EXPECT_TRUE(disposition_of(SIGUSR1).sa_flags & SA_RESTART);
  EXPECT_TRUE(disposition_of(SIGUSR1).sa_flags & SA_ONSTACK);
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_FALSE(sigismember(&blocked, SIGUSR1));
  auto [a, b] = make_pipe();
  ::fcntl(a.get(), F_SETFL, 0);
  std::atomic<bool> begun{false};
  std::thread reader([&, fd = a.get()] {
    char byte = 0;
    begun = true;
    EXPECT_EQ(::read(fd, &byte, 1), 1);
  });
  while (!begun) std::this_thread::yield();
  performer p;
  p.await(*io, w, in);
  ::pthread_kill(reader.native_handle(), SIGUSR1);
  until([&] { return p.woken(); });
  put(b.get(), "x");
  reader.join();
  errno = E2BIG;
  send(SIGUSR1);
  EXPECT_EQ(errno, E2BIG);
}

// ---- processes ----

TEST_P(reactor_signal, a_forked_child_has_subscribed_to_nothing) {
  watching w(*io, subject::signal, SIGTERM);
  performer p;
  p.await(*io, w, in);
  EXPECT_EQ(in_a_child([] {
              ::raise(SIGTERM);
              return 0;
            }),
            1000 + SIGTERM);
  expect_next(p, SIGTERM);
}

TEST_P(reactor_signal, a_forked_child_subscribes_for_itself) {
  watching w(*io, subject::signal, SIGTERM);
  performer p;
  p.await(*io, w, in);
  EXPECT_EQ(in_a_child([&] {
              owned own = another();
              watching mine(*own, subject::signal, SIGTERM);
              performer q;
              q.await(*own, mine, in);
              p.record.unlink();
              w.close();  // what is inherited is inert, in any order
              io.reset();
              ::raise(SIGTERM);
              while (!q.woken()) own->wait(forever);
              mine.close();
              return is_default(SIGTERM) && !p.woken() ? 0 : 1;
            }),
            0);
  expect_next(p, SIGTERM);
}

TEST_P(reactor_signal, a_program_that_is_executed_has_the_default) {
  watching w(*io, subject::signal, SIGTERM);
  std::string command[] = {"sh", "-c", "kill -TERM $$; exit 0"};
  char* arguments[] = {command[0].data(), command[1].data(), command[2].data(), nullptr};
  pid_t pid = 0;  // of a child that calls no handlers of pthread_atfork()
  ASSERT_EQ(::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, arguments, ::environ), 0);
  EXPECT_EQ(exit_status_of(pid), 1000 + SIGTERM);
}

INSTANTIATE_TEST_SUITE_P(backends, reactor_signal, backends(), backend_name);

}  // namespace
