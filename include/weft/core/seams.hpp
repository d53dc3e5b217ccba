// SPDX-License-Identifier: MIT
// The seams: time, randomness and atomics are reached through these names alone, so that the chaos
// build can put its own behind them. System calls have theirs in reactor/syscalls.hpp, run-queue
// order in run_queue.hpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include "weft/config.hpp"

namespace weft::inline v0::core {

#ifdef WEFT_CHAOS
/// Now and then gives way, or lingers: seeded by WEFT_CHAOS_SEED, each thread its own sequence.
WEFT_API void chaos_point() noexcept;

/// std::atomic with a delay in front of every named access.
template <class T>
class atomic : public std::atomic<T> {
  using plain = std::atomic<T>;

 public:
  using plain::plain;
  using plain::operator=;

  T load(std::memory_order o = std::memory_order_seq_cst) const noexcept {
    return chaos_point(), plain::load(o);
  }
  void store(T v, std::memory_order o = std::memory_order_seq_cst) noexcept {
    chaos_point(), plain::store(v, o);
  }
  T exchange(T v, std::memory_order o = std::memory_order_seq_cst) noexcept {
    return chaos_point(), plain::exchange(v, o);
  }
  template <class... Orders>
  bool compare_exchange_weak(T& seen, T v, Orders... o) noexcept {
    return chaos_point(), plain::compare_exchange_weak(seen, v, o...);
  }
  template <class... Orders>
  bool compare_exchange_strong(T& seen, T v, Orders... o) noexcept {
    return chaos_point(), plain::compare_exchange_strong(seen, v, o...);
  }
  T fetch_add(T v, std::memory_order o = std::memory_order_seq_cst) noexcept {
    return chaos_point(), plain::fetch_add(v, o);
  }
  T fetch_sub(T v, std::memory_order o = std::memory_order_seq_cst) noexcept {
    return chaos_point(), plain::fetch_sub(v, o);
  }
  T fetch_or(T v, std::memory_order o = std::memory_order_seq_cst) noexcept {
    return chaos_point(), plain::fetch_or(v, o);
  }
  T fetch_and(T v, std::memory_order o = std::memory_order_seq_cst) noexcept {
    return chaos_point(), plain::fetch_and(v, o);
  }
};
#else
template <class T>
using atomic = std::atomic<T>;
#endif

/// Written by one thread at a time; others read it for reports, and take it as it comes.
template <class T>
class relaxed {
 public:
  constexpr relaxed(T v) noexcept : value_(v) {}
  relaxed(const relaxed&) = delete;
  relaxed& operator=(const relaxed&) = delete;
  void operator=(T v) noexcept { value_.store(v, std::memory_order_relaxed); }
  operator T() const noexcept { return value_.load(std::memory_order_relaxed); }
  T operator->() const noexcept { return *this; }

 private:
  std::atomic<T> value_;
};

/// A point in time or a length of it: nanoseconds of the monotonic clock.
using nanoseconds = std::int64_t;
inline constexpr nanoseconds forever = INT64_MAX;

/// Fresh and monotonic; a read of the vDSO, about 25 ns.
inline nanoseconds clock_now() noexcept {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<nanoseconds>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

/// xorshift64*: a worker's own, for the order of arms. Never for secrets.
class random_source {
 public:
  explicit random_source(std::uint64_t seed) noexcept : state_(spread(seed)) {}

  std::uint32_t next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>((state_ * 0x2545F4914F6CDD1DULL) >> 32);
  }
  /// Uniform in [0, n) for n > 0 (multiply-shift; the bias is below 2^-32 * n).
  std::uint32_t below(std::uint32_t n) noexcept {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(next()) * n) >> 32);
  }

 private:
  /// splitmix64: neighbouring seeds begin far from each other. Zero is no state.
  static std::uint64_t spread(std::uint64_t seed) noexcept {
    seed += 0x9E3779B97F4A7C15ULL;
    seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9ULL;
    seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EBULL;
    seed ^= seed >> 31;
    return seed ? seed : 1;
  }

  std::uint64_t state_;
};

}  // namespace weft::inline v0::core
