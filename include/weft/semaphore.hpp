// SPDX-License-Identifier: MIT
// semaphore: a number of permits. First come, first served, also of those who want several: small
// requests do not pass a large one that waits.
#pragma once

#include <cstddef>
#include <optional>

#include "weft/acquire.hpp"
#include "weft/core/permits.hpp"

namespace weft::inline v0 {

class semaphore {
 public:
  /// What was acquired. It goes back when this is destroyed, by whichever task or thread. Movable.
  class [[nodiscard]] permit : public core::held_permits {
   public:
    using core::held_permits::held_permits;
    /// Before its destructor does. Nothing, if there is nothing to give back.
    void release() noexcept { give_back(); }
    /// It is not given back: semaphore::release is for whoever has taken this on.
    void forget() noexcept { core::held_permits::forget(); }
    /// How many permits.
    std::size_t size() const noexcept { return *this ? count() : 0; }
  };

  explicit semaphore(std::size_t n) noexcept : permits_(n) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// `auto permit = co_await s.acquire(k)`: waits for k permits at once. Throws cancelled if the
  /// task is. More than there will ever be are waited for as long.
  acquire_operation<permit> acquire(std::size_t k = 1) noexcept { return acquire_op(k); }
  /// As an arm of a choice, or for perform_blocking.
  acquire_operation<permit> acquire_op(std::size_t k = 1) noexcept {
    return acquire_operation<permit>(permits_, k);
  }
  /// Never waits: nothing, if there are fewer than k or others wait. Any thread.
  std::optional<permit> try_acquire(std::size_t k = 1) noexcept {
    return detail::try_acquire<permit>(permits_, k);
  }
  /// Adds k permits: those of a permit that was forgotten, or new ones. Any thread.
  void release(std::size_t k = 1) noexcept { permits_.give_back(k); }
  /// Permits that nobody holds, a moment ago.
  std::size_t available() noexcept { return permits_.free(); }

 private:
  core::permits permits_;
};

}  // namespace weft::inline v0
