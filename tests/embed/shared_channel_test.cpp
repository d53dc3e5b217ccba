// SPDX-License-Identifier: MIT
// Channels of values between Lua fibers, C++ tasks, plain threads and other Lua states: nothing is
// lost, nothing comes twice, everybody gets on.
#include <atomic>
#include <memory>
#include <thread>

#include "support.hpp"

using namespace std::chrono_literals;
using weft::value;
using weft::values;

class Shared : public LuaTest {};
WEFT_WITH_EACH_LUA(Shared);

namespace {

weft::task<std::int64_t> sum_of(weft::receiver<value> rx) {
  std::int64_t sum = 0;
  while (auto v = co_await rx.recv()) sum += v->as_integer();
  co_return sum;
}

weft::task<> feed(weft::sender<value> tx, int n) {
  for (int i = 1; i <= n; ++i) static_cast<void>(co_await tx.send(i));
}

/// Runs the chunk beside t.
weft::task<std::int64_t> beside(weft::lua_state* lua, std::string chunk,
                                weft::task<std::int64_t> t) {
  auto h = weft::spawn([](weft::lua_state* l, std::string c) { return l->run(std::move(c)); }, lua,
                       std::move(chunk));
  const std::int64_t sum = co_await std::move(t);
  co_await h;
  co_return sum;
}

std::int64_t up_to(std::int64_t n) { return n * (n + 1) / 2; }

}  // namespace

TEST_P(Shared, LuaPutsAndATaskReceives) {
  auto [tx, rx] = weft::channel<value>(3);
  lua.set("out", weft::share(std::move(tx)));
  const int n = scaled(20000);
  const std::string chunk = "for i = 1, " + std::to_string(n) + " do out:put(i) end out:close()";
  EXPECT_EQ(run(beside(&lua, chunk, sum_of(std::move(rx)))), up_to(n));
}

