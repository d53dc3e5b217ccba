// SPDX-License-Identifier: MIT
// weft.buffer: bytes outside the collector. A buffer refers to a counted block; a slice shares it.
// Whoever changes bytes that are shared makes a copy first, so a buffer is a value: no change shows
// in another. A foreign library that has a request lent to it may change it, so it is lent bytes
// that nobody else shares.
#pragma once

#include <cstddef>

#include "lua/arguments.hpp"

namespace weft::inline v0::lua {

struct byte_block;

struct buffer {
  byte_block* block = nullptr;  // null: no bytes yet
  std::size_t first = 0;        // where they begin in it
  std::size_t size = 0;
};

inline buffer* buffer_at(lua_State* L, state& s, int arg) {
  return static_cast<buffer*>(userdata_of(L, s, arg, anchor_buffer_mt));
}

/// Room for n more bytes behind those that are there, the buffer's alone; null: not enough memory.
char* reserve(buffer& b, std::size_t n) noexcept;
/// The first n bytes of the room are part of the buffer now.
void extend(buffer& b, std::size_t n) noexcept;

const char* bytes_of(const buffer& b) noexcept;
/// The bytes of the string, number (which becomes a string) or buffer at index; null: of another
/// type. Valid while that is on the stack, a buffer's until it is used.
inline const char* bytes_at(lua_State* L, state& s, int index, std::size_t& size) {
  const buffer* b = lua_isuserdata(L, index) ? buffer_at(L, s, index) : nullptr;
  if (!b) return lua_tolstring(L, index, &size);
  size = b->size;
  return bytes_of(*b);
}
/// Puts in place of a buffer at index (from the bottom) one that nothing changes any more.
void fix_bytes(lua_State* L, state& s, int index);
/// Shares the bytes, which nobody else does then and a NUL follows, with a holder that may write
/// into them: release(holder), on any thread. Null: not enough memory. Of a buffer that has a
/// block.
void* lend(buffer& b) noexcept;
void release(void* holder) noexcept;

void open_buffers(lua_State* L);

}  // namespace weft::inline v0::lua
