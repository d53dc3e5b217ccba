// SPDX-License-Identifier: MIT
// Lua's local channel: core::channel without a lock, whose values move by lua_xmove from stack to
// stack. What is buffered sits in a ring in the channel's reference 1 (a table, made when the first
// value is stored); reference 2 is its get operation, built once.
#pragma once

#include "lua/operation.hpp"
#include "weft/core/channel.hpp"

namespace weft::inline v0::lua {

struct channel : core::channel<core::no_lock> {
  using core::channel<core::no_lock>::channel;

  bool collected = false;   // its __gc has run
  bool has_get_op = false;  // it keeps one
  std::uint32_t head = 0;   // slot of the oldest value
  std::uint32_t slots = 0;  // of the ring: a power of two, at most what the capacity needs
};

void open_channels(lua_State* L);

}  // namespace weft::inline v0::lua
