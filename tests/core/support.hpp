// SPDX-License-Identifier: MIT
// What the core's tests share: how often, and what ends a test that hangs.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace weft_test {

/// n times WEFT_TEST_SCALE, and not less than `least`.
inline int scaled(int n, int least = 1) {
  static const double scale = [] {
    const char* text = std::getenv("WEFT_TEST_SCALE");
    return text ? std::atof(text) : 1.0;
  }();
  return std::max(least, static_cast<int>(n * scale));
}

/// Ends the process with a message when a test has not come to its end: threads that wait for a
/// wake-up that was lost cannot be brought back.
class watchdog {
 public:
  explicit watchdog(std::string what, std::chrono::seconds patience = std::chrono::seconds(1800))
      : what_(std::move(what)), thread_([this, patience] { watch(patience); }) {}
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog() {
    {
      const std::lock_guard held(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  void watch(std::chrono::seconds patience) {
    std::unique_lock held(mutex_);
    // The system clock: a wait on the steady one is a call that TSan of clang 19 does not know.
    const auto end = std::chrono::system_clock::now() + patience;
    if (changed_.wait_until(held, end, [this] { return over_; })) return;
    std::fprintf(stderr, "hangs: %s\n", what_.c_str());
    std::abort();
  }

  const std::string what_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace weft_test
