// SPDX-License-Identifier: MIT
// g++ 12 destroys temporaries of aggregates and closures twice inside a co_await expression. So no
// public type that appears there is an aggregate, and what passes through each of them is made and
// destroyed equally often.
#include "task/support.hpp"

#include <functional>
#include <optional>
#include <thread>
#include <type_traits>

namespace {

using namespace std::chrono_literals;
using weft::task;

// ---- types ----

template <class... Ts>
constexpr bool no_aggregates = (!std::is_aggregate_v<Ts> && ...);
template <class... Ops>
constexpr bool well_made = no_aggregates<Ops...> && no_aggregates<typename Ops::arm...> &&
                           no_aggregates<weft::detail::performance<Ops>...> &&
                           !(std::is_move_constructible_v<weft::detail::performance<Ops>> || ...);

using flag = weft::event_operation;
struct waits_for_it {
  flag operator()() const { return weft::event().wait_op(); }
};

static_assert(well_made<weft::sleep_operation, flag, weft::join_handle<int>::join_operation>);
static_assert(no_aggregates<weft::join_handle<int>, weft::join_handle<int>::arm>);
static_assert(
    well_made<weft::send_operation<int>, weft::recv_operation<int>, weft::reserve_operation<int>>);
static_assert(well_made<weft::always_operation<int>, weft::never_operation<int>>);
static_assert(well_made<decltype(weft::choose(weft::sleep_op(1s), std::declval<flag>())),
                        decltype(weft::unite(weft::sleep_op(1s), std::declval<flag>())),
                        decltype(weft::choose(std::vector<flag>())),
                        decltype(weft::timeout(std::declval<flag>(), 1s)),
                        decltype(weft::wrap(std::declval<flag>(), [] {})),
                        decltype(weft::guard(waits_for_it())),
                        decltype(weft::with_nack([](flag f) { return f; }))>);
static_assert(well_made<decltype(std::declval<weft::mutex&>().lock_op()),
                        decltype(std::declval<weft::semaphore&>().acquire_op()),
                        decltype(std::declval<weft::rwlock&>().read_op()),
                        decltype(std::declval<weft::latch&>().wait_op()),
                        decltype(std::declval<weft::barrier&>().arrive_and_wait_op()),
                        decltype(std::declval<weft::oneshot_receiver<int>&>().recv_op()),
                        decltype(std::declval<weft::broadcast_reader<int>&>().recv_op()),
                        decltype(std::declval<weft::watch_reader<int>&>().changed_op()),
                        weft::blocking_handle<int>>);
static_assert(
    well_made<weft::opening_operation<weft::tcp_stream>, weft::transfer_operation<std::size_t>>);
static_assert(no_aggregates<task<>, task<int>, task<int>::awaiter, weft::detail::yielding,
                            weft::detail::self, weft::detail::scope_end_wait>);
static_assert(
    no_aggregates<weft::runtime_options, weft::scope_options, weft::connect_options,
                  weft::listen_options, weft::task_info, weft::interval, weft::worker_handle>);
static_assert(no_aggregates<weft::send_result<int>, weft::channel_permit<int>, weft::mutex::guard,
                            weft::semaphore::permit, weft::result<int>>);

// ---- values ----

/// Each has its own number; `alive` holds those that there are.
class counted {
 public:
  explicit counted(int v = 0) noexcept : value(v) { enter(); }
  counted(const counted& other) noexcept : value(other.value) { enter(); }
  counted(counted&& other) noexcept : value(other.value) { enter(); }
  counted& operator=(const counted&) noexcept = default;
  ~counted() {
    EXPECT_EQ(self_, this) << "destroyed twice, or never made";
    self_ = nullptr;
    --alive;
  }

  int value;
  static inline weft::core::atomic<int> alive{0};

