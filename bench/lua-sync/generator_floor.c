// SPDX-License-Identifier: MIT
// The least that a C module needs to replace coroutine.wrap, resume and yield: it only passes on.
#include <lauxlib.h>
#include <lua.h>

// co on whose stack the arguments are -> number of results on L, or -1 with the error
static int step(lua_State* L, lua_State* co, int arguments) {
  lua_xmove(L, co, arguments);
#if LUA_VERSION_NUM >= 504
  int results;
  int status = lua_resume(co, L, arguments, &results);
#else
  int status = lua_resume(co, arguments);
  int results = lua_gettop(co);
#endif
  if (status > LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  luaL_checkstack(L, results, "too many results");
  lua_xmove(co, L, results);
  return results;
}

static int resume(lua_State* L) {
  lua_State* co = lua_tothread(L, 1);
  int results = step(L, co, lua_gettop(L) - 1);
  lua_pushboolean(L, results >= 0);
  lua_replace(L, 1);
  return lua_gettop(L);
}

static int wrapped(lua_State* L) {
  int results = step(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L));
  return results < 0 ? lua_error(L) : results;
}

static int wrap(lua_State* L) {
  lua_State* co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

static int yield(lua_State* L) { return lua_yield(L, lua_gettop(L)); }

int luaopen_generator_floor(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, wrap);
  lua_setfield(L, -2, "wrap");
  lua_pushcfunction(L, resume);
  lua_setfield(L, -2, "resume");
  lua_pushcfunction(L, yield);
  lua_setfield(L, -2, "yield");
  return 1;
}
