// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<int> panics() {
  co_await weft::yield();
  throw std::runtime_error("division by cheese");
}

weft::task<> sleeper() {
  try {
    co_await weft::sleep(1h);
  } catch (const weft::cancelled&) {
    std::puts("a sibling is cancelled");
    throw;  // clean up, and let it go on
  }
}

weft::task<> group() {
  weft::spawn(sleeper).detach();
  weft::spawn(panics).detach();
  co_return;
}

weft::task<> run() {
  auto handle = weft::spawn(panics);
  try {
    co_await std::move(handle);
  } catch (const std::runtime_error& e) {
    std::printf("the joiner gets it: %s\n",
                e.what());  // --> the joiner gets it: division by cheese
  }
  try {
    co_await weft::scope(group);  // --> a sibling is cancelled
  } catch (const std::runtime_error& e) {
    std::printf("the scope throws it: %s\n",
                e.what());  // --> the scope throws it: division by cheese
  }
}

int main() { weft::runtime().block_on(run()); }
