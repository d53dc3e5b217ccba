// SPDX-License-Identifier: MIT
// Invariants: an opening completes its waiter exactly once; every descriptor it made is taken or
// closed.
#include "io/opening.hpp"

#include <dirent.h>

#include "core/errors.hpp"
#include "fixture.hpp"

using namespace weft_test;

namespace {

int open_descriptors() {
  int n = 0;
  DIR* d = ::opendir("/proc/self/fd");
  while (::readdir(d)) ++n;
  ::closedir(d);
  return n;
}

class opening : public on_worker {
 protected:
  void SetUp() override {
    on_worker::SetUp();
    listener.fd = io::listen(loopback(), {});
    ASSERT_EQ(io::local_address(listener.fd, at), 0);
    before = open_descriptors();
  }
  void TearDown() override {
    EXPECT_TRUE(drive_to_before());
    io::close(listener);
  }
  /// Lookups that go on hold descriptors for a while; some may have when `before` was counted.
  bool drive_to_before() {
    return drive([this] { return open_descriptors() <= before; });
  }

  /// Performs it to the end.
  int open(const char* host, std::uint16_t port, const io::opening_options& o = {}) {
    performer p(*w);
    io::opening* it = io::opening::make(host, port, o);
    it->begin(*w);
    it->await(p.begin());
    EXPECT_TRUE(drive([&] { return p.wakes == 1; }));
    EXPECT_TRUE(it->finished());
    const int result = it->take();
    it->abandon();
    return result;
  }

  io::socket listener;
  io::address at;
  int before = 0;
};
WEFT_ON_BACKENDS(opening);

}  // namespace

TEST_P(opening, connects) {
  const int fd = open("127.0.0.1", at.port());
  ASSERT_GE(fd, 0);
  io::address peer;
  EXPECT_EQ(io::peer_address(fd, peer), 0);
  EXPECT_EQ(peer.port(), at.port());
  EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
  ::close(fd);
}

TEST_P(opening, connects_by_name_and_tries_each_address) {
  const int fd = open("localhost", at.port());
  ASSERT_GE(fd, 0) << fd;
  ::close(fd);
}

TEST_P(opening, tells_that_it_was_refused) {
  // Its port is taken, and nobody listens there.
  const int nobodys = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const io::address here = loopback();
  ASSERT_EQ(::bind(nobodys, &here.any, here.size), 0);
  ASSERT_EQ(io::local_address(nobodys, at), 0);
  EXPECT_EQ(open("127.0.0.1", at.port()), -ECONNREFUSED);
  ::close(nobodys);
}

TEST_P(opening, refuses_names_that_are_too_long) {
  EXPECT_EQ(open(std::string(1000, 'a').c_str(), 80), -core::error_name_unknown);
}

TEST_P(opening, listens_by_name) {
  io::opening_options o;
  o.listens = true;
  const int fd = open("localhost", 0, o);
  ASSERT_GE(fd, 0) << fd;
  ::close(fd);
}

TEST_P(opening, abandoned_at_any_time_leaves_nothing) {
  for (int turns = 0; turns < 4; ++turns)
    for (const char* host : {"127.0.0.1", "localhost", "no-such-host.invalid", "192.0.2.1"}) {
      performer p(*w);
      io::opening* it = io::opening::make(host, at.port(), {});
      it->begin(*w);
      it->await(p.begin());
      const core::worker::driving guard(*w);
      for (int i = 0; i < turns; ++i) w->turn(1'000'000);
      p.lose();
      it->abandon();
      for (int i = 0; i < 3; ++i) w->turn(0);
    }
}

TEST_P(opening, that_was_never_begun_is_released) {
  io::opening::make("localhost", 1, {})->abandon();
}
