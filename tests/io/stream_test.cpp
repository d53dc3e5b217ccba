// SPDX-License-Identifier: MIT
// Invariants: bytes arrive whole and in the order of the commits; a wait that lost has taken and
// sent nothing; waiters are first in, first out; a closed stream's last bytes are sent.
#include "io/stream.hpp"

#include <thread>
#include <vector>

#include "fixture.hpp"
#include "weft/core/scope.hpp"

using namespace weft_test;
using core::direction;
using io::written;

namespace {

class stream : public on_worker {
 protected:
  void SetUp() override {
    on_worker::SetUp();
    connect(a, b);
  }
  void TearDown() override {
    io::close(a, nullptr);
    io::close(b, nullptr);
    settle();
  }

  written write(io::stream& s, const std::string& text) {
    return io::write(s, text.data(), text.size());
  }

  /// Reads until there are n bytes, or the end.
  std::string read_all(io::stream& s, std::size_t n = SIZE_MAX) {
    std::string text;
    bool ended = false;
    EXPECT_TRUE(drive([&] {
      std::string part(65536, 0);
      for (;;) {
        const std::int64_t got = io::read_some(s, part.data(), part.size());
        if (got <= 0) {
          ended = got != -EAGAIN;
          break;
        }
        text.append(part, 0, static_cast<std::size_t>(got));
      }
      return ended || text.size() >= n;
    }));
    return text;
  }

  io::stream a, b;
};
WEFT_ON_BACKENDS(stream);

/// More than the kernel takes.
std::string much(char c = 'x') { return std::string(16 << 20, c); }

}  // namespace

TEST_P(stream, a_short_read_clears_the_mark_and_the_next_bytes_set_it) {
  EXPECT_EQ(write(a, "one"), written::sent);
  performer p(*w);
  b.set_ready(direction::in, false);
  io::await(b, direction::in, p.begin());
  ASSERT_TRUE(drive([&] { return p.wakes == 1; }));
  io::begin_turn(b, direction::in);
  EXPECT_EQ(read_now(b, 2), "on");
  EXPECT_TRUE(b.is_ready(direction::in));
  EXPECT_EQ(read_now(b), "e");
  EXPECT_FALSE(b.is_ready(direction::in));
  EXPECT_EQ(write(a, "two"), written::sent);
  io::await(b, direction::in, p.begin());
  ASSERT_TRUE(drive([&] { return p.wakes == 2; }));
  EXPECT_EQ(read_now(b), "two");
}

