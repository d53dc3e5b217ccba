// SPDX-License-Identifier: MIT
// interval: what becomes of ticks that were missed, or lost; and durations that are no durations.
#include "task/support.hpp"

#include <limits>

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
  while (every.tick().try_perform()) ++seen.at_once;
  const auto looked = weft::clock::now();
  seen.periods = (looked - asked) / period;
  seen.beats = (looked - begun) / period - (asked - made) / period;
  co_await every.tick();
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

// A loop around a choice with other arms that win far more often.
task<> tells(weft::sender<int> tx, const bool* enough) {
  while (!*enough) {
    co_await weft::sleep(1ms);
    co_await tx.send(1);
  }
}
task<> selects() {
  bool enough = false;
  auto [tx, rx] = weft::channel<int>();
  auto other = weft::spawn(tells, std::move(tx), &enough);
  const auto begun = weft::clock::now();
  weft::interval every(5ms);
  int messages = 0;
  for (int ticks = 0; ticks < 5;) {
    const auto got = co_await weft::choose(rx.recv_op(), every.tick());
    got.index() == 0 ? ++messages : ++ticks;
    if (messages > 5000) break;
  }
  EXPECT_LE(messages, 5000) << "ticks were lost to messages";
  EXPECT_GE(weft::clock::now() - begun, 25ms);
  enough = true;
  while (!other.is_finished()) static_cast<void>(co_await weft::timeout(rx.recv_op(), 1ms));
}
TEST(IntervalOfOne, TicksAreNotLostToOtherArms) { weft::runtime().block_on(selects()); }

/// False where the first tick was due before it had been lost twice, which says nothing.
task<bool> loses_and_is_cancelled() {
  const auto begun = weft::clock::now();
  weft::interval every(3ms, missed_ticks::burst);
  const auto made = weft::clock::now();
  const bool came = (co_await weft::timeout(every.tick(), 1us)).has_value();
  auto waits = [](weft::interval* i) -> task<> { co_await i->tick(); };
  auto other = weft::spawn(waits, &every);
  co_await weft::yield();
  other.cancel();
  const bool left = co_await ends_cancelled(&other);
  if (weft::clock::now() - begun >= 3ms) co_return false;
  EXPECT_FALSE(came);
  EXPECT_TRUE(left);
  co_await weft::sleep_until(made + 4ms);
  EXPECT_TRUE(every.tick().try_perform()) << "the first has not been taken";
  co_await every.tick();
  EXPECT_GE(weft::clock::now() - begun, 6ms);
  co_return true;
}
TEST_P(Interval, ATickThatLostIsStillThere) {
  while (!run(loses_and_is_cancelled())) continue;
}

task<> odd_durations() {
  using seconds = std::chrono::duration<double>;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  co_await weft::sleep(seconds(std::numeric_limits<double>::quiet_NaN()));
  co_await weft::sleep(seconds(-infinite));
  EXPECT_FALSE(weft::sleep_op(seconds(infinite)).try_perform());
  const auto first = co_await weft::choose(weft::sleep_op(seconds(infinite)), weft::sleep_op(1ms));
  EXPECT_EQ(first.index(), 1U);
}
TEST_P(Interval, NotANumberIsNoTimeAndInfiniteIsForEver) { run(odd_durations()); }

}  // namespace
