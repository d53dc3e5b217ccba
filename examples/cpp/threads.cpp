// SPDX-License-Identifier: MIT
#include <cstdio>
#include <thread>
#include <weft/weft.hpp>

weft::task<long> fib(int n) {
  if (n < 2) co_return n;
  auto left = weft::spawn(fib, n - 1);  // may run on another thread
  const long right = co_await fib(n - 2);
  co_return right + co_await std::move(left);
}

weft::task<long> sum(weft::receiver<int> rx) {
  long total = 0;
  while (const auto v = co_await rx.recv()) total += *v;
  co_return total;
}

int main() {
  weft::runtime_options options;
  options.workers = 0;  // one thread a core
  weft::runtime rt(options);
  std::printf("fib(15) = %ld\n", rt.block_on(fib(15)));  // --> fib(15) = 610

  // A thread of the program's own uses the same channels, and blocks where a task would wait.
  auto [tx, rx] = weft::channel<int>();
  std::thread outside([tx = std::move(tx)]() mutable {
    for (int i = 1; i <= 100; ++i) (void)weft::perform_blocking(tx.send_op(i));
    tx.close();
  });
  std::printf("sum %ld\n", rt.block_on(sum(std::move(rx))));  // --> sum 5050
  outside.join();
}
