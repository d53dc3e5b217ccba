// SPDX-License-Identifier: MIT
#include "lua/arguments.hpp"

#include <cmath>
#include <cstdarg>
#include <cstring>

#include "weft/core/channel.hpp"

namespace weft::inline v0::lua {

namespace {

bool is_ours(const state& s, const char* source) {
  for (const char* home : s.homes)
    if (home[0] && std::strncmp(source, home, std::strlen(home)) == 0) return true;
  return false;
}

/// Pushes the position of the innermost Lua function on the stack of `at` that is not one of
/// lua/weft's; false if there is none.
bool push_position_on(lua_State* L, lua_State* at, int level, const state& s) {
  lua_Debug frame;
  for (; lua_getstack(at, level, &frame); ++level) {
    lua_getinfo(at, "Sl", &frame);
    if (frame.currentline <= 0) continue;
    if (is_ours(s, frame.source)) continue;
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

/// Pushes the position of the user's call, with ": " behind it, or "".
void push_position(lua_State* L) {
  const state& s = state_of(L);
  if (push_position_on(L, L, 1, s)) return;
  for (lua_State* at = caller_of(L, L); at; at = caller_of(L, at))
    if (push_position_on(L, at, 0, s)) return;
  lua_pushliteral(L, "");
}

/// add_home(source): what the source of each function in a directory of ours begins with.
int add_home(lua_State* L) {
  std::size_t n = 0;
  const char* source = luaL_checklstring(L, 1, &n);
  for (auto& home : state_of(L).homes) {
    if (home[0] && std::strcmp(home, source) != 0) continue;
    if (n < sizeof home) std::memcpy(home, source, n + 1);
    break;
  }
  return 0;
}

/// is_ours(source): of a function that no message shows the user.
int source_is_ours(lua_State* L) {
  lua_pushboolean(L, is_ours(state_of(L), luaL_checkstring(L, 1)));
  return 1;
}

/// user_line() -> "file:line" of the user's call, or nil.
int user_line(lua_State* L) {
  push_position(L);
  std::size_t n = 0;
  const char* position = lua_tolstring(L, -1, &n);
  if (n < 2) return 0;
  lua_pushlstring(L, position, n - 2);
  return 1;
}

/// misuse(message): raises at the user's line.
int misuse(lua_State* L) { raise(L, "%s", luaL_checkstring(L, 1)); }

const luaL_Reg functions[] = {{"add_home", add_home},
                              {"is_ours", source_is_ours},
                              {"user_line", user_line},
                              {"misuse", misuse},
                              {nullptr, nullptr}};

}  // namespace

void open_arguments(lua_State* L) { add_functions(L, functions); }

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
