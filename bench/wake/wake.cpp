// SPDX-License-Identifier: MIT
// wake spawn|send n: a thread wakes a worker that is parked, by a task or by a message, and the
// task that then runs looks at the clock. As `idle` of embed/bare.c, which wakes by an eventfd.
// wake trip n: two runtimes on a thread and a core each that send to each other. As wake/bare.c.
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

namespace {

std::vector<std::int64_t> took;
std::atomic<std::int64_t> rung;

void note() { took.push_back(weft::core::clock_now() - rung.load()); }

weft::task<> arrive() {
  note();
  co_return;
}
weft::task<> receive(weft::receiver<int> from, int n) {
  for (int i = 0; i < n; ++i) {
    static_cast<void>(co_await from.recv());
    note();
  }
}

template <class Wake>
void wake_often(int n, Wake wake) {
  const timespec pause = {0, 300000};
  for (int i = 0; i < n; ++i) {
    ::nanosleep(&pause, nullptr);
    rung = weft::core::clock_now();
    wake();
  }
}

weft::task<> until(weft::event& e) { co_await e.wait(); }

void by_spawn(int n) {
  weft::runtime r;
  weft::event done;
  std::thread waker([&, handle = r.handle()] {
    wake_often(n, [&] { handle.spawn(arrive).detach(); });
    done.set();
  });
  r.block_on(until(done));
  waker.join();
}

void by_message(int n) {
  weft::runtime r;
  auto [to, from] = weft::channel<int>(16);
  std::thread waker([&, to = to] {
    wake_often(n, [&] { static_cast<void>(weft::perform_blocking(to.send(1))); });
  });
  r.block_on(receive(from, n));
  waker.join();
}

weft::task<> answer(weft::receiver<int> from, weft::sender<int> to, int n) {
  for (int i = 0; i < n; ++i) static_cast<void>(co_await to.send(*co_await from.recv()));
}
weft::task<> ask(weft::sender<int> to, weft::receiver<int> from, int n) {
  for (int i = 0; i < n; ++i) {
    static_cast<void>(co_await to.send(i));
    static_cast<void>(co_await from.recv());
  }
}

void stay_on(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  ::sched_setaffinity(0, sizeof cores, &cores);
}

void trips(int n) {
  auto [there, at_there] = weft::channel<int>(1);
  auto [back, at_back] = weft::channel<int>(1);
  const auto start = weft::core::clock_now();
  std::thread other([&, from = at_there, to = back] {
    stay_on(1);
    weft::runtime().block_on(answer(from, to, n));
  });
  stay_on(0);
  weft::runtime().block_on(ask(there, at_back, n));
  other.join();
  std::printf("RESULT trip %.6g us\n",
              static_cast<double>(weft::core::clock_now() - start) / 1000 / n);
}

}  // namespace

int main(int, char** argv) {
  const int n = std::atoi(argv[2]);
  if (std::strcmp(argv[1], "trip") == 0) {
    trips(n);
    return 0;
  }
  took.reserve(static_cast<std::size_t>(n) + 1);
  std::strcmp(argv[1], "spawn") == 0 ? by_spawn(n) : by_message(n);
  std::nth_element(took.begin(), took.begin() + n / 2, took.end());
  std::printf("RESULT wake %.6g us\n",
              static_cast<double>(took[static_cast<std::size_t>(n) / 2]) / 1000);
}
