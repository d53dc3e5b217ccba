// SPDX-License-Identifier: MIT
// Userdata for the modules in Lua that have to look like modules in C: `#` and user values work on
// one on every Lua. For lua/t.
#include "lua/arguments.hpp"
#include "lua/state.hpp"

namespace weft::inline v0::lua {

void open_objects(lua_State* L);

namespace {

/// object(metatable, n) -> userdata with n user values, its address as text
int new_object(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const auto n = static_cast<int>(luaL_checkinteger(L, 2));
  void* const p = new_userdata(L, 1, n);
  lua_pushvalue(L, 1);
  lua_setmetatable(L, -2);
  lua_pushfstring(L, "%p", p);
  return 2;
}

/// The one at 1, whose metatable is at 2: others keep their values elsewhere.
void check_object(lua_State* L) {
  if (!lua_touserdata(L, 1) || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, 2))
    luaL_error(L, "not an object of that type");
  lua_pop(L, 1);
}

/// object_value(object, metatable, i) -> user value i
int object_value(lua_State* L) {
  check_object(L);
  get_reference(L, 1, static_cast<int>(luaL_checkinteger(L, 3)));
  return 1;
}

/// set_object_value(object, metatable, i, value)
int set_object_value(lua_State* L) {
  check_object(L);
  lua_settop(L, 4);
  set_reference(L, 1, static_cast<int>(luaL_checkinteger(L, 3)));
  return 0;
}

const luaL_Reg functions[] = {{"object", new_object},
                              {"object_value", object_value},
                              {"set_object_value", set_object_value},
                              {nullptr, nullptr}};

}  // namespace

void open_objects(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
