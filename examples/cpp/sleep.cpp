// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> say(const char* what, std::chrono::milliseconds after) {
  co_await weft::sleep(after);
  std::puts(what);
}

weft::task<> run() {
  // Three sleeps at once take as long as the longest.
  co_await weft::all(say("third", 90ms), say("first", 10ms), say("second", 50ms));
  // --> first
  // --> second
  // --> third

  weft::interval every(5ms);
  for (int i = 1; i <= 2; ++i) {
    co_await every.tick();
    std::printf("tick %d\n", i);
  }
  // --> tick 1
  // --> tick 2
}

int main() { weft::runtime().block_on(run()); }
