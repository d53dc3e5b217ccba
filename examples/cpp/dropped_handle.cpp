// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> work() {
  co_await weft::sleep(5ms);
  std::puts("a task goes on without its handle");
}

weft::task<> fails() {
  co_await weft::yield();
  throw std::runtime_error("nobody joined me");
}

weft::task<> run() {
  weft::spawn(work).detach();
  co_return;  // block_on returns when everything that was spawned has ended
}

weft::task<> lose_a_failure() {
  {
    auto handle = weft::spawn(fails);
  }  // dropped: its failure goes to the scope
  co_return;
}

int main() {
  weft::runtime rt;
  rt.block_on(run());  // --> a task goes on without its handle
  try {
    rt.block_on(lose_a_failure());
  } catch (const std::runtime_error& e) {
    std::printf("block_on threw: %s\n", e.what());  // --> block_on threw: nobody joined me
  }
}
