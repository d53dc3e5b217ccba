// SPDX-License-Identifier: MIT
// Time: sleep, sleep_op, timeout, interval. Durations are std::chrono's; the clock is monotonic. A
// timer never fires early, and timers fire in the order of their deadlines.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "weft/choose.hpp"
#include "weft/operation.hpp"
#include "weft/result.hpp"
#include "weft/wrap.hpp"

namespace weft::inline v0 {

using clock = std::chrono::steady_clock;

namespace detail {

/// Nanoseconds of a duration, within what the wheel holds; negative is zero.
template <class Rep, class Period>
constexpr core::nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d) noexcept {
  using seconds = std::chrono::duration<double>;
  if (seconds(d).count() >= 9.2e9) return core::forever;
  const auto n = std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  return n > 0 ? n : 0;
}

inline core::nanoseconds deadline_after(core::nanoseconds now, core::nanoseconds d) noexcept {
  return d >= core::forever - now ? core::forever : now + d;
}

}  // namespace detail

/// An operation that is ready at a time, or some time after it is performed. Any thread.
class [[nodiscard]] sleep_operation : public operation<sleep_operation> {
 public:
  using result_type = void;
  static constexpr bool shared = false;
  static constexpr const char* what = "timer";

  static sleep_operation until(core::nanoseconds deadline) noexcept {
    return sleep_operation(deadline, true);
  }
  static sleep_operation after(core::nanoseconds duration) noexcept {
    return sleep_operation(duration, false);
  }

  class arm {
   public:
    static constexpr bool home_only = true;
    explicit arm(const sleep_operation& op) noexcept : when_(op.when_), absolute_(op.absolute_) {}

    bool attempt(performer& p) noexcept {
      if (!absolute_) {
        if (when_ <= 0) return true;
        when_ = detail::deadline_after(p.now(), when_);
        absolute_ = true;
        return false;
      }
      return when_ <= p.now();
    }
    core::pass publish(performer& p, std::uint32_t index) noexcept {
      record_.owner = &p.task();
      record_.arm = index;
      if (when_ != core::forever) p.arm_timer(record_, when_);
      return core::pass::wait;
    }
    void retract(performer&) noexcept { retract_home(); }
    void retract_home() noexcept {
      if (record_.linked()) record_.unlink();
    }
    void decide(std::uint32_t) noexcept {}
    void settle(performer&) noexcept {}
    void lose(performer&) noexcept {}
    std::uint32_t leaves() const noexcept { return 1; }

   private:
    core::nanoseconds when_;
    bool absolute_;
    core::wait_record record_;
  };

 private:
  sleep_operation(core::nanoseconds when, bool absolute) noexcept
      : when_(when), absolute_(absolute) {}

  core::nanoseconds when_;
  bool absolute_;
};

/// Ready d after it is performed.
template <class Rep, class Period>
sleep_operation sleep_op(std::chrono::duration<Rep, Period> d) noexcept {
  return sleep_operation::after(detail::to_nanoseconds(d));
}
/// Ready at t.
inline sleep_operation sleep_until_op(clock::time_point t) noexcept {
  return sleep_operation::until(detail::to_nanoseconds(t.time_since_epoch()));
}
/// `co_await sleep(d)`: waits for d.
template <class Rep, class Period>
sleep_operation sleep(std::chrono::duration<Rep, Period> d) noexcept {
  return sleep_op(d);
}
/// `co_await sleep_until(t)`.
inline sleep_operation sleep_until(clock::time_point t) noexcept { return sleep_until_op(t); }

/// The operation, or errc::timeout if it has not happened d after the perform. Operations of
/// results stay results.
template <class Op, class Rep, class Period>
  requires is_operation<Op>
auto timeout(Op op, std::chrono::duration<Rep, Period> d) {
  using value = typename Op::result_type;
  const auto give_up = []() { return flat_result<value>(make_error_code(errc::timeout)); };
  if constexpr (std::is_void_v<value>)
    return unite(wrap(std::move(op), []() { return result<void>(); }), wrap(sleep_op(d), give_up));
  else
    return unite(wrap(std::move(op), [](value&& v) { return flat_result<value>(std::move(v)); }),
                 wrap(sleep_op(d), give_up));
}

/// What an interval does about ticks that nobody took in time.
enum class missed_ticks : std::uint8_t {
  burst,  // gives them one after the other at once, until it has caught up
  delay,  // gives one at once, and the next a period after that
  skip,   // gives one at once, and the next when it would have come anyway
};

/// A clock that ticks every d: `co_await i.tick()` waits for the next, the first one d from now.
class interval {
 public:
  template <class Rep, class Period>
  explicit interval(std::chrono::duration<Rep, Period> d,
                    missed_ticks missed = missed_ticks::skip) noexcept
      : period_(detail::to_nanoseconds(d) > 0 ? detail::to_nanoseconds(d) : 1),
        next_(detail::deadline_after(core::clock_now(), period_)),
        missed_(missed) {}

  /// The operation for the next tick; asking again gives the one behind it.
  sleep_operation tick() noexcept {
    const core::nanoseconds due = next_;
    next_ = after(due, core::clock_now());
    return sleep_operation::until(due);
  }
  /// The next tick is a period from now.
  void reset() noexcept { next_ = detail::deadline_after(core::clock_now(), period_); }

 private:
  /// The tick behind the one that is due, asked for now.
  core::nanoseconds after(core::nanoseconds due, core::nanoseconds now) const noexcept {
    const core::nanoseconds next = detail::deadline_after(due, period_);
    if (now < due || missed_ == missed_ticks::burst) return next;
    if (missed_ == missed_ticks::delay) return detail::deadline_after(now, period_);
    return next > now ? next : next + ((now - next) / period_ + 1) * period_;
  }

  core::nanoseconds period_;
  core::nanoseconds next_;
  missed_ticks missed_;
};

}  // namespace weft::inline v0
