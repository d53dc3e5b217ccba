// SPDX-License-Identifier: MIT
// A worker on the test's own thread, and tasks that are functions.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "weft/core/worker.hpp"

namespace weft_test {

/// Runs a function each time it is resumed. Woken, it goes to the worker that drives the thread; a
/// wake-up from elsewhere is posted to `home`.
struct function_task : weft::core::task {
  explicit function_task(std::function<void(function_task&, weft::core::worker&)> f)
      : task(kind_table), body(std::move(f)) {}
  explicit function_task(std::function<void()> f)
      : function_task([f = std::move(f)](function_task&, weft::core::worker&) { f(); }) {}

  /// Waits for one arm, with this task's own record.
  weft::core::wait_record& begin() noexcept {
    begin_plain();
    record.owner = this;
    state = weft::core::task_state::parked;
    return record;
  }

  std::function<void(function_task&, weft::core::worker&)> body;
  weft::core::wait_record record;
  weft::core::worker* home = nullptr;
  int runs = 0;

 private:
  static void on_run(task& t, weft::core::worker& w) {
    auto& self = static_cast<function_task&>(t);
    ++self.runs;
    self.body(self, w);
  }
  static void on_wake(task& t) noexcept {
    auto& self = static_cast<function_task&>(t);
    weft::core::worker* here = weft::core::worker::current();
    if (!self.home || self.home == here)
      here->ready(t);
    else
      self.home->post(t);
  }
  static inline const weft::core::task_kind kind_table = {"function", on_run, on_wake};
};

inline std::unique_ptr<weft::core::reactor> default_reactor() {
  const char* error = nullptr;
  std::unique_ptr<weft::core::reactor> r(weft::core::make_reactor(nullptr, &error));
  if (!r) ADD_FAILURE() << error;
  return r;
}

class worker_test : public testing::Test {
 protected:
  weft::core::worker w{default_reactor()};
  weft::core::worker::driving here{w};
};

}  // namespace weft_test
