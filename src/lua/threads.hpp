// SPDX-License-Identifier: MIT
// threads: the Lua threads that fibers run on. Finished ones serve the next fibers: that makes a
// spawn several times cheaper. Each has a slot of anchor_threads, spare or not.
#pragma once

#include "lua/fiber.hpp"
#include "lua/state.hpp"

namespace weft::inline v0::lua {

/// The thread of the next fiber: it stays on the list of spare ones until the spawn takes it off,
/// so that an error in between loses nothing. May raise.
spare_thread peek_thread(lua_State* L, state& s);
/// Gives the slot of an ended fiber back. Allocates nothing, so it cannot raise.
void give_back(state& s, fiber& f, int status);

/// Whether most slots are empty: after a burst.
bool is_sparse(const state& s);
/// The worker has nothing ready: gives the threads of a burst of fibers back to the collector.
void compact_threads(state& s);
/// Pushes the function that does it, for the frame that drives.
void push_compact(lua_State* L);

}  // namespace weft::inline v0::lua
