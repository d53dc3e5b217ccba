// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdio>
#include <string>
#include <weft/lua.hpp>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

// Called from Lua: the fiber that calls it waits, others run.
weft::task<std::string> fetch(std::string name) {
  co_await weft::sleep(2ms);
  co_return "the text of " + name;
}

weft::task<> run(weft::lua_state& lua) {
  lua.define("fetch", fetch);
  lua.define("twice", [](int n) { return 2 * n; });
  co_await lua.run(R"(
    local weft = require "weft"

    function both(a, b)
      local texts = {}
      weft.scope(function(s)
        s:spawn(function() texts[1] = fetch(a) end)
        s:spawn(function() texts[2] = fetch(b) end)
      end)
      return table.concat(texts, " and "), twice(#texts)
    end
    function fail() error "nothing to be done" end
  )", "=script");

  // Any number of calls at once, each a fiber.
  std::string text = co_await lua.call<std::string>("both", "one", "two");
  std::puts(text.c_str());  // --> the text of one and the text of two
  weft::values all = co_await lua.call<weft::values>("both", "a", "b");
  std::printf("%lld\n", static_cast<long long>(all[1].as_integer()));  // --> 4

  try {
    co_await lua.call("fail");
  } catch (const weft::script_error& e) {
    std::puts(e.what());  // --> script:12: nothing to be done
  }
  co_await lua.close();
}

int main() {
  weft::runtime rt;
  weft::lua_state lua(rt);
  rt.block_on(run(lua));
}
