// SPDX-License-Identifier: MIT
// A runtime with a Lua state, inside somebody else's main loop.
#include <poll.h>

#include <thread>

#include "support.hpp"

namespace {

class LuaInALoop : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Luas, LuaInALoop, ::testing::ValuesIn(lua_names()), [](const auto& i) {
  std::string name = i.param;
  std::erase(name, '.');
  return name;
});

weft::task<> add_up(weft::lua_state* lua, long long* sum, weft::event finished) {
  const weft::values got = co_await lua->run(R"(
    local weft = require "weft"
    local sum = 0
    for _ = 1, 5 do
      weft.sleep(0.001)
      sum = sum + numbers:get()
    end
    return sum
  )");
  *sum = got.at(0).as_integer();
  co_await lua->close();
  finished.set();
}

TEST_P(LuaInALoop, FibersSleepAndHearFromThreads) {
  weft::runtime rt;
  weft::lua_options options;
  options.lua = GetParam();
  weft::lua_state lua(rt, options);
  auto [tx, rx] = weft::channel<weft::value>();
  lua.set("numbers", weft::share(rx));
  const weft::event finished;
  long long sum = 0;
  rt.spawn(add_up, &lua, &sum, finished).detach();
  std::thread other([to = tx] {
    for (int i = 1; i <= 5; ++i) static_cast<void>(weft::perform_blocking(to.send_op(i)));
  });
  pollfd watched = {rt.event_fd(), POLLIN, 0};
  while (!finished.is_set())
    if (::poll(&watched, 1, -1) == 1) rt.poll_once();
  other.join();
  EXPECT_EQ(sum, 15);
}

}  // namespace
