// SPDX-License-Identifier: MIT
// channel<T>::reserve: a place first, the value later.
#include "task/support.hpp"

#include <memory>

namespace {

using namespace std::chrono_literals;
using weft::task;
using permit = weft::channel_permit<int>;

class Reserve : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Reserve, ::testing::Values(1U, 2U, 4U));

task<> sends_later() {
  auto [tx, rx] = weft::channel<int>(1);
  auto place = co_await tx.reserve();
  EXPECT_TRUE(place && *place);
  EXPECT_FALSE(tx.try_send(1)) << "the place is taken";
  EXPECT_FALSE(tx.try_reserve());
  EXPECT_EQ(tx.size(), 0U);
  EXPECT_TRUE(std::move(*place).send(2));
  EXPECT_FALSE(*place);
  EXPECT_EQ(tx.size(), 1U);
  EXPECT_FALSE(tx.try_reserve()) << "the item has not been taken";
  EXPECT_EQ(co_await rx.recv(), 2);
  EXPECT_TRUE(tx.try_reserve());
  EXPECT_TRUE(tx.try_send(3)) << "a permit that is dropped gives its place back";
}
TEST_P(Reserve, AValueFollowsItsPlace) { run(sends_later()); }

task<> waits_for_place(weft::sender<int> tx, int v) {
  auto place = co_await tx.reserve();
  EXPECT_TRUE(place && std::move(*place).send(v));
}
task<> queued_in_order() {
  auto [tx, rx] = weft::channel<int>(1);
  EXPECT_TRUE(tx.try_send(0));
  auto first = weft::spawn(waits_for_place, tx, 1);
  co_await settle();
  auto second =
      weft::spawn([](weft::sender<int> to) -> task<> { EXPECT_TRUE(co_await to.send(2)); }, tx);
  co_await settle();
  auto third = weft::spawn(waits_for_place, tx, 3);
  co_await settle();
  EXPECT_EQ(co_await rx.recv(), 0);
  std::vector<int> reserved;
  for (int i = 0; i < 3; ++i)
    if (const int v = *co_await rx.recv(); v != 2) reserved.push_back(v);
  EXPECT_EQ(reserved, (std::vector{1, 3})) << "2 needs no place where a receiver waits for it";
}
TEST_P(Reserve, WaitersForPlacesAreServedInOrder) { run(queued_in_order()); }

task<> gives_back_to_the_next() {
  auto [tx, rx] = weft::channel<int>(1);
  auto place = co_await tx.reserve();
  auto sender =
      weft::spawn([](weft::sender<int> to) -> task<> { EXPECT_TRUE(co_await to.send(5)); }, tx);
  co_await settle();
  auto other = weft::spawn(waits_for_place, tx, 6);
  co_await settle();
  EXPECT_FALSE(sender.is_finished());
  place->release();
  place->release();
  EXPECT_EQ(co_await rx.recv(), 5);
  EXPECT_EQ(co_await rx.recv(), 6);
  co_await sender;
  co_await other;
}
TEST_P(Reserve, APlaceGivenBackGoesToWhoeverWaits) { run(gives_back_to_the_next()); }

task<> receiver_waits() {
  auto [tx, rx] = weft::channel<int>(1);
  auto place = co_await tx.reserve();
  auto got = weft::spawn(
      [](weft::receiver<int> from) -> task<std::optional<int>> { co_return co_await from.recv(); },
      rx);
  auto next = weft::spawn(waits_for_place, tx, 8);
  co_await settle();
  EXPECT_FALSE(got.is_finished()) << "who waits for a place offers nothing";
  EXPECT_TRUE(std::move(*place).send(7));
  EXPECT_EQ(co_await got, 7);
  EXPECT_EQ(co_await rx.recv(), 8);
  co_await next;
}
TEST_P(Reserve, AReceiverMeetsThePermitsValue) { run(receiver_waits()); }

