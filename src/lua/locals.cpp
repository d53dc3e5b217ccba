// SPDX-License-Identifier: MIT
// Where weft.locals keeps the values of a fiber: a table that is never changed, only replaced by a
// changed copy, so that a fiber can share its spawner's. It stands with the fiber's extras; that of
// the code outside any fiber among the anchors.
#include "lua/fiber.hpp"

namespace weft::inline v0::lua {

void open_locals(lua_State* L);

namespace {

bool has_locals(const state& s, const fiber* f) { return f ? f->has_locals : s.outside_locals; }

/// Pushes the table of f, or of the code outside any fiber; it has one.
void push_locals(lua_State* L, const fiber* f) {
  if (!f) return push_anchor(L, anchor_locals);
  push_handle(L, *f);
  push_extras(L, -1, true);
  lua_getfield(L, -1, "locals");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/// Gives f the table on top, and pops it.
void set_locals(lua_State* L, fiber& f) {
  push_handle(L, f);
  push_extras(L, -1, true);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "locals");
  lua_pop(L, 3);
  f.has_locals = true;
}

/// locals() -> the table of the running fiber, or of the code outside, or nil.
int locals_get(lua_State* L) {
  const state& s = state_of(L);
  if (!has_locals(s, s.current)) return 0;
  push_locals(L, s.current);
  return 1;
}

/// set_locals(table)
int locals_set(lua_State* L) {
  state& s = state_of(L);
  lua_settop(L, 1);
  if (s.current) {
    set_locals(L, *s.current);
  } else {
    lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_locals);
    s.outside_locals = true;
  }
  s.notes_spawns = true;
  return 0;
}

const luaL_Reg functions[] = {
    {"locals", locals_get}, {"set_locals", locals_set}, {nullptr, nullptr}};

}  // namespace

void inherit_locals(lua_State* L, state& s, fiber& f) {
  if (!has_locals(s, s.current)) return;
  push_locals(L, s.current);
  set_locals(L, f);
}

void open_locals(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
