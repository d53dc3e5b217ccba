// SPDX-License-Identifier: MIT
// The chaos build alone: delays in front of every atomic access, so that schedules happen which a
// quiet machine never shows.
#include "weft/core/seams.hpp"

#ifdef WEFT_CHAOS

#include <sched.h>

#include <cstdlib>

namespace weft::inline v0::core {

namespace {

std::uint64_t first_seed() noexcept {
  const char* s = std::getenv("WEFT_CHAOS_SEED");
  return s ? std::strtoull(s, nullptr, 10) : static_cast<std::uint64_t>(clock_now());
}

std::uint64_t next_seed() noexcept {
  static const std::uint64_t first = first_seed();
  static std::atomic<std::uint64_t> threads{0};
  return first + threads.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void chaos_point() noexcept {
  thread_local random_source random(next_seed());
  const std::uint32_t r = random.below(64);
  if (r == 0) {
    ::sched_yield();
  } else if (r < 4) {
    for (std::uint32_t n = random.below(200); n > 0; --n)
      std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

}  // namespace weft::inline v0::core

#endif
