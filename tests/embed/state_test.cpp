// SPDX-License-Identifier: MIT
// Opening, running, calling, defining and closing a Lua state.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support.hpp"

using namespace std::chrono_literals;
using weft::value;
using weft::values;

class State : public LuaTest {
 protected:
  /// What the failure says; "" if there is none.
  std::string failure(weft::task<values> t) {
    try {
      run(std::move(t));
    } catch (const weft::script_error& e) {
      return e.what();
    }
    return "";
  }
};
WEFT_WITH_EACH_LUA(State);

TEST_P(State, RunsAChunkAndReturnsItsResults) {
  const values got = run(lua.run("return 1, 'two', 3.5, true, nil, 6"));
  ASSERT_EQ(got.size(), 6U);
  EXPECT_EQ(got[0].as_integer(), 1);
  EXPECT_EQ(got[1].as_bytes(), "two");
  EXPECT_EQ(got[2].as_number(), 3.5);
  EXPECT_TRUE(got[3].as_boolean());
  EXPECT_TRUE(got[4].is_nil());
  EXPECT_EQ(got[5].as_integer(), 6);
}

TEST_P(State, CallsFunctionsByName) {
  run(lua.run(
      "function sum(a, b) return a + b end; t = { u = { f = function(s) return s:rep(2) end } }"));
  EXPECT_EQ(run(lua.call<int>("sum", 2, 3)), 5);
  EXPECT_EQ(run(lua.call<std::string>("t.u.f", "ab")), "abab");
  run(lua.call("sum", 1, 1));
  EXPECT_EQ(failure(lua.call_values("t.nothing", {})), "no function is called 't.nothing'");
}

TEST_P(State, ErrorsCarryTheirTracebackAndValue) {
  try {
    run(lua.run("local function inner() error('it broke') end\ninner()", "=script"));
    FAIL() << "nothing was thrown";
  } catch (const weft::script_error& e) {
    EXPECT_EQ(std::string(e.what()), "script:1: it broke");
    EXPECT_NE(e.traceback().find("script:1:"), std::string::npos) << e.traceback();
    EXPECT_EQ(e.raised().as_bytes(), "script:1: it broke");
  }
  EXPECT_EQ(failure(lua.run("error({})")).substr(0, 6), "table:");
  EXPECT_NE(failure(lua.run("this is no Lua")), "");
  EXPECT_NE(failure(lua.run_file("/there/is/no/such/file")), "");
  EXPECT_EQ(failure(lua.run("return print")), "result 1: a function cannot leave its state");
  EXPECT_EQ(failure(lua.run("error(setmetatable({}, {__tostring = function() error 'x' end}))")),
            "an error value that has no text");
  // A failure is its caller's alone.
  EXPECT_EQ(run(lua.run("return 7"))[0].as_integer(), 7);
}

TEST_P(State, AScriptMaySpoilItsGlobals) {
  run(lua.run("tostring, string.gmatch = nil"));
  EXPECT_NE(failure(lua.run("error {}")), "");
  EXPECT_EQ(failure(lua.call_values("nothing", {})), "no function is called 'nothing'");
  run(lua.run("setmetatable(_G, { __index = function(_, name) error('no ' .. name, 0) end })"));
  EXPECT_EQ(failure(lua.call_values("nothing", {})), "no nothing");
  EXPECT_EQ(run(lua.run("return 7"))[0].as_integer(), 7);
}

