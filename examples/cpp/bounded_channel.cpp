// SPDX-License-Identifier: MIT
#include <cstdio>
#include <weft/weft.hpp>

weft::task<> produce(weft::sender<int> tx) {
  for (int i = 1; i <= 4; ++i) {
    if (!co_await tx.send(i)) co_return;  // waits while two are in the channel
    std::printf("sent %d\n", i);
  }
}  // the last sender goes: the channel closes

weft::task<> run() {
  auto [tx, rx] = weft::channel<int>(2);
  weft::spawn(produce, std::move(tx)).detach();
  for (int i = 0; i < 10; ++i) co_await weft::yield();
  std::puts("the channel is full");
  int sum = 0;
  while (const auto v = co_await rx.recv()) sum += *v;
  std::printf("sum %d\n", sum);
}
// --> sent 1
// --> sent 2
// --> the channel is full
// --> sent 3
// --> sent 4
// --> sum 10

int main() { weft::runtime().block_on(run()); }
