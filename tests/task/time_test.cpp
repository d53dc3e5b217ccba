// SPDX-License-Identifier: MIT
// interval: what becomes of ticks that were missed.
#include "task/support.hpp"

namespace {

using namespace std::chrono_literals;
using weft::missed_ticks;
using weft::task;

class Interval : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Interval, ::testing::Values(1U, 2U));

constexpr auto period = 20ms;

/// Ticks that are due at once after five and a quarter periods, and when the one behind them came.
struct after_five {
  long at_once = 0;
  // More may come due while one looks: in so many periods, at so many beats.
  long periods = 0;
  long beats = 0;
  std::chrono::nanoseconds then{0};
};
task<after_five> misses(missed_ticks how) {
  after_five seen;
  const auto begun = weft::clock::now();
  weft::interval every(period, how);
  const auto made = weft::clock::now();
  co_await weft::sleep(5 * period + period / 4);
  const auto asked = weft::clock::now();
  weft::sleep_operation next = every.tick();
  while (next.try_perform()) {
    ++seen.at_once;
    next = every.tick();
  }
  const auto looked = weft::clock::now();
  seen.periods = (looked - asked) / period;
  seen.beats = (looked - begun) / period - (asked - made) / period;
  co_await next;
  seen.then = weft::clock::now() - begun;
  co_return seen;
}

TEST_P(Interval, BurstCatchesUp) { EXPECT_GE(run(misses(missed_ticks::burst)).at_once, 5); }
TEST_P(Interval, SkipKeepsTheBeat) {
  const after_five seen = run(misses(missed_ticks::skip));
  EXPECT_GE(seen.at_once, 1);
  EXPECT_LE(seen.at_once, 1 + seen.beats);
  EXPECT_GE(seen.then, 6 * period);
}
TEST_P(Interval, DelayBeginsANewBeat) {
  const after_five seen = run(misses(missed_ticks::delay));
  EXPECT_GE(seen.at_once, 1);
  EXPECT_LE(seen.at_once, 1 + seen.periods);
  EXPECT_GE(seen.then, 6 * period + period / 4);
}

task<> on_time(missed_ticks how) {
  const auto begun = weft::clock::now();
  weft::interval every(2ms, how);
  for (int i = 1; i <= 5; ++i) {
    co_await every.tick();
    EXPECT_GE(weft::clock::now(), begun + i * 2ms) << "never early";
  }
  const auto again = weft::clock::now();
  every.reset();
  co_await every.tick();
  EXPECT_GE(weft::clock::now(), again + 2ms);
}
TEST_P(Interval, TicksAreNeverEarly) {
  for (const missed_ticks how : {missed_ticks::burst, missed_ticks::delay, missed_ticks::skip})
    run(on_time(how));
}

}  // namespace
