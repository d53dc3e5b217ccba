// SPDX-License-Identifier: MIT
// A runtime inside a loop without descriptors, such as a game's: each frame gives it a turn, and
// it is on time between two frames as well.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> work(weft::event finished) {
  for (int i = 1; i <= 3; ++i) {
    co_await weft::sleep(7ms);
    std::printf("event %d\n", i);
  }
  finished.set();
}
// --> event 1
// --> event 2
// --> event 3

int main() {
  weft::runtime rt;
  const weft::event finished;
  rt.spawn(work, finished).detach();

  int frames = 0;
  auto frame = weft::clock::now();
  while (!finished.is_set()) {
    rt.poll_once();
    if (weft::clock::now() >= frame) {
      ++frames;  // and draw it
      frame += 16ms;
    }
    std::this_thread::sleep_until(std::min(frame, rt.next_deadline().value_or(frame)));
  }
  std::puts(frames > 1 ? "and some frames" : "no frames");  // --> and some frames
}
