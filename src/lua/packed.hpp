// SPDX-License-Identifier: MIT
// Values in a table, with their number in n: nils are kept.
#pragma once

#include "lua/compat.hpp"

namespace weft::inline v0::lua {

/// Pushes a table of the values at first .. top. May raise.
void push_packed(lua_State* L, int first);
/// Puts its values in place of such a table on top: their number. Raises `too_many` where there is
/// no room for them.
int unpack(lua_State* L, const char* too_many);

}  // namespace weft::inline v0::lua
