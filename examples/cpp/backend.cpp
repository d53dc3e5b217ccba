// SPDX-License-Identifier: MIT
#include <cstdio>
#include <weft/weft.hpp>

weft::task<int> five() { co_return 5; }

int main() {
  weft::runtime_options options;
  options.backend = "epoll";
  weft::runtime rt(options);
  std::printf("%d\n", rt.block_on(five()));  // --> 5
}
