// SPDX-License-Identifier: MIT
// Files of the io library: their descriptor, and what stdio has read ahead of the program.
#pragma once

#include <cstddef>
#include <cstdio>

#include "lua/compat.hpp"

namespace weft::inline v0::lua {

/// The body of such a file's userdata.
struct lua_file {
  std::FILE* stream;  // 5.1, LuaJIT: null when closed
#if LUA_VERSION_NUM >= 502
  lua_CFunction close;  // null when closed
#endif
};

/// The file at index, or null: something else.
const lua_file* file_at(lua_State* L, int index);

bool is_open(const lua_file& f) noexcept;
/// Of an open file.
int descriptor_of(const lua_file& f) noexcept;
/// Bytes that have been read from the descriptor and not by the program; 0 where the C library does
/// not tell.
std::size_t bytes_ahead(const lua_file& f) noexcept;

}  // namespace weft::inline v0::lua
