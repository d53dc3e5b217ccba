// SPDX-License-Identifier: MIT
// mutex: one task or thread at a time. `auto guard = co_await m.lock();` waits without blocking the
// worker, and may be held across other waits. First come, first served.
// One of core::permits. Tests: tests/task/mutex_test.cpp.
#pragma once

#include <optional>

#include "weft/acquire.hpp"
#include "weft/core/permits.hpp"

namespace weft::inline v0 {

class mutex {
 public:
  /// The lock, held. It unlocks when it is destroyed, by whichever task or thread. Movable.
  class [[nodiscard]] guard : public core::held_permits {
   public:
    using core::held_permits::held_permits;
    /// Before its destructor does. Nothing, if it holds no lock.
    void unlock() noexcept { give_back(); }

   private:
    friend class cond;
  };

  mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  /// `auto guard = co_await m.lock()`: waits until the lock is free and its turn has come. Throws
  /// cancelled if the task is. The mutex is not recursive: locking it twice waits for ever.
  acquire_operation<guard> lock() noexcept { return lock_op(); }
  /// As an arm of a choice, or for perform_blocking.
  acquire_operation<guard> lock_op() noexcept { return acquire_operation<guard>(permit_, 1); }
  /// Never waits: nothing, if somebody holds it or waits for it. Any thread.
  std::optional<guard> try_lock() noexcept { return detail::try_acquire<guard>(permit_, 1); }

 private:
  core::permits permit_{1};
};

}  // namespace weft::inline v0
