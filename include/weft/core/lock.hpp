// SPDX-License-Identifier: MIT
// The two lock policies of a channel: none, for one that lives on a single worker, and a tiny spin
// lock for one that is shared. What is done under it is a few list operations, never user code.
// models/: `lock` of every scenario.
#pragma once

#include "weft/core/seams.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace weft::inline v0::core {

inline void pause_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#endif
}

/// Everything that touches it runs on one worker.
struct no_lock {
  static constexpr bool shared = false;
  void lock() noexcept {}
  void unlock() noexcept {}
};

class tiny_lock {
 public:
  static constexpr bool shared = true;

  void lock() noexcept {
    while (held_.exchange(true, std::memory_order_acquire))
      while (held_.load(std::memory_order_relaxed)) pause_cpu();
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  atomic<bool> held_{false};
};

}  // namespace weft::inline v0::core
