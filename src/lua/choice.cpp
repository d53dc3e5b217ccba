// SPDX-License-Identifier: MIT
// choose, wrap, or_else, always and never. A choice is flattened when it is built: nested choices
// give their arms, and a wrap is distributed over them, so that perform sees one flat list.
#include "lua/operation.hpp"
#include "lua/packed.hpp"

namespace weft::inline v0::lua {

namespace {

[[noreturn]] void unreachable_kind() { __builtin_unreachable(); }

bool never_ready(state&, fiber&, operation&) { return false; }
bool always_ready(state&, fiber&, operation&) { return true; }
void publish_nowhere(state&, fiber&, operation&, core::wait_record&) {}

/// The values are an array with n in reference 1.
int give_values(lua_State* L, state&, fiber&, operation&, int index) {
  get_reference(L, index, 1);
  return unpack(L, "too many values");
}
int never_settles(lua_State*, state&, fiber&, operation&, int) { unreachable_kind(); }

const operation_kind always_kind = {"nothing", always_ready, give_values, publish_nowhere,
                                    give_values};
const operation_kind never_kind = {"an event that never comes", never_ready, never_settles,
                                   publish_nowhere, never_settles};

int op_always(lua_State* L) {
  push_packed(L, 1);
  new_operation<operation>(L, state_of(L), always_kind, 1);
  lua_insert(L, -2);
  set_reference(L, -2, 1);
  return 1;
}

int op_never(lua_State* L) {
  new_operation<operation>(L, state_of(L), never_kind, 0);
  return 1;
}

std::uint32_t arms_of(const operation& o) {
  return o.kind == &choice_kind ? static_cast<const choice&>(o).count : 1;
}

/// A choice of n arms on top of the stack, its references table behind it.
choice& new_choice(lua_State* L, std::uint32_t n) {
  const std::size_t size = sizeof(choice) + (n > 1 ? n - 1 : 0) * sizeof(choice_arm);
  auto* c = static_cast<choice*>(new_userdata_with_table(L, size, static_cast<int>(n)));
  c->kind = &choice_kind;
  c->count = n;
  c->has_default = false;
  c->simple = true;
  c->offers = false;
  c->dynamic = false;
  c->in_lua = false;
  c->shared = false;
  push_anchor(L, anchor_operation_mt);
  lua_setmetatable(L, -3);
  return *c;
}

/// Appends the arms of the operation at `from`, with their wraps and default, to the choice whose
/// references table is at `table`.
void append(lua_State* L, choice& into, int table, std::uint32_t& filled, int from) {
  auto& o = *static_cast<operation*>(lua_touserdata(L, from));
  if (o.kind != &choice_kind) {
    into.arms[filled] = {&o, false};
    into.simple = into.simple && o.kind->simple >= 0;
    into.offers = into.offers || o.kind->offers;
    into.dynamic = into.dynamic || o.kind->dynamic;
    into.in_lua = into.in_lua || o.kind->publish_in_lua;
    into.shared = into.shared || o.kind->shared;
    lua_pushvalue(L, from);
    lua_rawseti(L, table, static_cast<int>(++filled));
    return;
  }
  auto& inner = static_cast<choice&>(o);
  push_table_of(L, from);
  const int theirs = lua_gettop(L);
  if (inner.has_default) {
    into.has_default = true;
    lua_rawgeti(L, theirs, 0);
    lua_rawseti(L, table, 0);
  }
  into.simple = into.simple && inner.simple;
  into.offers = into.offers || inner.offers;
  into.dynamic = into.dynamic || inner.dynamic;
  into.in_lua = into.in_lua || inner.in_lua;
  into.shared = into.shared || inner.shared;
  for (std::uint32_t i = 0; i < inner.count; ++i) {
    into.arms[filled] = inner.arms[i];
    lua_rawgeti(L, theirs, static_cast<int>(i + 1));
    lua_rawseti(L, table, static_cast<int>(filled + 1));
    if (inner.arms[i].wrapped) {
      lua_rawgeti(L, theirs, static_cast<int>(inner.count + i + 1));
      lua_rawseti(L, table, static_cast<int>(into.count + filled + 1));
    }
    ++filled;
  }
  lua_pop(L, 1);
}

/// The operations at base + 1 ... top.
struct operands {
  int base;
  int n;
};

/// choose(op, ...) or choose{ op, ... }: puts the operations of the table behind it.
operands spread(lua_State* L) {
  const int top = lua_gettop(L);
  if (top != 1 || lua_type(L, 1) != LUA_TTABLE) return {0, top};
  const int n = static_cast<int>(lua_rawlen(L, 1));
  if (n > LUA_MINSTACK / 2) luaL_checkstack(L, n + 8, "too many operations");
  for (int i = 1; i <= n; ++i) lua_rawgeti(L, 1, i);
  return {1, n};
}

// Most choices are built anew for each perform, from operations that are the same each time
// (channel:get_op()). A choice is immutable, so the one built before serves, while it lives.

std::size_t built_place(const void* first, const void* last, int n) {
  const auto bits =
      reinterpret_cast<std::uintptr_t>(first) + reinterpret_cast<std::uintptr_t>(last);
  return ((bits >> 4) ^ (bits >> 10) ^ static_cast<std::size_t>(n)) % state::built_size;
}

/// Pushes the choice of just these arms that has been built before. False: nothing is pushed.
bool push_built(lua_State* L, operands arms, std::size_t place) {
  push_anchor(L, anchor_choices);
  lua_rawgeti(L, -1, static_cast<int>(place + 1));
  const auto* c = static_cast<const choice*>(lua_touserdata(L, -1));
  int same = 0;
  if (c && c->count == static_cast<std::uint32_t>(arms.n))
    while (same < arms.n && c->arms[same].leaf == lua_touserdata(L, arms.base + same + 1)) ++same;
  if (same == arms.n) return true;
  lua_pop(L, 2);
  return false;
}

/// The choice is at the top.
void keep_built(lua_State* L, state& s, const choice& c, std::size_t place) {
  for (std::uint32_t i = 0; i < c.count; ++i)
    if (!c.arms[i].leaf->kind->lasting) return;
  push_anchor(L, anchor_choices);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, static_cast<int>(place + 1));
  lua_pop(L, 1);
  s.built_choices[place] = c.arms[0].leaf;
}

int op_choose(lua_State* L) {
  state& s = state_of(L);
  const operands arms = spread(L);
  if (arms.n == 0) raise(L, "bad argument #1 to 'choose' (operation expected, got no value)");
  const void* first = lua_touserdata(L, arms.base + 1);
  const std::size_t place = built_place(first, lua_touserdata(L, -1), arms.n);
  if (s.built_choices[place] == first && push_built(L, arms, place)) return 1;
  std::uint32_t count = 0;
  int defaults = 0;
  bool flat = true;
  for (int i = 1; i <= arms.n; ++i) {
    operation* o = operation_at(L, s, arms.base + i);
    if (!o) bad_argument(L, "choose", arms.base + i, "operation", i);
    count += arms_of(*o);
    if (o->kind != &choice_kind) continue;
    flat = false;
    defaults += static_cast<choice*>(o)->has_default;
  }
  if (defaults > 1) raise(L, "a choice with two defaults (or_else)");
  choice& c = new_choice(L, count);
  const int made = arms.base + arms.n + 1;
  std::uint32_t filled = 0;
  for (int i = 1; i <= arms.n; ++i) append(L, c, made + 1, filled, arms.base + i);
  lua_settop(L, made);
  if (flat) keep_built(L, s, c, place);
  return 1;
}

/// Appends the function at `f` to the chain at `place` of the table at `table`: nil, a function, or
/// an array of functions. Chains are shared between operations, so an array is copied.
void extend_chain(lua_State* L, int table, int place, int f) {
  lua_rawgeti(L, table, place);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushvalue(L, f);
  } else {
    const bool array = lua_type(L, -1) == LUA_TTABLE;
    const int n = array ? static_cast<int>(lua_rawlen(L, -1)) : 1;
    lua_createtable(L, n + 1, 0);
    for (int i = 1; i <= n; ++i) {
      if (array)
        lua_rawgeti(L, -2, i);
      else
        lua_pushvalue(L, -2);
      lua_rawseti(L, -2, i);
    }
    lua_pushvalue(L, f);
    lua_rawseti(L, -2, n + 1);
    lua_remove(L, -2);
  }
  lua_rawseti(L, table, place);
}

