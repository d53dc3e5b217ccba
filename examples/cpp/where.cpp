// SPDX-License-Identifier: MIT
// Tasks that stay on a worker, functions on an executor, and a look at who waits for what.
#include <chrono>
#include <cstdio>
#include <functional>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<int> counts(int n) {
  int sum = 0;
  for (int i = 1; i <= n; ++i) {
    sum += i;
    co_await weft::yield();
  }
  co_return sum;
}

// Whatever has execute(f) or post(f): a thread pool, a strand, an executor of asio's.
struct executor {
  void post(const std::function<void()>& f) const { f(); }
};

weft::task<> waits(weft::receiver<int> rx) {
  weft::set_task_name("waits");
  co_await rx.recv();
}

weft::task<> run(weft::runtime* rt) {
  auto pinned = weft::spawn_on(rt->worker(1), counts, 100);  // it never leaves worker 1
  std::printf("%d\n", co_await pinned);                      // --> 5050

  auto call = weft::spawn_on(executor(), [] { return 6 * 7; });
  std::printf("%d\n", co_await call);  // --> 42

  auto [tx, rx] = weft::channel<int>();
  auto waiter = weft::spawn(waits, rx);
  for (bool found = false; !found; co_await weft::yield())  // until it has got that far
    for (const weft::task_info& t : rt->tasks()) {
      if (t.name != "waits" || !t.waiting) continue;
      std::printf("%s for: %s\n", t.name.c_str(), t.waiting);  // --> waits for: receive
      found = true;
    }
  tx.close();
  co_await waiter;
}

int main() {
  weft::runtime_options options;
  options.workers = 2;
  options.watchdog = 60s;  // names a task that runs for so long without waiting
  weft::runtime rt(options);
  rt.block_on(run(&rt));
}
