// SPDX-License-Identifier: MIT
// The bytes that a Lua value stands for as a request: of a string or a number; of a buffer, which
// lends them; none of nil.
#pragma once

#include "foreign/call.hpp"
#include "lua/arguments.hpp"

namespace weft::inline v0::lua {

/// Raises if it is no request; shown as argument #1 of a method.
void check_request(lua_State* L, state& s, const char* method, int arg);

/// The same, and the bytes: of a string they are valid while it is on the stack.
foreign::request request_at(lua_State* L, state& s, const char* method, int arg);

}  // namespace weft::inline v0::lua
