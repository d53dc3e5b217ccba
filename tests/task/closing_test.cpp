// SPDX-License-Identifier: MIT
// Why a try has failed: full or closed, empty or drained.
#include "task/support.hpp"

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

TEST(Drained, IsAChannelThatIsClosedAndEmpty) {
  auto [tx, rx] = weft::channel<int>(2);
  EXPECT_FALSE(rx.try_recv());
  EXPECT_FALSE(rx.drained()) << "empty";
  EXPECT_TRUE(tx.try_send(1));
  EXPECT_FALSE(rx.drained());
  tx.close();
  EXPECT_TRUE(rx.closed());
  EXPECT_FALSE(rx.drained()) << "closed, with a value in it";
  EXPECT_EQ(rx.try_recv(), 1);
  EXPECT_TRUE(rx.drained());
  EXPECT_FALSE(rx.try_recv());
}

TEST(Drained, WhenTheLastSenderHasGone) {
  auto ends = weft::channel<int>();
  {
    const weft::sender<int> last = std::move(ends.first);
    EXPECT_FALSE(ends.second.drained());
  }
  EXPECT_TRUE(ends.second.drained());
}

TEST(Drained, APlaceThatIsReservedHoldsNothing) {
  auto [tx, rx] = weft::channel<int>(1);
  auto place = tx.try_reserve();
  ASSERT_TRUE(place);
  EXPECT_FALSE(rx.drained());
  tx.close();
  EXPECT_TRUE(rx.drained());
  EXPECT_FALSE(std::move(*place).send(1));
  EXPECT_FALSE(rx.try_recv());
}

TEST(Closed, TellsWhyATrySendFailed) {
  auto ends = weft::channel<int>(1);
  auto& tx = ends.first;
  EXPECT_TRUE(tx.try_send(1));
  EXPECT_FALSE(tx.try_send(2));
  EXPECT_FALSE(tx.try_reserve());
  EXPECT_FALSE(tx.closed()) << "full";
  {
    const weft::receiver<int> last = std::move(ends.second);
  }
  EXPECT_FALSE(tx.try_send(2));
  EXPECT_FALSE(tx.try_reserve());
  EXPECT_TRUE(tx.closed()) << "the receiver has gone";
}

TEST(Drained, OfAOneshot) {
  auto [tx, rx] = weft::oneshot<int>();
  EXPECT_FALSE(rx.try_recv());
  EXPECT_FALSE(rx.drained());
  EXPECT_TRUE(tx.send(5));
  EXPECT_FALSE(rx.drained()) << "the value is there";
  EXPECT_EQ(rx.try_recv(), 5);
  EXPECT_TRUE(rx.drained());
}
TEST(Drained, OfAOneshotWithoutAValue) {
  auto ends = weft::oneshot<int>();
  {
    const weft::oneshot_sender<int> gone = std::move(ends.first);
  }
  EXPECT_TRUE(ends.second.drained());
}

// Whoever polls with try_recv until it is drained gets every value.
TEST(Drained, LosesNoValueOfAnotherThread) {
  for (int round = scaled(2000); round > 0; --round) {
    auto [tx, rx] = weft::channel<int>(4);
    std::thread sender([to = std::move(tx)]() mutable {
      for (int i = 1; i <= 3; ++i)
        while (!to.try_send(i)) std::this_thread::yield();
      to.close();
    });
    std::vector<int> got;
    for (;;) {
      if (const std::optional<int> v = rx.try_recv())
        got.push_back(*v);
      else if (rx.drained())
        break;
    }
    sender.join();
    EXPECT_EQ(got, (std::vector{1, 2, 3}));
  }
}

}  // namespace
