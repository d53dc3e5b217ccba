// SPDX-License-Identifier: MIT
// Watching fibers that do not wait: the watchdog names one, preempt sends it behind the others, and
// a dump is printed even while one spins. All three work by Lua's hooks, so not inside C functions,
// and on LuaJIT not inside compiled traces.
#pragma once

#include "lua/fiber.hpp"

namespace weft::inline v0::lua {

/// What { watchdog = seconds, preempt = seconds } at index says; nil: nothing.
watch_options read_watch(lua_State* L, int index);

/// The fiber is about to run: sets the hook, and the time that it counts from.
void begin_watch(state& s, fiber& f);

/// Asks for a dump of all fibers to stderr: at once if a fiber runs, else at the next turn.
/// Async-signal-safe on the thread that drives the state.
void request_dump() noexcept;
/// The state is closing: a signal that comes later finds none.
void forget_dumps(state& s) noexcept;
/// True once for each request.
bool take_dump_request() noexcept;
void dump(state& s);

}  // namespace weft::inline v0::lua
