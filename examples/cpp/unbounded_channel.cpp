// SPDX-License-Identifier: MIT
#include <cstdio>
#include <memory>
#include <weft/weft.hpp>

weft::task<> run() {
  auto [tx, rx] = weft::channel<std::unique_ptr<int>>(weft::unbounded);
  for (int i = 1; i <= 1000; ++i) co_await tx.send(std::make_unique<int>(i));  // never waits
  std::printf("%zu wait in the channel\n", rx.size());  // --> 1000 wait in the channel

  tx.close();
  std::printf("a closed channel %s\n", co_await tx.send(nullptr) ? "takes more" : "takes no more");
  // --> a closed channel takes no more

  int sum = 0;
  while (const auto v = co_await rx.recv()) sum += **v;  // but what is in it can be had
  std::printf("sum %d\n", sum);                          // --> sum 500500
}

int main() { weft::runtime().block_on(run()); }
