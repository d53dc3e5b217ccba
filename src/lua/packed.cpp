// SPDX-License-Identifier: MIT
#include "lua/packed.hpp"

namespace weft::inline v0::lua {

void push_packed(lua_State* L, int first) {
  const int n = lua_gettop(L) - first + 1;
  lua_createtable(L, n, 1);
  for (int i = 1; i <= n; ++i) {
    lua_pushvalue(L, first + i - 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
}

int unpack(lua_State* L, const char* too_many) {
  lua_getfield(L, -1, "n");
  const int n = static_cast<int>(lua_tointeger(L, -1));
  lua_pop(L, 1);
  luaL_checkstack(L, n, too_many);
  const int values = lua_gettop(L);
  for (int i = 1; i <= n; ++i) lua_rawgeti(L, values, i);
  lua_remove(L, values);
  return n;
}

}  // namespace weft::inline v0::lua
