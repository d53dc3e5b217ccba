// SPDX-License-Identifier: MIT
// The differences between the Luas, in one place. 5.1 headers also serve LuaJIT, which is told
// apart at run time.
#pragma once

#include <cstddef>

extern "C" {
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
}

namespace weft::inline v0::lua {

/// 5.2 and later can go on in C after a yield. Without that, what must happen after a resume
/// happens in a small Lua frame around the C function (lua/weft/frames.lua).
#if LUA_VERSION_NUM >= 502
inline constexpr bool has_continuations = true;
#else
inline constexpr bool has_continuations = false;
#endif
/// 5.4 keeps any number of Lua values with a userdata; before that it is one table.
inline constexpr bool has_user_values = LUA_VERSION_NUM >= 504;

#if LUA_VERSION_NUM < 502
inline int lua_absindex(lua_State* L, int i) {
  return i > 0 || i <= LUA_REGISTRYINDEX ? i : lua_gettop(L) + i + 1;
}
inline std::size_t lua_rawlen(lua_State* L, int i) { return lua_objlen(L, i); }
inline void luaL_setfuncs(lua_State* L, const luaL_Reg* l, int upvalues) {
  for (; l->name; ++l) {
    for (int i = 0; i < upvalues; ++i) lua_pushvalue(L, -upvalues);
    lua_pushcclosure(L, l->func, upvalues);
    lua_setfield(L, -(upvalues + 2), l->name);
  }
  lua_pop(L, upvalues);
}
inline void lua_rawgetp(lua_State* L, int i, const void* p) {
  i = lua_absindex(L, i);
  lua_pushlightuserdata(L, const_cast<void*>(p));
  lua_rawget(L, i);
}
inline void lua_rawsetp(lua_State* L, int i, const void* p) {
  i = lua_absindex(L, i);
  lua_pushlightuserdata(L, const_cast<void*>(p));
  lua_insert(L, -2);
  lua_rawset(L, i);
}
#endif

/// A userdata with `references` places for Lua values that live as long as it does.
inline void* new_userdata(lua_State* L, std::size_t size, int references) {
#if LUA_VERSION_NUM >= 504
  return lua_newuserdatauv(L, size, references);
#else
  void* p = lua_newuserdata(L, size);
  if (references > 0) {
    lua_createtable(L, references, 0);
#if LUA_VERSION_NUM >= 502
    lua_setuservalue(L, -2);
#else
    lua_setfenv(L, -2);
#endif
  }
  return p;
#endif
}

/// Pops a value into place i (from 1) of the userdata at index.
inline void set_reference(lua_State* L, int index, int i) {
#if LUA_VERSION_NUM >= 504
  lua_setiuservalue(L, index, i);
#else
  index = lua_absindex(L, index);
#if LUA_VERSION_NUM >= 502
  lua_getuservalue(L, index);
#else
  lua_getfenv(L, index);
#endif
  lua_insert(L, -2);
  lua_rawseti(L, -2, i);
  lua_pop(L, 1);
#endif
}

/// Pushes place i of the userdata at index.
inline void get_reference(lua_State* L, int index, int i) {
#if LUA_VERSION_NUM >= 504
  lua_getiuservalue(L, index, i);
#else
#if LUA_VERSION_NUM >= 502
  lua_getuservalue(L, index);
#else
  lua_getfenv(L, index);
#endif
  lua_rawgeti(L, -1, i);
  lua_remove(L, -2);
#endif
}

/// Pops a table, which becomes that of the userdata at index.
inline void set_table_of(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 504
  lua_setiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
  lua_setuservalue(L, index);
#else
  lua_setfenv(L, index);
#endif
}

/// A userdata with one table, which the call leaves on top of it: where the Lua keeps one table a
/// userdata anyway, it is that one.
inline void* new_userdata_with_table(lua_State* L, std::size_t size, int array) {
#if LUA_VERSION_NUM >= 504
  void* p = lua_newuserdatauv(L, size, 1);
#else
  void* p = lua_newuserdata(L, size);
#endif
  lua_createtable(L, array, 0);
  lua_pushvalue(L, -1);
  set_table_of(L, -3);
  return p;
}
inline void push_table_of(lua_State* L, int index) {
#if LUA_VERSION_NUM >= 504
  lua_getiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
  lua_getuservalue(L, index);
#else
  lua_getfenv(L, index);
#endif
}

/// LUA_OK, LUA_YIELD or an error status. What a continuation or the yielded call shall see is on
/// co's stack already. results: how many values it has left on top.
inline int resume(lua_State* co, [[maybe_unused]] lua_State* from, int arguments, int& results) {
#if LUA_VERSION_NUM >= 504
  return lua_resume(co, from, arguments, &results);
#else
#if LUA_VERSION_NUM >= 502
  const int status = lua_resume(co, from, arguments);
#else
  const int status = lua_resume(co, arguments);
#endif
  results = lua_gettop(co);
  return status;
#endif
}

struct state;
/// The record of the state whose function is running, from its first upvalue.
state& state_of(lua_State* L);

/// WEFT_CONTINUATION(name) { body } is a function of L and s, the state: what goes on after a
/// yield. It gets the state without a look at its upvalues where the Lua has a context of a
/// pointer's size.
#if LUA_VERSION_NUM >= 503
using continuation = int (*)(lua_State*, int, lua_KContext);
#define WEFT_CONTINUATION(name)                          \
  int name##_body(lua_State* L, state& s);               \
  int name(lua_State* L, int, lua_KContext s) {          \
    return name##_body(L, *reinterpret_cast<state*>(s)); \
  }                                                      \
  int name##_body([[maybe_unused]] lua_State* L, [[maybe_unused]] state& s)
#else
using continuation = int (*)(lua_State*);
#define WEFT_CONTINUATION(name)                                  \
  int name##_body(lua_State* L, state& s);                       \
  int name(lua_State* L) { return name##_body(L, state_of(L)); } \
  int name##_body([[maybe_unused]] lua_State* L, [[maybe_unused]] state& s)
#endif

/// Yields `values` from the top. The continuation runs after the resume on 5.2 and later; before
/// that, the values on the stack when it is resumed are the results of the calling C function.
inline int yield(lua_State* L, [[maybe_unused]] state& s, int values,
                 [[maybe_unused]] continuation next) {
#if LUA_VERSION_NUM >= 503
  return lua_yieldk(L, values, reinterpret_cast<lua_KContext>(&s), next);
#elif LUA_VERSION_NUM == 502
  return lua_yieldk(L, values, 0, next);
#else
  return lua_yield(L, values);
#endif
}

}  // namespace weft::inline v0::lua
