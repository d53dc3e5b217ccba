// SPDX-License-Identifier: MIT
// What every backend does with descriptors and waiters; conformance_request_test.cpp and
// conformance_host_test.cpp have the rest.
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <deque>

#include "fixture.hpp"

using namespace weft_test;
using kind = io_request::kind;

namespace {

constexpr direction in = direction::in;
constexpr direction out = direction::out;

class reactor_conformance : public reactor_test {};

// ---- readiness ----

TEST_P(reactor_conformance, says_its_name) {
  EXPECT_EQ(std::string(GetParam()).rfind(io->name(), 0), 0U);
}

TEST_P(reactor_conformance, readable) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  ASSERT_EQ(d.status, 0);
  d.not_ready(in);
  performer p;
  p.await(*io, d, in);
  poll();
  EXPECT_FALSE(p.woken());
  put(b.get(), "x");
  until([&] { return p.woken(); });
  EXPECT_EQ(p.winner, 7U);
  EXPECT_FALSE(p.record.linked());
  EXPECT_TRUE(d.is_ready(in));
  EXPECT_EQ(take(d.fd), "x");
}

TEST_P(reactor_conformance, writable) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  fill(d.fd);
  d.not_ready(out);
  performer p;
  p.await(*io, d, out);
  poll();
  EXPECT_FALSE(p.woken());
  drain(b.get());
  until([&] { return p.woken(); });
  EXPECT_GT(::write(d.fd, "x", 1), 0);
}

TEST_P(reactor_conformance, one_direction_does_not_wake_the_other) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  fill(d.fd);
  d.not_ready(in);
  d.not_ready(out);
  performer reader;
  performer writer;
  reader.await(*io, d, in);
  writer.await(*io, d, out);
  put(b.get(), "x");
  until([&] { return reader.woken(); });
  poll();
  EXPECT_FALSE(writer.woken());
  drain(b.get());
  until([&] { return writer.woken(); });
  EXPECT_EQ(reader.wakes, 1);
}

TEST_P(reactor_conformance, what_came_before_attach_is_seen) {
  auto [a, b] = local_pair();
  put(b.get(), "early");
  attached d(*io, std::move(a));
  EXPECT_TRUE(d.is_ready(in));
  d.not_ready(in);
  performer p;
  p.await(*io, d, in);
  until([&] { return p.woken(); });
}

TEST_P(reactor_conformance, an_event_while_nobody_waits_is_not_lost) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  d.not_ready(in);
  put(b.get(), "x");
  poll();
  performer p;
  p.await(*io, d, in);
  until([&] { return p.woken(); });
}

TEST_P(reactor_conformance, a_mark_wakes_at_once) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  performer p;
  p.await(*io, d, in);
  EXPECT_TRUE(p.woken());
  EXPECT_FALSE(p.record.linked());
  EXPECT_FALSE(io->busy());
}

TEST_P(reactor_conformance, ready_again_after_each_try) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  for (int i = 0; i < 100; ++i) {
    d.not_ready(in);
    performer p;
    p.await(*io, d, in);
    put(b.get(), std::to_string(i));
    until([&] { return p.woken(); });
    EXPECT_EQ(take(d.fd), std::to_string(i));
  }
}

// ---- waiters ----

TEST_P(reactor_conformance, one_event_wakes_the_oldest_and_pass_on_the_next) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  d.not_ready(in);
  performer p[3];
  for (performer& each : p) each.await(*io, d, in);
  put(b.get(), "x");
  until([&] { return p[0].woken(); });
  EXPECT_FALSE(p[1].woken());
  weft::core::pass_on(d, in);
  EXPECT_TRUE(p[1].woken());
  EXPECT_FALSE(p[2].woken());
  d.not_ready(in);
  weft::core::pass_on(d, in);
  EXPECT_FALSE(p[2].woken());
  put(b.get(), "y");
  until([&] { return p[2].woken(); });
  EXPECT_LT(p[0].order, p[1].order);
  EXPECT_LT(p[1].order, p[2].order);
  for (performer& each : p) EXPECT_EQ(each.wakes, 1);
}

TEST_P(reactor_conformance, nobody_passes_a_waiter) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  d.not_ready(in);
  performer first;
  performer second;
  first.await(*io, d, in);
  d.set_ready(in, true);  // an event has come, and its winner has not tried yet
  second.await(*io, d, in);
  EXPECT_TRUE(first.woken());
  EXPECT_FALSE(second.woken());
}

