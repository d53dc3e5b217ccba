// SPDX-License-Identifier: MIT
// cond: waits, with a mutex released, until somebody says that what it guards has changed:
//
//   auto guard = co_await m.lock();
//   while (jobs.empty()) co_await changed.wait(guard);
// Tests: tests/task/cond_test.cpp; under it lie a mutex and waiters.hpp.
#pragma once

#include <cstdint>
#include <exception>

#include "weft/config.hpp"
#include "weft/core/waiters.hpp"
#include "weft/mutex.hpp"
#include "weft/operation.hpp"
#include "weft/task.hpp"

namespace weft::inline v0 {

class WEFT_API cond {
 public:
  cond() noexcept = default;
  cond(const cond&) = delete;
  cond& operator=(const cond&) = delete;

  /// `co_await c.wait(guard)`: unlocks, waits for a notification, and locks again before it returns
  /// or throws `cancelled`. No notification after the unlocking is missed. The guard holds a lock,
  /// and stays where it is meanwhile.
  task<> wait(mutex::guard& guard);
  /// Likewise in a plain thread, which it blocks. Throws std::logic_error inside a task.
  void wait_blocking(mutex::guard& guard);

  /// Wakes whoever has waited longest. False: nobody waits. Any thread, with the mutex or without.
  bool notify_one() noexcept;
  /// Wakes all who wait now. Any thread.
  void notify_all() noexcept;

 private:
  class notification;
  core::waiters waiting_;
};

}  // namespace weft::inline v0