TEST_P(State, ARequestEndsWithAllThatItHasSpawned) {
  run(lua.run(R"(
    local weft = require "weft"
    done = 0
    for i = 1, 10 do weft.spawn(function() weft.sleep(0.001) done = done + 1 end) end
  )"));
  EXPECT_EQ(run(lua.run("return done"))[0].as_integer(), 10);
  EXPECT_NE(failure(lua.run(R"(require "weft".spawn(function() error "of a child" end))")), "");
  EXPECT_EQ(run(lua.run("return 7"))[0].as_integer(), 7);
}

namespace {

weft::task<int> many(weft::lua_state* lua, int n) {
  std::vector<weft::join_handle<int>> calls;
  for (int i = 0; i < n; ++i)
    calls.push_back(
        weft::spawn([](weft::lua_state* l, int k) { return l->call<int>("slow", k); }, lua, i));
  int sum = 0;
  for (auto& c : calls) sum += co_await c;
  co_return sum;
}

}  // namespace

TEST_P(State, FibersRunBesideEachOther) {
  run(lua.run(R"(
    local weft = require "weft"
    function slow(k) weft.sleep(0.002) return k end
  )"));
  const int n = scaled(200);
  EXPECT_EQ(run(many(&lua, n)), n * (n - 1) / 2);
}

TEST_P(State, FunctionsOfCxxAreCalled) {
  lua.define("add", [](int a, double b) { return a + b; });
  lua.define("swap", [](value a, value b) { return std::tuple(std::move(b), std::move(a)); });
  lua.define("count", [](values all) { return static_cast<int>(all.size()); });
  lua.define("maybe",
             [](std::optional<std::string> s) { return s ? *s + "!" : std::string("none"); });
  lua.define("nothing", [] {});
  lua.define("fails", [](int) -> int { throw std::runtime_error("out of order"); });
  EXPECT_EQ(run(lua.run("return add(1, 2.5)"))[0].as_number(), 3.5);
  const values swapped = run(lua.run("return swap(1, 'x')"));
  EXPECT_EQ(swapped[0].as_bytes(), "x");
  EXPECT_EQ(swapped[1].as_integer(), 1);
  EXPECT_EQ(run(lua.run("return count(1, nil, nil)"))[0].as_integer(), 3);
  EXPECT_EQ(run(lua.run("return maybe('a') .. maybe()"))[0].as_bytes(), "a!none");
  EXPECT_TRUE(run(lua.run("return nothing()")).empty());
  EXPECT_EQ(failure(lua.run("fails(1)", "=s")), "s:1: out of order");
  EXPECT_EQ(failure(lua.run("fails('x')", "=s")),
            "s:1: bad argument #1 (integer expected, got bytes)");
  EXPECT_EQ(failure(lua.run("count({})", "=s")),
            "s:1: bad argument #1 (a table cannot leave its state)");
}

namespace {

weft::task<std::string> fetch(std::string name) {
  co_await weft::sleep(1ms);
  if (name == "bad") throw std::runtime_error("no such thing");
  co_return "fetched " + name;
}

/// Tells that it was cancelled.
weft::task<> wait_for_ever(std::shared_ptr<std::atomic<int>> cancelled) {
  try {
    co_await weft::never();
  } catch (const weft::cancelled&) {
    ++*cancelled;
    throw;
  }
}

}  // namespace

TEST_P(State, ATaskOfCxxBlocksItsFiberAlone) {
  lua.define("fetch", fetch);
  const values got = run(lua.run(R"(
    local weft = require "weft"
    local order = {}
    weft.scope(function(s)
      s:spawn(function() order[#order + 1] = fetch "one" end)
      order[#order + 1] = "first"
    end)
    return table.concat(order, ", ")
  )"));
  EXPECT_EQ(got[0].as_bytes(), "first, fetched one");
  EXPECT_EQ(failure(lua.run("fetch 'bad'", "=s")), "s:1: no such thing");
  EXPECT_EQ(failure(lua.run("fetch(1)", "=s")),
            "s:1: bad argument #1 (bytes expected, got integer)");
  EXPECT_EQ(failure(lua.run("fetch(print)", "=s")),
            "s:1: bad argument #1 (a function cannot leave its state)");
}

namespace {
weft::task<> counts(std::shared_ptr<std::atomic<int>> n) {
  co_await weft::yield();
  ++*n;
}
}  // namespace

TEST_P(State, AFunctionFindsTheRuntimeThatItsStateRunsOn) {
  auto begun = std::make_shared<std::atomic<int>>(0);
  lua.define("start", [begun] { weft::runtime_handle::current().spawn(counts, begun).detach(); });
  run(lua.run("start()"));
  while (*begun == 0) run(nap());
  EXPECT_EQ(*begun, 1);
}

TEST_P(State, ACancelledFiberCancelsItsTask) {
  auto cancelled = std::make_shared<std::atomic<int>>(0);
  lua.define("wait", [cancelled] { return wait_for_ever(cancelled); });
  const values got = run(lua.run(R"(
    local weft = require "weft"
    local f = weft.spawn(function() wait() end)
    weft.sleep(0.005)
    f:cancel()
    weft.pcall(f.join, f)
    return f:status()
  )"));
  EXPECT_EQ(got[0].as_bytes(), "cancelled");
  while (*cancelled == 0) run(nap());
  EXPECT_EQ(*cancelled, 1);
}

namespace {

weft::task<bool> cancel_a_call(weft::lua_state* lua) {
  auto h = weft::spawn([](weft::lua_state* l) { return l->call("stuck"); }, lua);
  while (!co_await lua->call<bool>("is_stuck")) co_await weft::sleep(1ms);
  h.cancel();
  const bool ended = co_await ends_cancelled(&h);
  co_return ended&& co_await lua->call<bool>("was_cancelled");
}

}  // namespace

TEST_P(State, ACancelledTaskCancelsItsFiber) {
  run(lua.run(R"(
    local weft = require "weft"
    local stuck_there, cancelled = false, false
    function stuck()
      weft.defer(function() cancelled = true end)
      stuck_there = true
      weft.sleep(1000)
    end
    function is_stuck() return stuck_there end
    function was_cancelled() return cancelled end
  )"));
  EXPECT_TRUE(run(cancel_a_call(&lua)));
}

TEST_P(State, ClosesWithFibersThatWait) {
  auto cancelled = std::make_shared<std::atomic<int>>(0);
  auto begun = std::make_shared<std::atomic<int>>(0);
  lua.define("wait", [cancelled, begun] {
    ++*begun;
    return wait_for_ever(cancelled);
  });
  run(lua.run(R"(weft = require "weft"; log = weft.shared_channel(4))"));
  auto waiting = rt.spawn([](weft::lua_state* l) { return l->call("wait"); }, &lua);
  auto sleeping = rt.spawn(
      [](weft::lua_state* l) {
        return l->run("weft.daemon(function() weft.sleep(1000) end) weft.sleep(1000)");
      },
      &lua);
  while (*begun == 0) run(nap());
  run(lua.close());
  EXPECT_EQ(*cancelled, 1);
  EXPECT_EQ(failure(lua.run("return 1")), "weft: the Lua state is closed");
  EXPECT_THROW(run([](weft::join_handle<void>* h) -> weft::task<> { co_await *h; }(&waiting)),
               weft::script_error);
  EXPECT_THROW(run([](weft::join_handle<values>* h) -> weft::task<> { co_await *h; }(&sleeping)),
               weft::script_error);
}

TEST_P(State, IsClosedByTheEndOfTheRuntime) {
  auto other = std::make_unique<weft::runtime>(runtime_options());
  weft::lua_state inner(*other, options());
  other->block_on(inner.run("x = 1"));
  other->spawn([](weft::lua_state* l) { return l->run("require 'weft'.sleep(1000)"); }, &inner)
      .detach();
  other->block_on(settle(other.get()));
  other.reset();
}

TEST_P(State, ARuntimeThatEndsBeforeItIsOpened) {
  auto other = std::make_unique<weft::runtime>(runtime_options());
  weft::lua_state inner(*other, options());
  other.reset();  // a task spawned before might still have been served
  auto h = rt.spawn([](weft::lua_state* l) { return l->run("return 1"); }, &inner);
  EXPECT_THROW(run([](weft::join_handle<values>* j) -> weft::task<> { co_await *j; }(&h)),
               weft::script_error);
}

TEST_P(State, NeverUsedNeverOpened) { const weft::lua_state unused(rt, options()); }

TEST_P(State, GlobalsAreSetInOrder) {
  lua.set("a", 1);
  lua.set("a", "later");
  lua.set("string.b", 2);
  EXPECT_EQ(run(lua.run("return a .. string.b"))[0].as_bytes(), "later2");
  lua.set("no.such.table", 1);
  lua.set("c", 3);
  EXPECT_EQ(failure(lua.run("return 1")), "cannot set 'no.such.table': no table");
  EXPECT_EQ(run(lua.run("return c"))[0].as_integer(), 3);
}

TEST_P(State, AnUnknownLuaIsRefused) {
  weft::lua_options o;
  o.lua = "lua4";
  EXPECT_THROW(weft::lua_state(rt, o), weft::script_error);
}

// Finalizers run in the reverse order of creation, so that of the function has run there.
TEST_P(State, AFinalizerThatCallsAFunctionThatIsGone) {
  const auto called = std::make_shared<std::atomic<int>>(0);
  const char* const prepare = R"(
    local late
    function know(f) late = f end
    local function finalizer() said = tostring(select(2, pcall(late))) end
    if newproxy then
      older = newproxy(true)
      getmetatable(older).__gc = finalizer
    else
      older = setmetatable({}, { __gc = finalizer })
    end
  )";
  run(lua.run(prepare));
  lua.define("now", [called] { ++*called; });
  const char* const drop =
      "know(NAME) NAME, know, older = nil collectgarbage() collectgarbage() return said";
  const auto said = [this, drop](const std::string& name) {
    std::string code = drop;
    for (std::size_t at = 0; (at = code.find("NAME")) != code.npos;) code.replace(at, 4, name);
    return std::string(run(lua.run(code))[0].as_bytes());
  };
  EXPECT_NE(said("now").find("has been collected"), std::string::npos);
  run(lua.run(prepare));
  lua.define("later", [called]() -> weft::task<> {
    ++*called;
    co_return;
  });
  EXPECT_NE(said("later").find("has been collected"), std::string::npos);
  run(lua.run(prepare));
  lua.define("at_the_end", [called] { ++*called; });
  run(lua.run("know(at_the_end)"));
  run(lua.close());
  EXPECT_EQ(*called, 0);
}

namespace {
struct meter {
  std::size_t blocks = 0;
  int prepared = 0;
};
void* allocate(void* context, void* block, std::size_t, std::size_t size) {
  auto& m = *static_cast<meter*>(context);
  if (size == 0) {
    if (block) --m.blocks;
    std::free(block);
    return nullptr;
  }
  if (!block) ++m.blocks;
  return std::realloc(block, size);
}
}  // namespace

TEST_P(State, TheHostMayAllocateAndPrepare) {
  meter m;
  weft::lua_options o = options();
  o.allocate = allocate;
  o.prepare = [](void* context, lua_State*) { ++static_cast<meter*>(context)->prepared; };
  o.context = &m;
  weft::lua_state metered(rt, o);
  EXPECT_EQ(run(metered.run("return 5"))[0].as_integer(), 5);
  EXPECT_GT(m.blocks, 0U);
  EXPECT_EQ(m.prepared, 1);
  run(metered.close());
  EXPECT_EQ(m.blocks, 0U);
}

TEST_P(State, MovesAndIsClosedByItsDestructor) {
  weft::lua_state second(rt, options());
  run(second.run("x = 2"));
  weft::lua_state third = std::move(second);
  EXPECT_EQ(run(third.run("return x"))[0].as_integer(), 2);
  lua = std::move(third);
  EXPECT_EQ(run(lua.run("return x"))[0].as_integer(), 2);
}

TEST(Luas, AllInOneProcessAtOnce) {
  weft::runtime rt;
  std::vector<std::unique_ptr<weft::lua_state>> states;
  for (const std::string& name : lua_names()) {
    weft::lua_options o;
    o.lua = name;
    states.push_back(std::make_unique<weft::lua_state>(rt, o));
  }
  auto [tx, rx] = weft::channel<value>(1);
  for (auto& s : states) {
    s->set("out", weft::share(tx));
    const values version =
        rt.block_on(s->run("out:put(jit and 'LuaJIT' or _VERSION) return _VERSION"));
    EXPECT_EQ(version[0].as_bytes().substr(0, 4), "Lua ");
    EXPECT_EQ(rx.try_recv()->as_bytes().substr(0, 3), "Lua");
  }
}

TEST_P(State, ADumpSignalAfterItsStateHasClosedFindsNone) {
  run(lua.run("require('weft').run({ dump_signal = 'SIGUSR1' }, function() end)"));
  run(lua.close());
  EXPECT_EQ(std::raise(SIGUSR1), 0);
}

TEST(Luas, TwoRuntimesInOneProcessAtOnce) {
  auto work = [](const std::string& name) {
    weft::runtime rt;
    weft::lua_options o;
    o.lua = name;
    weft::lua_state lua(rt, o);
    rt.block_on(lua.run("function f(x) require 'weft'.yield() return x + 1 end"));
    for (int i = 0; i < scaled(1000); ++i) ASSERT_EQ(rt.block_on(lua.call<int>("f", i)), i + 1);
    rt.block_on(lua.close());
  };
  std::thread other(work, lua_names().front());
  work(lua_names().back());
  other.join();
}
