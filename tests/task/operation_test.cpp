// SPDX-License-Identifier: MIT
// An operation of a program's own, through operation<>, beside weft's; and choices whose arms are
// known at run time alone.
#include "task/support.hpp"

#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using weft::task;

class Operation : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Operation, ::testing::Values(1U, 2U, 4U));

/// A number that only grows, and those who wait until it is large enough.
class level {
 public:
  void raise(int n) noexcept {
    weft::core::waiters::holding held(waiting_);
    height_ += n;
    if (height_ >= 10) held.complete_all();
  }
  class reached;

 private:
  weft::core::waiters waiting_;
  int height_ = 0;
};
class level::reached : public weft::operation<level::reached> {
 public:
  using result_type = int;
  static constexpr bool shared = true;

  class arm : public weft::detail::single_arm<> {
   public:
    explicit arm(const reached& op) noexcept : of_(*op.of_), lost_(op.lost_) {}
    bool attempt(weft::performer&) noexcept {
      const weft::core::waiters::looking held(of_.waiting_);
      return of_.height_ >= 10;
    }
    weft::core::pass publish(weft::performer& p, std::uint32_t index) noexcept {
      weft::core::wait_record& r = record_of(p, index);
      weft::core::waiters::holding held(of_.waiting_);
      if (of_.height_ >= 10) return held.complete_performer(r);
      held.append(r);
      return weft::core::pass::wait;
    }
    void retract(weft::performer&) noexcept {
      weft::core::waiters::holding held(of_.waiting_);
      held.retract(record_);
    }
    int settle(weft::performer&) noexcept { return 10; }
    void lose(weft::performer&) noexcept { ++*lost_; }

   private:
    level& of_;
    std::atomic<int>* lost_;
  };

  reached(level& of, std::atomic<int>* lost) noexcept : of_(&of), lost_(lost) {}

 private:
  level* of_;
  std::atomic<int>* lost_;
};

task<> raises(level* l) {
  co_await weft::sleep(2ms);
  l->raise(10);
}
task<> beside_others(level* l, std::atomic<int>* lost) {
  const level::reached op(*l, lost);
  EXPECT_FALSE(op.try_perform());
  EXPECT_EQ((co_await weft::choose(op, weft::sleep_op(1ms))).index(), 1U);
  EXPECT_FALSE(co_await weft::timeout(op, 1us));
  auto waits = [](level::reached it) -> task<> { static_cast<void>(co_await it); };
  auto h = weft::spawn(waits, op);
  co_await settle();
  h.cancel();
  EXPECT_TRUE(co_await ends_cancelled(&h));
  EXPECT_EQ(*lost, 4) << "try_perform, two choices, one cancellation";
  weft::spawn(raises, l).detach();
  EXPECT_EQ(std::get<0>(co_await weft::choose(op, weft::sleep_op(1h))), 10);
  EXPECT_EQ(co_await op, 10);
  EXPECT_EQ(op.try_perform(), 10);
}
TEST_P(Operation, OfOnesOwnInChoices) {
  level l;
  std::atomic<int> lost{0};
  run(beside_others(&l, &lost));
  EXPECT_EQ(lost, 4);
}
TEST_P(Operation, OfOnesOwnInAThread) {
  level l;
  std::atomic<int> lost{0};
  std::thread t([&] { EXPECT_EQ(weft::perform_blocking(level::reached(l, &lost)), 10); });
  run(raises(&l));
  t.join();
}

// As many arms as there turn out to be, some of them ready.
task<> chooses_among(std::size_t n) {
  std::vector<weft::sender<int>> ins;
  std::vector<weft::receiver<int>> outs;
  std::vector<weft::recv_operation<int>> ops;
  for (std::size_t i = 0; i < n; ++i) {
    auto [tx, rx] = weft::channel<int>(1);
    ins.push_back(std::move(tx));
    ops.push_back(rx.recv_op());
    outs.push_back(std::move(rx));  // else nobody would receive
  }
  const std::span<const weft::recv_operation<int>> all(ops);
  EXPECT_FALSE(co_await weft::timeout(weft::choose(all), 1us));
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_TRUE(co_await ins[i].send(static_cast<int>(i)));
    const auto [which, value] = co_await weft::choose(all);
    EXPECT_EQ(which, i);
    EXPECT_EQ(value, static_cast<int>(i));
  }
  EXPECT_FALSE(weft::choose(all).try_perform()) << "nothing is left behind";
}
TEST_P(Operation, ChoicesKnownAtRunTime) {
  for (const std::size_t n : {1U, 2U, 100U}) run(chooses_among(n));
}

}  // namespace
