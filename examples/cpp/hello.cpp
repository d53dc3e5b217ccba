// SPDX-License-Identifier: MIT
#include <cstdio>
#include <weft/weft.hpp>

weft::task<int> hello() {
  std::puts("hello from a task");  // --> hello from a task
  co_return 42;
}

int main() {
  weft::runtime rt;
  const int answer = rt.block_on(hello());
  std::printf("it returned %d\n", answer);  // --> it returned 42
}
