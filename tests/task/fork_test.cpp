// SPDX-License-Identifier: MIT
// Programs that fork while a runtime lives: the parent's goes on, the child makes its own.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include "net_support.hpp"
#include "sanitizers.hpp"

namespace {

using namespace std::chrono_literals;
using weft::task;

/// What a child returns that runs f and ends without the destructors and tests of its parent.
template <class F>
int in_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

task<> ticks(std::atomic<int>* n) {
  for (;;) {
    co_await weft::sleep(1ms);
    ++*n;
  }
}
task<> more_ticks(const std::atomic<int>* n) {
  const int before = *n;
  while (*n < before + 3) co_await weft::sleep(1ms);
}

/// Whether timers and sockets work.
task<bool> echoes() {
  connection c = co_await connect_pair();
  std::string got(5, '?');
  EXPECT_TRUE(co_await c.client.write_all(bytes("hello")));
  EXPECT_TRUE(co_await weft::read_all(c.server, room(got)));
  co_await weft::sleep(1ms);
  co_return got == "hello";
}

class Fork : public ::testing::TestWithParam<unsigned> {
 protected:
  static weft::runtime_options options() {
    weft::runtime_options o;
    o.workers = GetParam();
    return o;
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Fork, ::testing::Values(1U, 2U, 4U));

TEST_P(Fork, TheParentsGoesOnAndTheChildMakesItsOwn) {
  std::atomic<int> n = 0;
  weft::runtime rt(options());
  rt.spawn(ticks, &n).detach();
  rt.block_on(more_ticks(&n));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(in_child([] {
                weft::runtime own;
                return own.block_on(echoes()) ? 0 : 1;
              }),
              0);
    rt.block_on(more_ticks(&n));
    EXPECT_TRUE(rt.block_on(echoes()));
  }
}

TEST_P(Fork, InTheChildTheParentsIsInert) {
  std::atomic<int> n = 0;
  auto rt = std::make_unique<weft::runtime>(options());
  rt->spawn(ticks, &n).detach();
  rt->block_on(more_ticks(&n));
  EXPECT_EQ(in_child([&] {
              try {
                rt->block_on(more_ticks(&n));
              } catch (const std::logic_error& e) {
                rt.reset();
                return std::string(e.what()).find("child of a fork") == std::string::npos ? 1 : 0;
              }
              return 2;
            }),
            0);
  rt->block_on(more_ticks(&n));
}

int twice(int n) { return 2 * n; }
task<int> doubled(int n) { co_return co_await weft::spawn_blocking(twice, n); }

// The threads that run blocking calls wait for the next one when the process forks: the child has
// none of them.
TEST_P(Fork, TheChildHasHelpersOfItsOwn) {
  weft::runtime rt(options());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(rt.block_on(doubled(i)), 2 * i);
    std::this_thread::sleep_for(1ms);  // so that the helper begins to wait, sooner or later
    EXPECT_EQ(in_child([] {
                if (WEFT_TEST_TSAN) return 0;  // no threads there for the child of one with threads
                weft::runtime own;
                return own.block_on(doubled(21)) == 42 ? 0 : 1;
              }),
              0);
  }
}

TEST(ForkInALoop, TheParentsLoopGoesOn) {
  std::atomic<int> n = 0;
  weft::runtime rt;
  rt.spawn(ticks, &n).detach();
  const auto loop_until = [&](int count) {
    pollfd p = {rt.event_fd(), POLLIN, 0};
    while (n < count)
      if (::poll(&p, 1, -1) == 1) rt.poll_once();
  };
  loop_until(3);
  EXPECT_EQ(in_child([&] {
              weft::runtime own;
              auto h = own.spawn(echoes);
              pollfd p = {own.event_fd(), POLLIN, 0};
              while (!h.is_finished())
                if (::poll(&p, 1, -1) == 1) own.poll_once();
              return 0;
            }),
            0);
  loop_until(n + 3);
}

}  // namespace
