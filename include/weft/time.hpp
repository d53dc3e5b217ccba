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

/// Nanoseconds of a duration, within what the wheel holds; negative and not a number are zero.
template <class Rep, class Period>
constexpr core::nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d) noexcept {
  using seconds = std::chrono::duration<double>;
  const double s = seconds(d).count();
  if (s >= 9.2e9) return core::forever;
  return s > 0 ? std::chrono::duration_cast<std::chrono::nanoseconds>(d).count() : 0;
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
/// `co_await sleep(d)`: waits for d; for ever if that is infinite, not at all if it is negative or
/// not a number.
template <class Rep, class Period>
sleep_operation sleep(std::chrono::duration<Rep, Period> d) noexcept {
  return sleep_op(d);
}
/// `co_await sleep_until(t)`.
inline sleep_operation sleep_until(clock::time_point t) noexcept { return sleep_until_op(t); }

/// The operation, or errc::timeout if it has not happened d after the perform. Operations of
/// results stay results; a reference comes as a std::reference_wrapper. timeout(spawn(f), d) waits
/// no longer than that for f, which runs on: a scope with a limit ends it.
template <class Op, class Rep, class Period>
  requires is_operation<Op>
auto timeout(Op op, std::chrono::duration<Rep, Period> d) {
  using value = typename Op::result_type;
  const auto give_up = []() { return flat_result<value>(make_error_code(errc::timeout)); };
  if constexpr (std::is_void_v<value>)
    return unite(wrap(std::move(op), []() { return result<void>(); }), wrap(sleep_op(d), give_up));
  else
    return unite(
        wrap(std::move(op), [](value&& v) { return flat_result<value>(std::forward<value>(v)); }),
        wrap(sleep_op(d), give_up));
}

template <class T, class Rep, class Period>
  requires(!is_operation<T>)
auto timeout(T&&, std::chrono::duration<Rep, Period>) {
  static_assert(detail::is_operation_or_explained<T>);
}

/// What an interval does about ticks that nobody took in time.
enum class missed_ticks : std::uint8_t {
  burst,  // gives them one after the other at once, until it has caught up
  delay,  // gives one at once, and the next a period after that
  skip,   // gives one at once, and the next when it would have come anyway
};

class [[nodiscard]] tick_operation;

/// A clock that ticks every d: `co_await i.tick()` waits for the next, the first one d from now.
/// A tick that lost in a choice, or whose wait was cancelled, has not been taken: the next perform
/// gets it. Not for two threads at once.
class interval {
 public:
  template <class Rep, class Period>
  explicit interval(std::chrono::duration<Rep, Period> d,
                    missed_ticks missed = missed_ticks::skip) noexcept
      : period_(detail::to_nanoseconds(d) > 0 ? detail::to_nanoseconds(d) : 1),
        next_(detail::deadline_after(core::clock_now(), period_)),
        missed_(missed) {}

  /// The next tick, each time it is performed. The interval has to outlive it.
  tick_operation tick() noexcept;
  /// The next tick is a period from now.
  void reset() noexcept { next_ = detail::deadline_after(core::clock_now(), period_); }

 private:
  friend class tick_operation;
  /// It has happened. Two arms of one choice may both wait for it.
  void take(core::nanoseconds due) noexcept {
    if (due == next_) next_ = after(due, core::clock_now());
  }
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

/// What interval::tick gives.
class [[nodiscard]] tick_operation : public operation<tick_operation> {
 public:
  using result_type = void;
  static constexpr bool shared = false;
  static constexpr const char* what = "timer";

  class arm : public sleep_operation::arm {
   public:
    explicit arm(const tick_operation& op) noexcept
        : sleep_operation::arm(sleep_operation::until(op.of_->next_)),
          of_(op.of_),
          due_(op.of_->next_) {}
    void settle(performer&) noexcept { of_->take(due_); }

   private:
    interval* of_;
    core::nanoseconds due_;
  };

  explicit tick_operation(interval& of) noexcept : of_(&of) {}

 private:
  interval* of_;
};

inline tick_operation interval::tick() noexcept { return tick_operation(*this); }

}  // namespace weft::inline v0
