// SPDX-License-Identifier: MIT
// Waiting for somebody else's descriptor.
#include "io/watched.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "io/fixture.hpp"

namespace {

using weft::core::direction;
using weft_test::performer;
using weft_test::core::worker;
namespace io = weft::io;

class watching : public weft_test::on_worker {
 protected:
  void SetUp() override {
    on_worker::SetUp();
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    o.fd = pipe[0];
  }
  void TearDown() override {
    for (const int fd : pipe)
      if (fd >= 0) ::close(fd);
  }

  void wait(performer& p) {
    ASSERT_EQ(io::begin_watch(o, *w), 0);
    o.copy.set_ready(direction::in, false);
    io::await(o.copy, direction::in, p.begin());
  }
  void end(performer& p) {
    if (p.wakes == 0) p.lose();
    io::end_watch(o);
  }

  io::watched o;
  int pipe[2] = {-1, -1};
};

TEST_P(watching, wakes_when_there_is_something) {
  performer p(*w);
  wait(p);
  settle();
  EXPECT_EQ(p.wakes, 0);
  EXPECT_EQ(io::poll_now(o.fd, direction::in), 0);
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  EXPECT_TRUE(drive([&] { return p.wakes == 1; }));
  EXPECT_EQ(io::poll_now(o.fd, direction::in), 1);
  end(p);
}

TEST_P(watching, wakes_on_what_has_been_there_before) {
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  performer p(*w);
  wait(p);
  EXPECT_TRUE(drive([&] { return p.wakes == 1; }));
  end(p);
}

TEST_P(watching, wakes_on_a_hang_up) {
  performer p(*w);
  wait(p);
  ::close(pipe[1]);
  pipe[1] = -1;
  EXPECT_TRUE(drive([&] { return p.wakes == 1; }));
  end(p);
}

TEST_P(watching, holds_a_duplicate_while_somebody_waits) {
  performer p(*w);
  performer q(*w);
  wait(p);
  wait(q);
  EXPECT_FALSE(o.copy.closed());
  EXPECT_NE(o.copy.fd, o.fd);
  end(p);
  EXPECT_FALSE(o.copy.closed());
  end(q);
  EXPECT_TRUE(o.copy.closed());
  EXPECT_GE(::fcntl(o.fd, F_GETFD), 0);
}

TEST_P(watching, beside_itself) {
  io::watched same;
  same.fd = o.fd;
  performer p(*w);
  wait(p);
  ASSERT_EQ(io::begin_watch(same, *w), 0);
  io::end_watch(same);
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  EXPECT_TRUE(drive([&] { return p.wakes == 1; }));
  end(p);
}

TEST_P(watching, a_close_wakes_all) {
  performer p(*w);
  performer q(*w);
  wait(p);
  wait(q);
  io::close(o.copy);
  EXPECT_TRUE(drive([&] { return p.wakes == 1 && q.wakes == 1; }));
  EXPECT_TRUE(p.closed && q.closed);
  end(p);
  end(q);
}

TEST_P(watching, rouse_wakes_all_once_more) {
  performer p(*w);
  wait(p);
  io::rouse(o.copy);
  EXPECT_TRUE(drive([&] { return p.wakes == 1; }));
  EXPECT_FALSE(p.closed);
  end(p);
}

TEST_P(watching, a_bad_descriptor) {
  io::watched bad;
  bad.fd = 1'000'000;
  EXPECT_EQ(io::poll_now(bad.fd, direction::in), -EBADF);
  EXPECT_EQ(io::begin_watch(bad, *w), -EBADF);
  io::end_watch(bad);
  EXPECT_EQ(bad.waiting, 0U);
}

WEFT_ON_BACKENDS(watching);

}  // namespace
