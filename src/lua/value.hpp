// SPDX-License-Identifier: MIT
// Values that leave a Lua state or come into one: weft::value from and to Lua. What cannot leave is
// refused with what it was.
#pragma once

#include "lua/arguments.hpp"
#include "weft/shared_channel.hpp"
#include "weft/value.hpp"

namespace weft::inline v0::lua {

/// What the value at index is, if it cannot leave the state; else null. Stays on the stack of L.
const char* unfit(lua_State* L, state& s, int index);
/// Raises unless the value at arg can leave: "argument 1: a function cannot be sent through a
/// shared channel". shown: the number of the argument for the user.
void check_fit(lua_State* L, state& s, int arg, int shown);
/// The value at index, which is fit. Raises nothing; throws std::bad_alloc.
value value_at(lua_State* L, state& s, int index);

/// Pushes a value. May raise for want of memory; needs 4 places on the stack.
void push_value(lua_State* L, const value& v);

/// The shared channel at arg, or null; the userdata holds a reference.
shared_channel* shared_channel_at(lua_State* L, state& s, int arg);

/// A shared object in this state: the userdata is one reference, till its __gc. Its reference 1 is
/// free for the type.
struct held_object {
  shared_object* object;
};
/// Pushes an empty one, whose object is to be set.
held_object& new_held(lua_State* L, anchor type);
/// The object is set: whenever it is pushed again, it is this userdata, at the top now.
void know_held(lua_State* L, const held_object& held);
int held_gc(lua_State* L);

void open_values(lua_State* L);

}  // namespace weft::inline v0::lua