 private:
  void enter() noexcept {
    self_ = this;
    ++alive;
  }
  const counted* self_;
};
/// A function that holds one.
struct adds {
  explicit adds(int n) noexcept : by(n) {}
  counted operator()(counted v) const { return counted(v.value + by.value); }
  counted operator()() const { return by; }
  counted by;
};

class Balance : public RuntimeTest {
 protected:
  void TearDown() override {
    // A helper thread drops what is left of its call after the result is there.
    for (int i = 0; i < 600'000 && counted::alive != 0; ++i) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(counted::alive, 0);
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Balance, ::testing::Values(1U, 2U));

task<counted> passes(counted c) { co_return c; }
task<counted> passes_later(counted c) {
  co_await weft::yield();
  co_return std::move(c);
}
task<counted> throws(counted) {
  co_await weft::yield();
  throw std::runtime_error("no");
}
task<> sleeps(counted) { co_await weft::sleep(1h); }
task<> tasks() {
  EXPECT_EQ((co_await passes(counted(1))).value, 1);
  EXPECT_EQ((co_await passes_later(co_await passes(counted(2)))).value, 2);
  EXPECT_EQ((co_await weft::spawn(passes_later, counted(3))).value, 3);
  EXPECT_EQ((co_await weft::spawn(std::bind_front(passes_later, counted(4)))).value, 4);
  const auto [a, b] = co_await weft::all(passes(counted(5)), passes_later(counted(6)));
  EXPECT_EQ(a.value + b.value, 11);
  const auto first = co_await weft::any(passes(counted(7)), sleeps(counted(8)));
  EXPECT_EQ(std::get<0>(first).value, 7);
  EXPECT_THROW(co_await throws(counted(9)), std::runtime_error);
  EXPECT_EQ((co_await weft::scope(passes_later, counted(10))).value, 10);
  EXPECT_EQ((co_await weft::shield(passes_later, counted(11))).value, 11);
  EXPECT_THROW(co_await weft::scope(throws, counted(12)), std::runtime_error);
  weft::scope_options limit;
  limit.timeout = 1h;
  EXPECT_EQ((co_await weft::scope(limit, passes_later, counted(13))).value, 13);
}
TEST_P(Balance, Tasks) { run(tasks()); }

task<> sends(weft::sender<counted> tx, int n) {
  for (int i = 0; i < n; ++i) static_cast<void>(co_await tx.send(counted(i)));
}
task<> channels(std::size_t capacity) {
  auto [tx, rx] = weft::channel<counted>(capacity);
  auto h = weft::spawn(sends, tx, 9);
  for (int i = 0; i < 3; ++i) EXPECT_EQ((co_await rx.recv())->value, i);
  for (int i = 3; i < 6; ++i)
    EXPECT_EQ(
        (co_await weft::unite(
             rx.recv_op(), weft::wrap(weft::sleep_op(1h), [] { return std::optional<counted>(); })))
            ->value,
        i);
  auto [full, unread] = weft::channel<counted>(1);
  EXPECT_TRUE(full.try_send(counted(98)));
  for (int i = 6; i < 9; ++i)
    EXPECT_TRUE(std::get<0>(co_await weft::choose(rx.recv_op(), full.send_op(counted(99)))));
  co_await h;
  EXPECT_FALSE(co_await weft::timeout(
      weft::wrap(rx.recv_op(), [](std::optional<counted> v) { return *v; }), 1ms));
  rx.close();
  auto back = co_await tx.send(counted(5));
  EXPECT_EQ(back.value().value, 5);
  EXPECT_EQ(tx.try_send(counted(6)).value().value, 6);
}
task<> reserved() {
  auto [tx, rx] = weft::channel<counted>(1);
  auto place = co_await tx.reserve();
  EXPECT_TRUE(std::move(*place).send(counted(1)));
  EXPECT_EQ((co_await rx.recv())->value, 1);
  place = co_await tx.reserve();
  rx.close();
  EXPECT_EQ(std::move(*place).send(counted(2)).value().value, 2);
  auto [tx2, rx2] = weft::channel<counted>(4);
  EXPECT_TRUE(co_await tx2.send(counted(3)));  // and left there
}
TEST_P(Balance, Channels) {
  run(reserved());
  run(channels(weft::unbounded));
}

task<> wrappers() {
  EXPECT_EQ((co_await weft::wrap(weft::always(counted(1)), adds(2))).value, 3);
  EXPECT_EQ((co_await weft::wrap(weft::sleep_op(1ms), adds(4))).value, 4);
  const auto guarded = weft::guard([c = counted(5)] { return weft::always(c); });
  EXPECT_EQ((co_await guarded).value, 5);
  EXPECT_EQ((co_await guarded).value, 5);
  const auto nacked = weft::with_nack([c = counted(6)](flag) { return weft::always(c); });
  EXPECT_EQ((co_await nacked).value, 6);
  const auto chosen =
      co_await weft::choose(weft::wrap(weft::sleep_op(1h), adds(1)), weft::always(counted(7)));
  EXPECT_EQ(std::get<1>(chosen).value, 7);
  EXPECT_EQ(weft::always(counted(8)).try_perform()->value, 8);
  EXPECT_EQ((co_await weft::timeout(weft::always(counted(9)), 1h))->value, 9);
}
TEST_P(Balance, Wrappers) { run(wrappers()); }

task<> others() {
  {
    auto [tx, rx] = weft::oneshot<counted>();
    tx.send(counted(1));
    EXPECT_EQ((co_await rx.recv())->value, 1);
  }
  {
    weft::broadcast<counted> b(4);
    auto reader = b.subscribe();
    b.send(counted(2));
    EXPECT_EQ((*co_await reader.recv()).value, 2);
    b.send(counted(3));
  }
  EXPECT_EQ((co_await weft::spawn_blocking(adds(4), counted(5))).value, 9);
}
TEST_P(Balance, Others) { run(others()); }

TEST_P(Balance, PlainThreads) {
  auto [tx, rx] = weft::channel<counted>(2);
  EXPECT_TRUE(weft::perform_blocking(tx.send_op(counted(1))));
  EXPECT_EQ(weft::perform_blocking(rx.recv_op())->value, 1);
  EXPECT_EQ(weft::perform_blocking(weft::wrap(weft::sleep_op(1ms), adds(2))).value, 2);
}

}  // namespace
