// SPDX-License-Identifier: MIT
// Functions of C++ in Lua (weft/native_function.hpp).
#pragma once

#include "lua/state.hpp"
#include "weft/native_function.hpp"

namespace weft::inline v0::lua {

/// Pushes the function. May raise.
void push_native(lua_State* L, native_function& f);

void open_natives(lua_State* L);

}  // namespace weft::inline v0::lua