TEST_P(Shared, ATaskSendsAndLuaGets) {
  auto [tx, rx] = weft::channel<value>();
  lua.set("input", weft::share(std::move(rx)));
  run(lua.run(R"(
    function take(n)
      local sum = 0
      for _ = 1, n do sum = sum + input:get() end
      return sum
    end
  )"));
  const int n = scaled(20000);
  auto h = rt.spawn(feed, std::move(tx), n);
  EXPECT_EQ(run(lua.call<std::int64_t>("take", n)), up_to(n));
}

TEST_P(Shared, AnEndThatIsNotThereIsRefused) {
  auto [tx, rx] = weft::channel<value>(1);
  lua.set("out", weft::share(std::move(tx)));
  lua.set("input", weft::share(rx));
  const values got = run(lua.run(R"(
    local _, a = pcall(out.get_op, out)
    local _, b = pcall(input.put_op, input, 1)
    return a, b
  )"));
  EXPECT_NE(got[0].as_bytes().find("'get_op' on the sending end of a channel"), std::string::npos);
  EXPECT_NE(got[1].as_bytes().find("'put_op' on the receiving end of a channel"),
            std::string::npos);
}

TEST_P(Shared, AChannelMadeInLuaComesToCxx) {
  const values made = run(lua.run("ch = require 'weft'.shared_channel(2) return ch"));
  const weft::sender<value> tx = weft::sender_of(made[0]);
  const weft::receiver<value> rx = weft::receiver_of(made[0]);
  EXPECT_TRUE(tx.try_send("from C++"));
  EXPECT_EQ(run(lua.run("return ch:get()"))[0].as_bytes(), "from C++");
  run(lua.run("ch:put('from Lua')"));
  EXPECT_EQ(rx.try_recv()->as_bytes(), "from Lua");
}

TEST_P(Shared, PlainThreadsOnTheOtherSide) {
  auto [tx, rx] = weft::channel<value>();
  auto [back_tx, back_rx] = weft::channel<value>(2);
  lua.set("input", weft::share(rx));
  lua.set("out", weft::share(back_tx));
  run(lua.run(R"(
    local weft = require "weft"
    function serve(n)
      local here, count = weft.channel(), 0
      weft.spawn(function() for i = 1, n do here:put(i) end end)
      for _ = 1, 3 * n do
        local v = weft.choose(input:get_op(), here:get_op(), weft.sleep_op(3600)):perform()
        if type(v) == "string" then out:put(v .. "!") end
        count = count + 1
      end
      return count
    end
  )"));
  const int n = scaled(5000);
  const auto ask = [n, &tx = tx, &back_rx = back_rx] {
    for (int i = 0; i < n; ++i) {
      EXPECT_TRUE(weft::perform_blocking(tx.send_op("q")));
      const auto reply = weft::perform_blocking(back_rx.recv_op());
      EXPECT_EQ(reply->as_bytes(), "q!");
    }
  };
  std::thread a(ask);
  std::thread b(ask);
  EXPECT_EQ(run(lua.call<int>("serve", n)), 3 * n);
  a.join();
  b.join();
}

namespace {

/// Sends and receives, whichever happens first, n times; how often it received.
int both_ways(weft::sender<value> tx, weft::receiver<value> rx, int n) {
  int received = 0;
  for (int i = 0; i < n; ++i)
    received += weft::perform_blocking(weft::choose(tx.send_op(1), rx.recv_op())).index() == 1;
  return received;
}

}  // namespace

// Both sides choose between a put to one channel and a get from the other: each commit is one put
// on one side and one get on the other. models/: crossed.
TEST_P(Shared, CrossedChoices) {
  auto [a_tx, a_rx] = weft::channel<value>();
  auto [b_tx, b_rx] = weft::channel<value>();
  lua.set("a", weft::share(a_rx));
  lua.set("b", weft::share(b_tx));
  run(lua.run(R"(
    local weft = require "weft"
    function both(n)
      local got = 0
      for _ = 1, n do
        if weft.choose(b:put_op(2):wrap(function() return "put" end), a:get_op()):perform() ~= "put" then
          got = got + 1
        end
      end
      return got
    end
  )"));
  const int n = scaled(20000);
  int received = 0;
  std::thread other([&received, n, &tx = a_tx, &rx = b_rx] { received = both_ways(tx, rx, n); });
  const int got = run(lua.call<int>("both", n));
  other.join();
  EXPECT_EQ(got + received, n);
}

TEST_P(Shared, CancelledWhileAThreadSends) {
  auto [tx, rx] = weft::channel<value>();
  lua.set("input", weft::share(std::move(rx)));
  run(lua.run(R"(
    local weft = require "weft"
    function storm(n)
      local got = 0
      while got < n do
        local f = weft.spawn(function() while true do input:get() got = got + 1 end end)
        weft.sleep(0.0001)
        f:cancel()
        weft.pcall(f.join, f)
      end
      input:close()
      return got
    end
  )"));
  std::atomic<int> sent{0};
  std::thread sender([&sent, tx = std::move(tx)] {
    while (weft::perform_blocking(tx.send_op(1))) ++sent;
  });
  const int got = run(lua.call<int>("storm", scaled(20000)));
  sender.join();
  EXPECT_EQ(got, sent);
}

TEST_P(Shared, BetweenTwoStates) {
  weft::lua_state second(rt, options());
  auto ends = weft::channel<value>(4);
  lua.set("ch", weft::share(ends.first));
  second.set("ch", weft::share(ends.second));
  run(second.run(R"(
    function total()
      local sum = 0
      while true do
        local v = ch:get()
        if v == nil then return sum end
        sum = sum + v
      end
    end
  )"));
  const int n = scaled(20000);
  const std::string chunk = "for i = 1, " + std::to_string(n) + " do ch:put(i) end ch:close()";
  EXPECT_EQ(run(beside(&lua, chunk, second.call<std::int64_t>("total"))), up_to(n));
}

TEST_P(Shared, AStateThatClosesLeavesNothingAtTheChannel) {
  auto [tx, rx] = weft::channel<value>();
  lua.set("input", weft::share(rx));
  auto waiting = rt.spawn([](weft::lua_state* l) { return l->run("input:get()"); }, &lua);
  run(settle(&rt));
  run(lua.close());
  EXPECT_FALSE(tx.try_send(1));
}

TEST_P(Shared, TheLastSenderClosesTheChannel) {
  auto ends = weft::channel<value>();
  lua.set("input", weft::share(ends.second));
  auto h =
      rt.spawn([](weft::lua_state* l) { return l->run("return select('#', input:get())"); }, &lua);
  run(settle(&rt));
  {
    const weft::sender<value> last = std::move(ends.first);
  }
  EXPECT_EQ(run([](weft::join_handle<values>* j) -> weft::task<std::int64_t> {
              co_return (co_await *j)[0].as_integer();
            }(&h)),
            3);
}
