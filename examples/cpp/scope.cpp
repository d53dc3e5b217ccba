// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> worker(int id, std::chrono::milliseconds d) {
  try {
    co_await weft::sleep(d);
    std::printf("worker %d is done\n", id);
  } catch (const weft::cancelled&) {
    std::printf("worker %d is cancelled\n", id);
    throw;
  }
}

weft::task<int> wait_for_all() {
  weft::spawn(worker, 1, 5ms).detach();
  weft::spawn(worker, 2, 50ms).detach();
  co_return 7;  // the scope returns it when both have ended
}

weft::task<> first_only(weft::task_group& group) {
  auto quick = group.spawn(worker, 3, 1ms);
  group.spawn(worker, 4, 1h).detach();
  co_await std::move(quick);
  group.cancel();
}

weft::task<> run() {
  const int seven = co_await weft::scope(wait_for_all);
  std::printf("the first scope gives %d\n", seven);
  co_await weft::scope(first_only);

  weft::scope_options limit;
  limit.timeout = 5ms;
  try {
    co_await weft::scope(limit, worker, 5, 1h);
  } catch (const weft::timed_out&) {
    std::puts("the third took too long");
  }
}
// --> worker 1 is done
// --> worker 2 is done
// --> the first scope gives 7
// --> worker 3 is done
// --> worker 4 is cancelled
// --> worker 5 is cancelled
// --> the third took too long

int main() { weft::runtime().block_on(run()); }
