// SPDX-License-Identifier: MIT
// weft::value, and channels of values as values.
#include "weft/value.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "support.hpp"
#include "weft/shared_channel.hpp"

using weft::value;
using kind = weft::value::kind;

namespace {

/// Counts those that live.
class counted final : public weft::shared_object {
 public:
  explicit counted(int* alive) : alive_(alive) { ++*alive_; }
  const char* type_name() const noexcept override { return "counted"; }

 private:
  ~counted() override { --*alive_; }
  int* alive_;
};

class another final : public weft::shared_object {
 public:
  const char* type_name() const noexcept override { return "another"; }
};

std::string refusal(void (*f)(const value&), const value& v) {
  try {
    f(v);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST(Value, KindsStayApart) {
  EXPECT_EQ(value().type(), kind::nil);
  EXPECT_EQ(value(nullptr).type(), kind::nil);
  EXPECT_EQ(value(true).type(), kind::boolean);
  EXPECT_EQ(value(1).type(), kind::integer);
  EXPECT_EQ(value('a').type(), kind::integer);
  EXPECT_EQ(value(1U).type(), kind::integer);
  EXPECT_EQ(value(1.0).type(), kind::number);
  EXPECT_EQ(value(1.0F).type(), kind::number);
  EXPECT_EQ(value("text").type(), kind::bytes);
  EXPECT_EQ(value(std::string("text")).type(), kind::bytes);
  EXPECT_FALSE(value(1) == value(1.0));
  EXPECT_FALSE(value(false) == value());
}

TEST(Value, GivesWhatWasPutIn) {
  EXPECT_TRUE(value(true).as_boolean());
  EXPECT_FALSE(value(false).as_boolean());
  EXPECT_EQ(value(std::numeric_limits<std::int64_t>::min()).as_integer(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value(0.5).as_number(), 0.5);
  EXPECT_TRUE(std::isnan(value(std::nan("")).as_number()));
  const std::string binary("a\0b", 3);
  EXPECT_EQ(value(binary).as_bytes(), binary);
  EXPECT_EQ(value("").as_bytes(), "");
}

TEST(Value, AnIntegralNumberIsAnIntegerToo) {
  EXPECT_EQ(value(3.0).as_integer(), 3);
  EXPECT_EQ(value(3).as_number(), 3.0);
  EXPECT_THROW(value(3.5).as_integer(), std::invalid_argument);
  EXPECT_THROW(value(std::nan("")).as_integer(), std::invalid_argument);
  EXPECT_THROW(value(9223372036854775808.0).as_integer(), std::invalid_argument);
  EXPECT_THROW(value(HUGE_VAL).as_integer(), std::invalid_argument);
}

TEST(Value, ARefusalSaysWhatItIs) {
  const auto integer = [](const value& v) { static_cast<void>(v.as_integer()); };
  const auto bytes = [](const value& v) { static_cast<void>(v.as_bytes()); };
  EXPECT_EQ(refusal(integer, value("x")), "weft::value: integer expected, got bytes");
  EXPECT_EQ(refusal(bytes, value()), "weft::value: bytes expected, got nil");
  EXPECT_EQ(refusal(integer, value(weft::make_shared_object<another>())),
            "weft::value: integer expected, got another");
}

TEST(Value, IsTrueAsInLua) {
  EXPECT_FALSE(value().is_true());
  EXPECT_FALSE(value(false).is_true());
  EXPECT_TRUE(value(true).is_true());
  EXPECT_TRUE(value(0).is_true());
  EXPECT_TRUE(value("").is_true());
}

TEST(Value, CopiesShareAndMovesLeaveNil) {
  value a("some bytes");
  const value b = a;
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.as_bytes().data(), b.as_bytes().data());
  const value c = std::move(a);
  EXPECT_TRUE(a.is_nil());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(c, b);
  a = c;
  a = *&a;
  EXPECT_EQ(a, b);
  value d(1);
  d.swap(a);
  EXPECT_EQ(d, b);
  EXPECT_EQ(a, value(1));
}

TEST(Value, AnObjectLivesAsLongAsAReference) {
  int alive = 0;
  {
    value a = weft::make_shared_object<counted>(&alive);
    EXPECT_EQ(alive, 1);
    value b = a;
    a = value();
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(b.as_object().references(), 1U);
    const weft::ref<counted> taken = b.as<counted>();
    b = value(7);
    EXPECT_EQ(alive, 1);
    EXPECT_THROW(value(weft::make_shared_object<another>()).as<counted>(), std::invalid_argument);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Value, AnObjectEqualsItself) {
  const value a = weft::make_shared_object<another>();
  const value b = a;
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a == value(weft::make_shared_object<another>()));
  EXPECT_TRUE(value(weft::ref<weft::shared_object>()).is_nil());
}

TEST(Value, CopiesGoToOtherThreads) {
  const value text("a text that is counted");
  std::thread other([copy = text] {
    for (int i = 0; i < 1000; ++i) {
      const value again = copy;
      EXPECT_EQ(again.as_bytes().size(), 22U);
    }
  });
  for (int i = 0; i < 1000; ++i) {
    const value again = text;
    EXPECT_EQ(again.as_bytes().size(), 22U);
  }
  other.join();
}

TEST(SharedChannel, EndsTravelAsValues) {
  auto [tx, rx] = weft::channel<value>(4);
  const value in = weft::share(tx);
  const value out = weft::share(rx);
  EXPECT_TRUE(weft::sender_of(in).try_send(1));
  EXPECT_EQ(weft::receiver_of(out).try_recv(), value(1));
  EXPECT_THROW(weft::receiver_of(in), std::invalid_argument);
  EXPECT_THROW(weft::sender_of(out), std::invalid_argument);
  EXPECT_THROW(weft::sender_of(value("no channel")), std::invalid_argument);
}

TEST(SharedChannel, ClosesWithTheLastValueThatHoldsItsSender) {
  auto ends = weft::channel<value>(1);
  const weft::receiver<value> rx = ends.second;
  value in = weft::share(std::move(ends.first));
  EXPECT_FALSE(rx.closed());
  in = value();
  EXPECT_TRUE(rx.closed());
}

class ValueTest : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, ValueTest, ::testing::Values(1U, 2U));

namespace {

weft::task<> answer(weft::receiver<value> questions) {
  while (auto question = co_await questions.recv()) {
    const weft::sender<value> back = weft::sender_of(*question);
    static_cast<void>(co_await back.send("an answer"));
  }
}

weft::task<std::string> ask() {
  auto [tx, rx] = weft::channel<value>();
  weft::join_handle<void> server = weft::spawn(answer, rx);
  auto [back_tx, back_rx] = weft::channel<value>();
  static_cast<void>(co_await tx.send(weft::share(back_tx)));
  const auto reply = co_await back_rx.recv();
  tx.close();
  co_await server;
  co_return std::string(reply->as_bytes());
}

}  // namespace

TEST_P(ValueTest, AChannelIsSentThroughAChannel) { EXPECT_EQ(run(ask()), "an answer"); }
