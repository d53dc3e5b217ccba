// SPDX-License-Identifier: MIT
// A program that is linked with one Lua, as hosts with C functions of their own are, and opens
// states of the others: its symbols come before those of whatever is loaded later.
#include <dlfcn.h>

#include <cstdlib>

#include "sanitizers.hpp"
#include "support.hpp"

// Sanitizers refuse RTLD_DEEPBIND.
#if !WEFT_TEST_ASAN && !WEFT_TEST_TSAN

namespace {

std::string liblua_name(const std::string& lua) {
  return lua == "luajit" ? "libluajit-5.1.so.2" : "lib" + lua + ".so.0";
}

std::string version_of(weft::runtime& rt, const std::string& lua) {
  weft::lua_options o;
  o.lua = lua;
  weft::lua_state state(rt, o);
  const weft::values got = rt.block_on(state.run("return jit and 'luajit' or _VERSION"));
  rt.block_on(state.close());
  return std::string(got[0].as_bytes());
}

/// In a process of its own, where no other Lua has been loaded yet.
[[noreturn]] void open_all_beside(const std::string& mine) {
  dlopen(liblua_name(mine).c_str(), RTLD_NOW | RTLD_GLOBAL);
  weft::runtime rt;
  for (const std::string& lua : lua_names()) {
    const std::string want = lua == "luajit" ? lua : "Lua " + lua.substr(3);
    if (version_of(rt, lua) != want) std::_Exit(1);
  }
  std::_Exit(0);
}

TEST(LinkedDeathTest, AProgramWithOneLuaOpensTheOthers) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const std::string& mine : lua_names())
    EXPECT_EXIT(open_all_beside(mine), testing::ExitedWithCode(0), "") << mine;
}

}  // namespace

#endif
