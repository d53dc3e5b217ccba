// SPDX-License-Identifier: MIT
// A state that the program has made itself, with the liblua that libweft-lua*.so uses.
#include <dlfcn.h>

#include "support.hpp"

using weft::value;

namespace {

/// The functions of liblua that every version has alike.
struct liblua {
  explicit liblua(const std::string& lua) {
    const std::string name = lua == "luajit" ? "libluajit-5.1.so.2" : "lib" + lua + ".so.0";
    library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    find(new_state, "luaL_newstate");
    find(open_libraries, "luaL_openlibs");
    find(load, "luaL_loadstring");
    find(close, "lua_close");
    find(get_top, "lua_gettop");
  }
  liblua(const liblua&) = delete;
  liblua& operator=(const liblua&) = delete;
  ~liblua() {
    if (library) dlclose(library);
  }
  template <class F>
  void find(F*& f, const char* name) {
    f = reinterpret_cast<F*>(dlsym(library, name));
  }

  void* library = nullptr;
  lua_State* (*new_state)() = nullptr;
  void (*open_libraries)(lua_State*) = nullptr;
  int (*load)(lua_State*, const char*) = nullptr;
  void (*close)(lua_State*) = nullptr;
  int (*get_top)(lua_State*) = nullptr;
};

}  // namespace

class Adopt : public LuaTest {};
WEFT_WITH_EACH_LUA(Adopt);

TEST_P(Adopt, AStateIsUsedAndGivenBack) {
  const liblua c(lua_name());
  if (!c.library) GTEST_SKIP() << "no " << lua_name() << " by that name";
  lua_State* L = c.new_state();
  c.open_libraries(L);
  weft::lua_options o = options();
  o.adopt = L;
  for (int round = 1; round <= 2; ++round) {
    weft::lua_state adopted(rt, o);
    run(adopted.run("rounds = (rounds or 0) + 1 require 'weft'.sleep(0.001)"));
    EXPECT_EQ(run(adopted.run("return rounds"))[0].as_integer(), round);
    run(adopted.close());
    EXPECT_EQ(c.get_top(L), 0);
  }
  EXPECT_EQ(c.load(L, "return rounds"), 0);
  c.close(L);
}

TEST_P(Adopt, ASecondCopyOfWeftIsRefused) {
  const liblua c(lua_name());
  if (!c.library) GTEST_SKIP() << "no " << lua_name() << " by that name";
  lua_State* L = c.new_state();
  c.open_libraries(L);
  weft::lua_options o = options();
  o.adopt = L;
  o.prepare = nullptr;
  {
    weft::lua_state first(rt, o);
    run(
        first.run("debug.getregistry()['weft.core'] = 'another copy'\n"
                  "for name in pairs(package.loaded) do\n"
                  "  if name:find '^weft' then package.loaded[name] = nil end\n"
                  "end"));
    EXPECT_THROW(run(first.run("require 'weft'")), weft::script_error);
    run(first.close());
  }
  c.close(L);
}

TEST_P(Adopt, AStateWithoutLibrariesIsRefused) {
  const liblua c(lua_name());
  if (!c.library) GTEST_SKIP() << "no " << lua_name() << " by that name";
  lua_State* L = c.new_state();
  weft::lua_options o = options();
  o.adopt = L;
  weft::lua_state bare(rt, o);
  EXPECT_THROW(run(bare.run("return 1")), weft::script_error);
  c.close(L);
}
