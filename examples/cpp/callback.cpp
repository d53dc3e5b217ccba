// SPDX-License-Identifier: MIT
// A library that calls back on a thread of its own, and the tasks that it starts.
#include <cstdio>
#include <functional>
#include <thread>
#include <utility>
#include <weft/weft.hpp>

// Knows nothing of weft.
class sensor {
 public:
  explicit sensor(std::function<void(int)> on_value)
      : thread_([f = std::move(on_value)] {
          for (int value = 1; value <= 3; ++value) f(value);
        }) {}
  ~sensor() { thread_.join(); }

 private:
  std::thread thread_;
};

weft::task<> square(int value, weft::sender<int> out) {
  co_await weft::yield();  // a task: it may wait
  co_await out.send(value * value);
}

weft::task<> run() {
  auto [tx, rx] = weft::channel<int>(8);
  // A callback is in no task: it starts one through the handle that it was given.
  const sensor s([here = weft::runtime_handle::current(), out = std::move(tx)](int value) {
    here.spawn(square, value, out).detach();
  });
  int sum = 0;
  for (int i = 0; i < 3; ++i) sum += *co_await rx.recv();
  std::printf("1 + 4 + 9 = %d\n", sum);  // --> 1 + 4 + 9 = 14
}

int main() { weft::runtime().block_on(run()); }