task<> closes() {
  auto [tx, rx] = weft::channel<int>(1);
  auto place = co_await tx.reserve();
  auto waiting = weft::spawn(
      [](weft::sender<int> to) -> task<bool> {
        const auto p = co_await to.reserve();
        co_return p.has_value();
      },
      tx);
  co_await settle();
  rx.close();
  EXPECT_FALSE(co_await waiting);
  auto back = std::move(*place).send(9);
  EXPECT_FALSE(back);
  EXPECT_EQ(back.value(), 9);
  EXPECT_FALSE(co_await tx.reserve());
}
TEST_P(Reserve, ClosingGivesNothingAndTheValueBack) { run(closes()); }

task<> keeps_open() {
  auto [tx, rx] = weft::channel<int>(2);
  auto place = tx.try_reserve();
  {
    const weft::sender<int> last(std::move(tx));
  }
  EXPECT_FALSE(rx.closed()) << "a permit is a sender";
  EXPECT_TRUE(std::move(*place).send(1));
  EXPECT_EQ(co_await rx.recv(), 1);
  EXPECT_EQ(co_await rx.recv(), std::nullopt);
}
TEST_P(Reserve, APermitCountsAsASender) { run(keeps_open()); }

task<> in_a_choice() {
  auto [tx, rx] = weft::channel<int>(1);
  auto held = co_await tx.reserve();
  for (int i = 0; i < 3; ++i) {
    const auto late = co_await weft::timeout(tx.reserve_op(), 1ms);
    EXPECT_FALSE(late);
  }
  auto cancelled = weft::spawn(waits_for_place, tx, 1);
  co_await settle();
  cancelled.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&cancelled));
  held->release();
  EXPECT_TRUE(tx.try_reserve()) << "nobody took it along";
}
TEST_P(Reserve, OneThatLostOrWasCancelledHoldsNothing) { run(in_a_choice()); }

TEST(Reserve, ARendezvousHasNoPlaces) {
  auto [tx, rx] = weft::channel<int>();
  EXPECT_THROW(static_cast<void>(tx.reserve_op()), std::logic_error);
}

/// Values in flight between reserving and taking, and the most there ever were.
struct flight {
  weft::core::atomic<int> now{0}, most{0};
  void up() {
    const int n = ++now;
    for (int seen = most; seen < n && !most.compare_exchange_weak(seen, n);) continue;
  }
};
task<> reserves_many(weft::sender<int> tx, flight* f, int n, int from) {
  for (int i = 0; i < n; ++i) {
    if (i % 3 == 0) {
      const auto late = co_await weft::timeout(tx.reserve_op(), 50us);
      if (!late || !*late) {
        --i;
        continue;
      }
    }
    auto place = co_await tx.reserve();
    if (i % 5 == 0) place->release(), place = co_await tx.reserve();
    f->up();
    if (i % 2 == 0) co_await weft::yield();
    EXPECT_TRUE(std::move(*place).send(from * n + i));
  }
}
task<> sends_many(weft::sender<int> tx, flight* f, int n, int from) {
  for (int i = 0; i < n; ++i) {
    f->up();
    EXPECT_TRUE(co_await tx.send(from * n + i));
  }
}
task<long> takes_many(weft::receiver<int> rx, flight* f) {
  long sum = 0;
  while (const auto v = co_await rx.recv()) sum += *v, --f->now;
  co_return sum;
}
task<> storm(int n) {
  flight f;
  auto [tx, rx] = weft::channel<int>(3);
  auto a = weft::spawn(takes_many, rx, &f), b = weft::spawn(takes_many, std::move(rx), &f);
  for (int i = 0; i < 3; ++i) weft::spawn(reserves_many, tx, &f, n, i).detach();
  weft::spawn(sends_many, std::move(tx), &f, n, 3).detach();
  const long all = 4L * n;
  EXPECT_EQ(co_await a + co_await b, all * (all - 1) / 2);
  EXPECT_EQ(f.now, 0);
}
TEST_P(Reserve, NothingIsLostAmongReserversAndSenders) { run(storm(scaled(3000))); }

}  // namespace
