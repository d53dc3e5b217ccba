// SPDX-License-Identifier: MIT
#include "lua/arguments.hpp"

#include <cmath>
#include <cstdarg>
#include <cstring>

#include "weft/core/channel.hpp"

namespace weft::inline v0::lua {

namespace {

/// Pushes the position of the innermost Lua function on the stack of `at` that is not one of
/// lua/weft's; false if there is none.
bool push_position_on(lua_State* L, lua_State* at, int level, const char* home) {
  lua_Debug frame;
  for (; lua_getstack(at, level, &frame); ++level) {
    lua_getinfo(at, "Sl", &frame);
    if (frame.currentline <= 0) continue;
    if (home[0] && std::strncmp(frame.source, home, std::strlen(home)) == 0) continue;
    lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    return true;
  }
  return false;
}

/// PUC 5.1: the coroutine that called the weft.pcall which `at` belongs to, or null.
lua_State* caller_of(lua_State* L, lua_State* at) {
  push_anchor(L, anchor_callers);
  lua_State* caller = nullptr;
  if (lua_istable(L, -1)) {
    lua_pushthread(at);
    if (at != L) lua_xmove(at, L, 1);
    lua_rawget(L, -2);
    caller = lua_tothread(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return caller;
}

/// The position of the user's call.
void push_position(lua_State* L) {
  const char* home = state_of(L).home;
  if (push_position_on(L, L, 1, home)) return;
  for (lua_State* at = caller_of(L, L); at; at = caller_of(L, at))
    if (push_position_on(L, at, 0, home)) return;
  lua_pushliteral(L, "");
}

}  // namespace

void raise(lua_State* L, const char* format, ...) {
  va_list args;
  va_start(args, format);
  push_position(L);
  lua_pushvfstring(L, format, args);
  va_end(args);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

void bad_argument(lua_State* L, const char* function, int arg, const char* expected, int shown) {
  const char* got = lua_type(L, arg) == LUA_TNONE ? "no value" : luaL_typename(L, arg);
  if (luaL_getmetafield(L, arg, "__name") && lua_type(L, -1) == LUA_TSTRING)
    got = lua_tostring(L, -1);
  raise(L, "bad argument #%d to '%s' (%s expected, got %s)", shown ? shown : arg, function,
        expected, got);
}

core::nanoseconds check_duration(lua_State* L, const char* function, int arg) {
  if (lua_type(L, arg) != LUA_TNUMBER) bad_argument(L, function, arg, "number");
  const double seconds = lua_tonumber(L, arg);
  if (std::isnan(seconds)) raise(L, "bad argument #%d to '%s' (not a number: NaN)", arg, function);
  if (seconds <= 0) return 0;
  if (seconds >= 9.2e9) return core::forever;
  return static_cast<core::nanoseconds>(std::ceil(seconds * 1e9));
}

std::size_t check_capacity(lua_State* L, const char* function, int arg) {
  if (lua_isnoneornil(L, arg)) return 0;
  if (lua_type(L, arg) != LUA_TNUMBER) bad_argument(L, function, arg, "number");
  const double n = lua_tonumber(L, arg);
  if (!(n >= 0) || n != std::floor(n))
    raise(L, "bad argument #%d to '%s' (a capacity is a whole number from 0 up, or math.huge)", arg,
          function);
  return n >= 2147483647.0 ? core::unbounded : static_cast<std::size_t>(n);
}

}  // namespace weft::inline v0::lua
