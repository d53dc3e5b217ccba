// SPDX-License-Identifier: MIT
// A task that takes n messages, each of which it has to wait for: plainly, and with a timeout that
// never comes. timers n
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;

weft::task<> take_plainly(weft::receiver<int> from, int n) {
  for (int i = 0; i < n; ++i)
    if (!co_await from.recv()) std::abort();
}
weft::task<> take_in_time(weft::receiver<int> from, int n) {
  for (int i = 0; i < n; ++i)
    if (!co_await weft::timeout(from.recv(), 30s)) std::abort();
}

weft::task<double> taken(weft::task<> (*take)(weft::receiver<int>, int), int n) {
  auto [to, from] = weft::channel<int>(0);
  auto taker = weft::spawn(take, from, n);
  co_await weft::yield();
  const std::clock_t start = std::clock();
  for (int i = 0; i < n; ++i) {
    static_cast<void>(co_await to.send(i));
    co_await weft::yield();  // it waits again
  }
  const double spent = double(std::clock() - start) / CLOCKS_PER_SEC * 1e9 / n;
  co_await taker;
  co_return spent;
}

weft::task<> compare(int n) {
  co_await taken(take_in_time, n);  // warm
  const double bare = co_await taken(take_plainly, n);
  const double timed = co_await taken(take_in_time, n);
  std::printf("RESULT timer %.6g ns\nRESULT whole %.6g ns\n", timed - bare, timed);
}

}  // namespace

int main(int, char** argv) { weft::runtime().block_on(compare(std::atoi(argv[1]))); }
