// SPDX-License-Identifier: MIT
// 1,000 timers in the core's wheel; one is cancelled and set anew, as a timeout is.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "weft/core/timer_wheel.hpp"

int main() {
  using namespace weft::core;
  const char* scale = std::getenv("SCALE");
  const int n = static_cast<int>(1e7 * (scale ? std::atof(scale) : 1));
  timer_wheel wheel;
  std::vector<wait_record> timers(1000);
  random_source random(12345);
  const nanoseconds now = clock_now();
  auto set = [&](wait_record& timer) {
    wheel.insert(timer, now + random.next() * 4ll);
  };  // up to 17 s

  wheel.advance(now, [](wait_record&) {});
  for (wait_record& timer : timers) set(timer);
  const std::clock_t start = std::clock();
  for (int i = 0; i < n; ++i) {
    wait_record& timer = timers[i % 1000];
    timer.unlink();
    set(timer);
  }
  std::printf("RESULT timer_insert_cancel %.6g ns\n",
              double(std::clock() - start) / CLOCKS_PER_SEC / n * 1e9);
}
