// SPDX-License-Identifier: MIT
// A state that somebody else's main loop drives: weft.embed, and the descriptor that such a loop
// watches.
#pragma once

#include "lua/state.hpp"

namespace weft::inline v0::lua {

/// The state's worker is about to be driven, or is left to itself again, with its descriptor saying
/// when it wants to be driven. For a worker that no descriptor was asked of they do nothing.
void end_rest(state& s) noexcept;
void begin_rest(state& s) noexcept;

/// The state is being closed or detached.
void close_loop(state& s) noexcept;

}  // namespace weft::inline v0::lua