TEST_P(stream, readers_are_first_in_first_out_and_nobody_passes_one_that_was_woken) {
  std::vector<std::string> got(3);
  performer p[3] = {performer(*w), performer(*w), performer(*w)};
  EXPECT_EQ(read_now(b), "");
  for (int i = 0; i < 3; ++i)
    io::await(b, direction::in, p[i].begin([&, i] {
      EXPECT_FALSE(io::may_try(b, direction::in));
      io::begin_turn(b, direction::in);
      got[static_cast<std::size_t>(i)] = read_now(b, 1);
      io::end_turn(b, direction::in);
    }));
  EXPECT_EQ(write(a, "123"), written::sent);
  ASSERT_TRUE(drive([&] { return p[2].wakes == 1; }));
  EXPECT_EQ(got, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_TRUE(io::may_try(b, direction::in));
}

TEST_P(stream, a_reader_that_lost_leaves_the_bytes) {
  performer p(*w);
  EXPECT_EQ(read_now(b), "");
  io::await(b, direction::in, p.begin());
  p.lose();
  EXPECT_EQ(write(a, "kept"), written::sent);
  settle();
  EXPECT_EQ(p.wakes, 0);
  EXPECT_EQ(read_all(b, 4), "kept");
}

TEST_P(stream, what_the_kernel_does_not_take_is_sent_in_the_background) {
  const std::string text = much();
  ASSERT_EQ(write(a, text), written::kept);
  EXPECT_FALSE(io::can_write(a));
  performer p(*w);
  io::await_sent(a, p.begin());
  settle();
  EXPECT_EQ(p.wakes, 0);
  EXPECT_EQ(read_all(b, text.size()), text);
  ASSERT_TRUE(drive([&] { return p.wakes == 1; }));
  EXPECT_EQ(p.winner, 0U);
  EXPECT_TRUE(io::can_write(a));
  EXPECT_EQ(a.out, nullptr);
}

TEST_P(stream, writers_take_turns_and_one_that_lost_sends_nothing) {
  const std::string first = much('1'), second = much('2');
  ASSERT_EQ(write(a, first), written::kept);
  performer p(*w), lost(*w), q(*w);
  ASSERT_EQ(write(a, second), written::wait);
  io::await_turn(a, p.begin([&] {
    EXPECT_EQ(write(a, "no"), written::wait);  // not past the one who was woken
    EXPECT_EQ(io::write_slowly(a, second.data(), second.size(), true), written::kept);
  }));
  io::await_turn(a, lost.begin());
  io::await_turn(a, q.begin([&] { EXPECT_EQ(io::write_slowly(a, "3", 1, true), written::sent); }));
  lost.lose();
  EXPECT_EQ(read_all(b, first.size() + second.size() + 1), first + second + "3");
  EXPECT_EQ(lost.wakes, 0);
  EXPECT_EQ(a.out, nullptr);
}

TEST_P(stream, shutdown_comes_after_what_is_still_to_be_sent) {
  const std::string text = much();
  ASSERT_EQ(write(a, text), written::kept);
  EXPECT_EQ(io::shutdown(a, io::half::out), 0);
  EXPECT_EQ(write(a, "more"), written::failed);
  EXPECT_EQ(io::write_error(a), -EPIPE);
  EXPECT_EQ(read_all(b), text);
  EXPECT_EQ(write(b, "answer"), written::sent);
  EXPECT_EQ(read_all(a, 6), "answer");
}

TEST_P(stream, a_peer_that_has_gone_ends_the_writers) {
  ASSERT_EQ(write(a, much()), written::kept);
  performer sender(*w), next(*w);
  io::await_sent(a, sender.begin());
  io::await_turn(a, next.begin());
  io::close(b, nullptr);
  ASSERT_TRUE(drive([&] { return sender.wakes == 1 && next.wakes == 1; }));
  EXPECT_EQ(sender.winner, 1U);
  EXPECT_EQ(io::write_slowly(a, "x", 1, true), written::failed);
  EXPECT_TRUE(a.broken == -EPIPE || a.broken == -ECONNRESET) << a.broken;
  EXPECT_EQ(a.out, nullptr);
}

TEST_P(stream, close_wakes_all_who_wait) {
  ASSERT_EQ(write(a, much()), written::kept);
  performer reader(*w), sender(*w), next(*w);
  EXPECT_EQ(read_now(a), "");
  io::await(a, direction::in, reader.begin());
  io::await_sent(a, sender.begin());
  io::await_turn(a, next.begin());
  io::close(a, nullptr);
  io::close(a, nullptr);
  ASSERT_TRUE(drive([&] { return reader.wakes == 1 && sender.wakes == 1 && next.wakes == 1; }));
  EXPECT_TRUE(reader.closed && sender.closed && next.closed);
  read_all(b);
}

TEST_P(stream, close_sends_what_is_left_and_keeps_the_scope_open) {
  core::scope s;
  const std::string text = much();
  ASSERT_EQ(write(a, text), written::kept);
  io::close(a, &s);
  EXPECT_TRUE(a.closed());
  EXPECT_EQ(s.ordinary, 1U);
  performer p(*w);
  s.emptied.push_back(p.begin());
  EXPECT_EQ(read_all(b), text);
  ASSERT_TRUE(drive([&] { return p.wakes == 1; }));
  EXPECT_EQ(s.ordinary, 0U);
}

TEST_P(stream, a_cancelled_scope_ends_that_with_a_reset) {
  core::scope s;
  ASSERT_EQ(write(a, much()), written::kept);
  io::close(a, &s);
  settle();
  core::cancel_scope(s);
  ASSERT_TRUE(drive([&] { return s.ordinary == 0; }));
  std::string part(65536, 0);
  std::int64_t n;
  do n = io::read_some(b, part.data(), part.size());
  while (n > 0 || n == -EAGAIN);  // the reset may be on its way yet
  EXPECT_EQ(n, -ECONNRESET);
}

TEST_P(stream, an_outbox_goes_on_in_the_next_run) {
  const std::string text = much();
  ASSERT_EQ(write(a, text), written::kept);
  settle();
  renew();
  EXPECT_FALSE(a.attached || b.attached);
  ASSERT_EQ(io::use(a, *w), 0);
  ASSERT_EQ(io::use(b, *w), 0);
  EXPECT_EQ(read_all(b, text.size()), text);
  EXPECT_TRUE(drive([&] { return a.out == nullptr; }));
}

TEST_P(stream, without_a_worker_close_sends_in_the_foreground) {
  const std::string text(1 << 20, 'x');
  int small = 4096;
  ::setsockopt(a.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  ASSERT_EQ(write(a, text), written::kept);
  w.reset();
  std::string got;
  const int fd = b.fd;
  std::thread reader([&] {
    ::fcntl(fd, F_SETFL, 0);
    char part[65536];
    for (ssize_t n; (n = ::read(fd, part, sizeof part)) > 0;)
      got.append(part, static_cast<std::size_t>(n));
  });
  io::close(a, nullptr);
  reader.join();
  EXPECT_EQ(got, text);
  renew();
}

TEST_P(stream, of_another_worker_is_refused) {
  const auto mine = std::move(w);
  renew();
  EXPECT_EQ(io::use(a, *w), -EBUSY);
}

TEST_P(stream, look_asks_the_kernel_when_nobody_else_does) {
  EXPECT_EQ(read_now(b), "");
  io::look(b, direction::in);
  EXPECT_EQ(write(a, "x"), written::sent);
  do ++w->count().runs;  // tasks run, and the worker does not poll
  while (!io::look(b, direction::in));
}
