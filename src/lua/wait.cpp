// SPDX-License-Identifier: MIT
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

WEFT_CONTINUATION(results_stand) { return lua_gettop(L); }
WEFT_CONTINUATION(cancelled_woken) { raise_cancelled(L, s, *s.current); }

}  // namespace

int yield_results(lua_State* L, state& s, fiber& f, int results) {
  if (!can_yield(L, s)) return results;
  f.winner = 0;
  f.closed = false;
  for (int i = lua_gettop(L) - results; i > 0; --i) lua_remove(L, 1);
  s.at().ready(f);
  f.at = L;
  f.in_wait = true;
  f.why = "the run queue";
  f.offered = 0;
  return yield(L, s, has_continuations ? 0 : results, results_stand);
}

int raise_at_next_turn(lua_State* L, state& s, fiber& f) {
  f.winner = core::winner_cancelled;
  return reschedule(L, s, f, false, cancelled_woken);
}

namespace {

/// enter() -> the running fiber if it may complete an operation of Lua's own without waiting: it is
/// not cancelled and has not used up its share. Else nothing: the operation is to be performed.
int wait_enter(lua_State* L) {
  state& s = state_of(L);
  fiber* f = s.current;
  if (!f || f->cancel_pending || (L != f->co && L != s.inner) || !s.at().spend()) return 0;
  retract(*f, s);
  push_handle(L, *f);
  return 1;
}

const luaL_Reg functions[] = {{"enter", wait_enter}, {nullptr, nullptr}};

}  // namespace

void open_wait(lua_State* L) { add_functions(L, functions); }

int push_closed(lua_State* L) {
  lua_pushnil(L);
  lua_pushliteral(L, "closed");
  lua_pushliteral(L, "closed");
  return 3;
}

}  // namespace weft::inline v0::lua