TEST_P(reactor_conformance, a_waiter_that_is_decided_takes_nothing) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  d.not_ready(in);
  performer decided;
  performer waiting;
  decided.await(*io, d, in);
  waiting.await(*io, d, in);
  ASSERT_TRUE(decided.complete_at_home(3));
  put(b.get(), "x");
  until([&] { return waiting.woken(); });
  EXPECT_EQ(decided.wakes, 0);
  EXPECT_EQ(decided.winner, 3U);
}

TEST_P(reactor_conformance, retracting_is_unlink) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  d.not_ready(in);
  performer p;
  performer other;
  p.await(*io, d, in);
  EXPECT_TRUE(io->busy());
  p.record.unlink();
  EXPECT_FALSE(io->busy());
  other.await(*io, d, in);
  put(b.get(), "x");
  until([&] { return other.woken(); });
  EXPECT_EQ(p.wakes, 0);
}

TEST_P(reactor_conformance, busy_while_somebody_waits) {
  auto [a, b] = local_pair();
  auto [c, e] = local_pair();
  attached first(*io, std::move(a));
  attached second(*io, std::move(c));
  EXPECT_FALSE(io->busy());
  second.not_ready(in);
  performer p;
  p.await(*io, second, in);
  EXPECT_TRUE(io->busy());
  EXPECT_TRUE(io->busy());
  first.not_ready(in);
  char byte;
  request q(kind::read, first, &byte, 1);
  io->submit(q);
  EXPECT_TRUE(io->busy());
  p.record.unlink();
  EXPECT_TRUE(io->busy());
  second.close();
  EXPECT_TRUE(io->busy());
  io->cancel(q);
  EXPECT_FALSE(io->busy());
}

// ---- ends ----

TEST_P(reactor_conformance, hang_up_wakes_the_reader) {
  for (bool tcp : {false, true}) {
    auto [a, b] = tcp ? tcp_pair() : local_pair();
    attached d(*io, std::move(a));
    poll();
    d.not_ready(in);
    performer p;
    p.await(*io, d, in);
    b.reset();
    until([&] { return p.woken(); });
    EXPECT_EQ(take(d.fd), "");
    poll();
  }
}