void check_function(lua_State* L, const char* method) {
  if (!operation_at(L, state_of(L), 1)) bad_argument(L, method, 1, "operation");
  if (lua_type(L, 2) != LUA_TFUNCTION) bad_argument(L, method, 2, "function", 1);
  lua_settop(L, 2);
}

/// op, f: a copy of op at 3 with its references at 4; the number of arms.
choice& copy(lua_State* L) {
  choice& c = new_choice(L, arms_of(*static_cast<operation*>(lua_touserdata(L, 1))));
  std::uint32_t filled = 0;
  append(L, c, 4, filled, 1);
  return c;
}

int op_wrap(lua_State* L) {
  check_function(L, "wrap");
  choice& c = copy(L);
  c.simple = false;
  for (std::uint32_t i = 0; i < c.count; ++i) {
    c.arms[i].wrapped = true;
    extend_chain(L, 4, static_cast<int>(c.count + i + 1), 2);
  }
  if (c.has_default) extend_chain(L, 4, 0, 2);
  lua_settop(L, 3);
  return 1;
}

int op_or_else(lua_State* L) {
  check_function(L, "or_else");
  choice& c = copy(L);
  if (c.has_default) raise(L, "a choice with two defaults (or_else)");
  c.has_default = true;
  lua_pushvalue(L, 2);
  lua_rawseti(L, 4, 0);
  lua_settop(L, 3);
  return 1;
}

/// dynamic(node): an operation that dynamic.lua makes up from the node at each perform.
bool dynamic_ready(state&, fiber&, operation&) { return false; }
const operation_kind dynamic_kind = {"a guard",     dynamic_ready, never_settles, publish_nowhere,
                                     never_settles, not_ready,     false,         false,
                                     false,         true};

int op_dynamic(lua_State* L) {
  lua_settop(L, 1);
  new_operation<operation>(L, state_of(L), dynamic_kind, 1);
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  return 1;
}

/// arms(op) -> n, its leaves and wraps as choice keeps them, node of a dynamic leaf. For a leaf: 1,
/// nil, its node or nil.
int op_arms(lua_State* L) {
  operation* o = operation_at(L, state_of(L), 1);
  if (!o) bad_argument(L, "perform", 1, "operation");
  lua_pushinteger(L, static_cast<lua_Integer>(arms_of(*o)));
  if (o->kind == &choice_kind)
    push_table_of(L, 1);
  else if (o->kind == &dynamic_kind)
    get_reference(L, 1, 1);
  else
    lua_pushnil(L);
  if (o->kind == &dynamic_kind) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 3;
  }
  return 2;
}

const luaL_Reg functions[] = {
    {"dynamic", op_dynamic}, {"arms", op_arms},     {"choose", op_choose}, {"wrap", op_wrap},
    {"or_else", op_or_else}, {"always", op_always}, {"never", op_never},   {nullptr, nullptr}};

}  // namespace

const operation_kind choice_kind = {"a choice", nullptr, nullptr, nullptr, nullptr};

void open_choices(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
