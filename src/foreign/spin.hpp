// SPDX-License-Identifier: MIT
// patience: to look again for a few microseconds before parking, as long as that has been worth it.
// To park and be woken costs 2-4 us, on a virtual machine 30; an answer is often there sooner.
#pragma once

#include <sched.h>

#include <cstdint>

#include "weft/core/lock.hpp"

namespace weft::inline v0::foreign {

class patience {
 public:
  static constexpr int long_look = 40;  // rounds: some 50 us
  static constexpr int short_look = 1;  // where others wait for this thread

  /// True: `there` has become true while we looked. The caller is one thread at a time.
  template <class There>
  bool look(There there, int rounds = long_look) noexcept {
    if (skip_ > 0) {
      --skip_;
      return false;
    }
    if (spin(there, rounds)) {
      failures_ = 0;
      return true;
    }
    // Each look in vain doubles how many are left out, up to 63 of 64.
    if (failures_ < most_failures) ++failures_;
    skip_ = (1U << failures_) - 1;
    return false;
  }

 private:
  static constexpr std::uint32_t most_failures = 6;
  static constexpr int yields = 4;
  static constexpr int pauses = 40;

  /// With one processor the other side can only get on while we do not: give way. With several it
  /// is at work: linger, and give way in between in case it is waiting for this processor.
  template <class There>
  static bool spin(There there, int rounds) noexcept {
    if (alone()) {
      for (int i = 0; i < yields; ++i) {
        ::sched_yield();
        if (there()) return true;
      }
      return false;
    }
    for (int i = 0; i < rounds; ++i) {
      for (int j = 0; j < pauses; ++j) {
        if (there()) return true;
        core::pause_cpu();
      }
      if (i % 8 == 7 || i + 1 == rounds) ::sched_yield();
    }
    return there();
  }

  /// Whether this process may run on one processor only.
  static bool alone() noexcept;

  std::uint32_t skip_ = 0;
  std::uint32_t failures_ = 0;
};

}  // namespace weft::inline v0::foreign