TEST_P(reactor_conformance, hang_up_wakes_the_writer) {
  auto [a, b] = local_pair();
  attached d(*io, std::move(a));
  poll();
  fill(d.fd);
  d.not_ready(out);
  performer p;
  p.await(*io, d, out);
  b.reset();
  until([&] { return p.woken(); });
  EXPECT_EQ(::send(d.fd, "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_P(reactor_conformance, half_close_is_a_read_of_nothing_and_writes_go_on) {
  auto [a, b] = tcp_pair();
  attached d(*io, std::move(a));
  put(b.get(), "last");
  ::shutdown(b.get(), SHUT_WR);
  char data[16];
  for (const std::int64_t size : {4, 0, 0}) {
    request q(kind::read, d, data, sizeof data);
    io->submit(q);
    until([&] { return q.ended(); });
    EXPECT_EQ(q.result, size);
  }
  char answer[] = "answer";
  request w(kind::write, d, answer, 6);
  io->submit(w);
  until([&] { return w.ended(); });
  EXPECT_EQ(w.result, 6);
  EXPECT_EQ(take(b.get()), "answer");
}

TEST_P(reactor_conformance, a_reset_wakes_both_directions) {
  auto [a, b] = tcp_pair();
  attached d(*io, std::move(a));
  poll();
  fill(d.fd);
  d.not_ready(in);
  d.not_ready(out);
  performer reader;
  performer writer;
  reader.await(*io, d, in);
  writer.await(*io, d, out);
  const linger at_once = {1, 0};
  ::setsockopt(b.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  b.reset();
  until([&] { return reader.woken() && writer.woken(); });
  EXPECT_EQ(take(d.fd), std::strerror(ECONNRESET));
}

#if defined(IP_RECVERR)
unique_fd udp_at(sockaddr_in& address) {
  unique_fd s(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  socklen_t size = sizeof address;
  if (::bind(s.get(), generic(address), size) != 0) std::abort();
  if (::getsockname(s.get(), generic(address), &size) != 0) std::abort();
  return s;
}

TEST_P(reactor_conformance, an_error_in_the_queue_wakes_and_ends_nothing) {
  sockaddr_in here = loopback_of_our_own();
  sockaddr_in there = loopback_of_our_own();
  unique_fd peer = udp_at(there);
  attached d(*io, udp_at(here));
  ASSERT_EQ(::connect(d.fd, generic(there), sizeof there), 0);
  const int on = 1;
  ASSERT_EQ(::setsockopt(d.fd, SOL_IP, IP_RECVERR, &on, sizeof on), 0);
  poll();
  d.not_ready(in);
  performer p;
  p.await(*io, d, in);
  peer.reset();
  ASSERT_EQ(::send(d.fd, "x", 1, 0), 1);
  until([&] { return p.woken(); });
  EXPECT_EQ(take(d.fd), std::strerror(ECONNREFUSED));
  msghdr about = {};
  EXPECT_EQ(::recvmsg(d.fd, &about, MSG_ERRQUEUE), 0);
  EXPECT_EQ(::recvmsg(d.fd, &about, MSG_ERRQUEUE), -1);
  poll();

  d.not_ready(in);
  performer again;
  again.await(*io, d, in);
  poll();
  EXPECT_FALSE(again.woken());
  peer = udp_at(there);
  ASSERT_EQ(::sendto(peer.get(), "y", 1, 0, generic(here), sizeof here), 1);
  until([&] { return again.woken(); });
  EXPECT_EQ(take(d.fd), "y");
}
#endif

TEST_P(reactor_conformance, a_pipe) {
  auto [a, b] = make_pipe();
  attached reading(*io, std::move(a));
  attached writing(*io, std::move(b));
  ASSERT_EQ(reading.status, 0);
  ASSERT_EQ(writing.status, 0);
  char data[8];
  request r(kind::read, reading, data, sizeof data);
  io->submit(r);
  poll();
  EXPECT_FALSE(r.ended());
  char text[] = "pipe";
  request w(kind::write, writing, text, 4);
  io->submit(w);
  until([&] { return w.ended() && r.ended(); });
  EXPECT_EQ(r.result, 4);
  request end(kind::read, reading, data, sizeof data);
  io->submit(end);
  poll();
  EXPECT_FALSE(end.ended());
  writing.close();
  until([&] { return end.ended(); });
  EXPECT_EQ(end.result, 0);
}

TEST_P(reactor_conformance, a_pipe_without_a_reader_wakes_its_writer) {
  auto [a, b] = make_pipe();
  attached d(*io, std::move(b));
  poll();
  fill(d.fd);
  char byte = 0;
  request w(kind::write, d, &byte, 1);
  io->submit(w);
  poll();
  EXPECT_FALSE(w.ended());
  a.reset();
  until([&] { return w.ended(); });
  EXPECT_EQ(w.result, -EPIPE);
}

// A SIGPIPE would end the test.
TEST_P(reactor_conformance, no_signal_from_writing_to_what_is_closed) {
  ::signal(SIGPIPE, SIG_DFL);
  for (bool socket : {true, false}) {
    auto [a, b] = socket ? local_pair() : make_pipe();
    attached d(*io, std::move(b));
    a.reset();
    char byte = 0;
    request w(kind::write, d, &byte, 1);
    io->submit(w);
    until([&] { return w.ended(); });
    EXPECT_EQ(w.result, -EPIPE);
    sigset_t set;
    sigpending(&set);
    EXPECT_FALSE(sigismember(&set, SIGPIPE));
    pthread_sigmask(SIG_SETMASK, nullptr, &set);
    EXPECT_FALSE(sigismember(&set, SIGPIPE));
  }
}

// ---- descriptors ----

TEST_P(reactor_conformance, attach_refuses_what_is_no_descriptor) {
  attached none(*io, unique_fd());
  EXPECT_EQ(none.status, -EBADF);
  EXPECT_FALSE(none.is_attached());
  auto [a, b] = local_pair();
  descriptor closed;
  closed.fd = a.get();
  a.reset();
  EXPECT_EQ(io->attach(closed), -EBADF);
  EXPECT_FALSE(closed.attached);
}

TEST_P(reactor_conformance, a_number_that_is_used_again_has_no_past) {
  auto [a, b] = local_pair();
  auto [c, e] = local_pair();
  const int number = a.get();
  attached old(*io, std::move(a));
  poll();
  put(b.get(), "x");
  b.reset();    // an event for the old one is in the kernel now
  old.close();  // and is not fetched any more
  unique_fd reused(::dup3(c.get(), number, O_CLOEXEC));
  c.reset();
  ASSERT_EQ(reused.get(), number);
  attached fresh(*io, std::move(reused));
  fresh.not_ready(in);
  performer p;
  p.await(*io, fresh, in);
  poll();
  EXPECT_FALSE(p.woken());
  EXPECT_FALSE(fresh.hung_up);
  put(e.get(), "y");
  until([&] { return p.woken(); });
  EXPECT_EQ(take(fresh.fd), "y");
}

TEST_P(reactor_conformance, a_descriptor_attached_again_has_no_past) {
  auto [a, b] = local_pair();
  descriptor d;
  d.fd = a.get();
  ASSERT_EQ(io->attach(d), 0);
  d.set_ready(in, false);
  d.hung_up = true;
  d.woken[0] = 1;
  io->detach(d);
  io->detach(d);  // harmless
  auto [c, e] = local_pair();
  d.fd = c.get();
  ASSERT_EQ(io->attach(d), 0);
  EXPECT_TRUE(d.is_ready(in));
  EXPECT_FALSE(d.hung_up);
  EXPECT_EQ(d.woken[0], 0);
  io->detach(d);
}

TEST_P(reactor_conformance, a_descriptor_outlives_its_reactor) {
  auto [a, b] = local_pair();
  descriptor d;
  d.fd = a.get();
  ASSERT_EQ(io->attach(d), 0);
  const char* error = nullptr;
  io.reset(make_backend(GetParam(), &error));
  EXPECT_FALSE(d.attached);
  ASSERT_EQ(io->attach(d), 0);
  d.set_ready(in, false);
  performer p;
  p.await(*io, d, in);
  put(b.get(), "x");
  until([&] { return p.woken(); });
  io->detach(d);
}

TEST_P(reactor_conformance, what_never_waits_is_always_ready) {
  attached d(*io, file_of("text"));
  ASSERT_EQ(d.status, 0);
  for (direction dir : {in, out}) {
    d.not_ready(dir);
    performer p;
    p.await(*io, d, dir);
    until([&] { return p.woken(); });
    EXPECT_EQ(p.wakes, 1);
  }
  d.not_ready(in);
  char data[8];
  for (const std::int64_t size : {4, 0}) {
    request q(kind::read, d, data, sizeof data);
    io->submit(q);
    until([&] { return q.ended(); });
    EXPECT_EQ(q.result, size);
  }
  char more[] = "more";
  request w(kind::write, d, more, 4);
  io->submit(w);
  until([&] { return w.ended(); });
  EXPECT_EQ(w.result, 4);
  request p(kind::poll_in, d);
  io->submit(p);
  until([&] { return p.ended(); });
  EXPECT_EQ(p.result, 0);
}

TEST_P(reactor_conformance, dev_null) {
  attached d(*io, unique_fd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  ASSERT_EQ(d.status, 0);
  char byte = 0;
  request q(kind::read, d, &byte, 1);
  io->submit(q);
  until([&] { return q.ended(); });
  EXPECT_EQ(q.result, 0);
}

TEST_P(reactor_conformance, thousands_of_descriptors) {
  const bool few = std::string(GetParam()) == "select";
  const rlim_t wanted = few ? 900 : 10'000;
  rlimit limit;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted + 64) {
    const rlimit raised = {std::min(wanted + 64, limit.rlim_max), limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);
    if (limit.rlim_max < wanted + 64)
      GTEST_SKIP() << "at most " << limit.rlim_max << " descriptors are allowed";
  }
  std::deque<attached> all;
  std::deque<performer> waiting;
  for (rlim_t i = 0; i < wanted; ++i) {
    unique_fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    ASSERT_GE(fd.get(), 0) << std::strerror(errno);
    attached& d = all.emplace_back(*io, std::move(fd));
    ASSERT_EQ(d.status, 0);
    d.not_ready(in);
    waiting.emplace_back().await(*io, d, in);
  }
  const std::uint64_t one = 1;
  for (std::size_t i = 0; i < all.size(); i += 2)
    ASSERT_EQ(::write(all[i].fd, &one, sizeof one), 8);
  const auto woken = [&](std::size_t first) {
    for (std::size_t i = first; i < waiting.size(); i += 2)
      if (waiting[i].wakes != 1) return false;
    return true;
  };
  until([&] { return woken(0); });
  for (std::size_t i = 1; i < waiting.size(); i += 2) ASSERT_FALSE(waiting[i].woken());
  for (std::size_t i = 1; i < all.size(); i += 2)
    ASSERT_EQ(::write(all[i].fd, &one, sizeof one), 8);
  until([&] { return woken(1); });
  EXPECT_TRUE(woken(0));
}

INSTANTIATE_TEST_SUITE_P(backends, reactor_conformance, backends(), backend_name);

}  // namespace
