// SPDX-License-Identifier: MIT
// What the functions have in common that may wait for one thing without an operation object (get,
// put, read, write): publish one record, share the worker, and raise a cancellation.
#pragma once

#include "lua/fiber.hpp"

namespace weft::inline v0::lua {

/// The record of a wait for one thing; the caller links it where it will be found.
inline core::wait_record& begin_single(fiber& f) noexcept {
  begin(f);
  f.record.owner = &f;
  f.record.arm = 0;
  f.record.slot = 1;
  return f.record;
}

/// A function that has completed without waiting returns through here, its results on top (on 5.1
/// the status first): a fiber that never waits goes behind the others now and then.
int yield_results(lua_State* L, state& s, fiber& f, int results);
inline int spend(lua_State* L, state& s, fiber& f, int results) {
  if (s.at().spend()) [[likely]]
    return results;
  return yield_results(L, s, f, results);
}

/// A cancelled fiber raises at its next perform, after one trip through the run queue.
int raise_at_next_turn(lua_State* L, state& s, fiber& f);

/// After a wait for one thing: a cancellation raises; true if what it waited for was closed.
inline bool woken_by_close(lua_State* L, state& s, fiber& f) {
  if (f.winner == core::winner_cancelled) [[unlikely]]
    raise_cancelled(L, s, f);
  return f.closed;
}

/// nil, "closed", "closed"; returns 3.
int push_closed(lua_State* L);

}  // namespace weft::inline v0::lua
