// SPDX-License-Identifier: MIT
// rwlock: many readers or one writer. First come, first served: a reader that comes behind a
// waiting writer waits, so that writers are not starved.
#pragma once

#include <cstddef>
#include <optional>

#include "weft/acquire.hpp"
#include "weft/core/permits.hpp"

namespace weft::inline v0 {

class rwlock {
  /// A reader takes one permit, a writer all.
  static constexpr std::size_t everything = std::size_t{1} << 30;

 public:
  /// A lock that others may read beside. It unlocks when it is destroyed. Movable.
  class [[nodiscard]] read_guard : public core::held_permits {
   public:
    using core::held_permits::held_permits;
    void unlock() noexcept { give_back(); }
  };
  /// The lock, alone. It unlocks when it is destroyed. Movable.
  class [[nodiscard]] write_guard : public core::held_permits {
   public:
    using core::held_permits::held_permits;
    void unlock() noexcept { give_back(); }
  };

  rwlock() noexcept = default;
  rwlock(const rwlock&) = delete;
  rwlock& operator=(const rwlock&) = delete;

  /// `auto guard = co_await l.read()`: waits until no writer holds it, nor has waited for longer.
  /// Throws cancelled if the task is. A second one inside the first may wait for ever, behind a
  /// writer.
  acquire_operation<read_guard> read() noexcept { return read_op(); }
  acquire_operation<read_guard> read_op() noexcept {
    return acquire_operation<read_guard>(permits_, 1);
  }
  /// Never waits: nothing, if it would have to. Any thread.
  std::optional<read_guard> try_read() noexcept {
    return detail::try_acquire<read_guard>(permits_, 1);
  }

  /// `auto guard = co_await l.write()`: waits until nobody else holds it and its turn has come.
  /// Throws cancelled if the task is.
  acquire_operation<write_guard> write() noexcept { return write_op(); }
  acquire_operation<write_guard> write_op() noexcept {
    return acquire_operation<write_guard>(permits_, everything);
  }
  /// Never waits: nothing, if it would have to. Any thread.
  std::optional<write_guard> try_write() noexcept {
    return detail::try_acquire<write_guard>(permits_, everything);
  }

 private:
  core::permits permits_{everything};
};

}  // namespace weft::inline v0
