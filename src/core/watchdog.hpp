// SPDX-License-Identifier: MIT
// watchdog: a thread that names each task that has kept a worker for long. Whatever else is ready
// there is stolen meanwhile; what waits for that worker's timers and descriptors waits with it.
// Tests: tests/task/inspect_test.cpp.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "weft/core/worker.hpp"
#include "weft/inspect.hpp"

namespace weft::inline v0::core {

class watchdog {
 public:
  using report = std::function<void(const task_info&, std::chrono::nanoseconds)>;

  /// Before any of the workers runs. Throws std::system_error.
  watchdog(const std::vector<std::unique_ptr<worker>>& workers, std::chrono::nanoseconds limit,
           report tell);
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog();

 private:
  struct watched {
    watch_point point;
    std::uint64_t runs = 0;  // as seen at `first`
    nanoseconds first = 0;
    bool told = false;
  };

  void run();
  void look(watched& w);

  const nanoseconds limit_;
  const report tell_;
  std::vector<std::unique_ptr<watched>> watched_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace weft::inline v0::core
