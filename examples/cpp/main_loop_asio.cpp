// SPDX-License-Identifier: MIT
// A runtime inside asio's io_context, with one of asio's own timers beside weft's.
#include <asio.hpp>
#include <chrono>
#include <cstdio>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::task<> work(weft::event finished) {
  for (int i = 1; i <= 3; ++i) {
    co_await weft::sleep(3ms);
    std::printf("weft's timer %d\n", i);
  }
  finished.set();
}
// --> weft's timer 1
// --> weft's timer 2
// --> weft's timer 3

class host {
 public:
  void run() {
    rt_.spawn(work, finished_).detach();
    watch();
    tick();
    loop_.run();
    watched_.release();  // the descriptor is weft's
    std::printf("asio's timer %s\n", ticks_ > 0 ? "too" : "never");  // --> asio's timer too
  }

 private:
  void watch() {
    watched_.async_wait(asio::posix::stream_descriptor::wait_read, [this](asio::error_code error) {
      if (error) return;
      rt_.poll_once();
      if (finished_.is_set())
        loop_.stop();
      else
        watch();
    });
  }

  void tick() {
    timer_.expires_after(1ms);
    timer_.async_wait([this](asio::error_code error) {
      if (error) return;
      ++ticks_;
      tick();
    });
  }

  weft::runtime rt_;
  const weft::event finished_;
  asio::io_context loop_;
  asio::posix::stream_descriptor watched_{loop_, rt_.event_fd()};
  asio::steady_timer timer_{loop_};
  int ticks_ = 0;
};

int main() { host().run(); }
