// SPDX-License-Identifier: MIT
// Argument checks with the standard wording, at the line of the user's call: frames of lua/weft
// between the user and the C function are passed over.
#pragma once

#include "lua/state.hpp"
#include "weft/core/seams.hpp"

namespace weft::inline v0::lua {

/// Raises a message as of lua_pushfstring with the position of the user's call in front.
[[noreturn]] void raise(lua_State* L, const char* format, ...);
/// shown: the number of the argument for the user, who does not count the object of a method.
[[noreturn]] void bad_argument(lua_State* L, const char* function, int arg, const char* expected,
                               int shown = 0);

/// The userdata at arg if its metatable is the anchored one, else null. Compares the metatable
/// itself: no input makes it read foreign memory.
inline void* userdata_of(lua_State* L, state& s, int arg, anchor type) {
  void* p = lua_touserdata(L, arg);
  if (!p || !lua_getmetatable(L, arg)) return nullptr;
  const bool same = lua_topointer(L, -1) == s.metatables[type];
  lua_pop(L, 1);
  return same ? p : nullptr;
}

/// Seconds at arg as a duration: NaN is refused, negative is zero, math.huge is for ever.
core::nanoseconds check_duration(lua_State* L, const char* function, int arg);

/// The capacity of a channel at arg: nothing or 0 is a rendezvous, math.huge has no bound.
std::size_t check_capacity(lua_State* L, const char* function, int arg);

}  // namespace weft::inline v0::lua
