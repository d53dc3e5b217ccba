// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

struct shared_state {
  weft::mutex lock;
  weft::semaphore places{2};  // at most two at a time
  weft::latch ended{5};
  long total = 0;
  int inside = 0;
  int most = 0;
};

weft::task<> visit(shared_state& s, int amount) {
  {
    auto place = co_await s.places.acquire();
    if (++s.inside > s.most) s.most = s.inside;
    co_await weft::sleep(1ms);
    --s.inside;
  }  // the place is free again
  {
    auto guard = co_await s.lock.lock();
    const long before = s.total;
    co_await weft::yield();  // nobody else gets in meanwhile
    s.total = before + amount;
  }
  s.ended.count_down();
}

int slow_square(int n) {
  std::this_thread::sleep_for(1ms);  // blocks a helper thread, and no task
  return n * n;
}

weft::task<> run() {
  shared_state s;
  std::vector<weft::join_handle<void>> visitors;
  for (int i = 1; i <= 5; ++i) visitors.push_back(weft::spawn(visit, std::ref(s), i));
  co_await s.ended.wait();
  std::printf("total %ld, at most %d at a time\n", s.total, s.most);  // --> total 15, at most 2 at a time
  for (auto& v : visitors) co_await v;

  const int square = co_await weft::spawn_blocking(slow_square, 12);
  std::printf("12 squared is %d\n", square);  // --> 12 squared is 144
}

int main() {
  weft::runtime rt;
  rt.block_on(run());
}
