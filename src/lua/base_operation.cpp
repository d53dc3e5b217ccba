// SPDX-License-Identifier: MIT
// weft.base_op: operations of the user's own, over two Lua functions. try() completes now or says
// not; block(s, wrap) leaves the suspension s where a partner finds it. The values of a base
// operation begin with the wrap to apply, which lua/weft/operation.lua does.
//
// A suspension is one publication of one arm. It names its fiber's generation, so a late complete()
// is refused; reference 1 is the fiber's handle, which keeps the record alive.
#include <utility>

#include "lua/operation.hpp"
#include "lua/packed.hpp"
#include "lua/shared.hpp"

namespace weft::inline v0::lua {

namespace {

struct suspension {
  fiber* owner;
  std::uint64_t generation;
  std::uint32_t arm;

  bool waits() const noexcept { return owner->generation() == generation && owner->is_waiting(); }
};

constexpr int try_reference = 1;
constexpr int block_reference = 2;
constexpr int wrap_reference = 3;

/// try() may do anything but wait, so there is no cheap way to ask beforehand.
bool base_ready(state&, fiber&, operation&) { return true; }

int base_attempt(lua_State* L, state&, fiber& f, operation&, int index) {
  const int base = lua_gettop(L);
  get_reference(L, index, wrap_reference);
  get_reference(L, index, try_reference);
  f.winner = core::winner_unset;  // an arm whose try raises has not won
  lua_call(L, 0, LUA_MULTRET);
  if (!lua_toboolean(L, base + 2)) {
    lua_settop(L, base);
    return not_ready;
  }
  lua_remove(L, base + 2);
  return lua_gettop(L) - base;
}

void push_suspension(lua_State* L, fiber& f, std::uint32_t arm) {
  auto* s = static_cast<suspension*>(new_userdata(L, sizeof(suspension), 1));
  *s = {&f, f.generation(), arm};
  push_anchor(L, anchor_suspension_mt);
  lua_setmetatable(L, -2);
  push_handle(L, f);
  set_reference(L, -2, 1);
}

/// A block function has raised, or waited: nothing of this wait stays, and its error (on top) goes
/// on.
[[noreturn]] void give_up(lua_State* L, state& s, fiber& f) {
  retract_all(f, s);
  if (f.done && call_done(L, f)) lua_pop(L, 1);
  lua_error(L);
  __builtin_unreachable();
}

/// The block function may try other operations, which retract what the fiber has published: this
/// wait does not count as that until the function has returned.
void base_publish(lua_State* L, state& s, fiber& f, operation&, core::wait_record& r, int index) {
  f.at = L;
  push_anchor(L, anchor_raising);
  const int handler = lua_gettop(L);
  get_reference(L, index, block_reference);
  push_suspension(L, f, r.arm);
  get_reference(L, index, wrap_reference);
  const std::uint64_t generation = f.generation();
  core::wait_record* const arms = std::exchange(f.arms, nullptr);
  shared_arm* const shared = put_shared_aside(s, f);
  f.published = false;
  const bool raised = lua_pcall(L, 2, 0, handler) != 0;
  const bool waited = f.generation() != generation;
  if (waited) retract(f, s);  // one that was refused its yield
  f.arms = arms;
  f.published = true;
  if (shared) put_shared_back(s, f, *shared);
  if (!raised && waited) lua_pushliteral(L, "the block function of a base_op may not wait");
  if (raised || waited) give_up(L, s, f);
  lua_pop(L, 1);
  if (f.is_waiting()) f.closed = false;  // of an operation that it tried
}

/// What complete() has delivered is on top, or kept with the fiber if it came while the fiber ran.
int base_settle(lua_State* L, state&, fiber& f, operation&, int) {
  const int n = f.delivered;
  f.delivered = 0;
  if (n > 0) return n;
  push_handle(L, f);
  push_extras(L, -1, true);
  lua_getfield(L, -1, "stash");
  lua_pushnil(L);
  lua_setfield(L, -3, "stash");
  return unpack(L, "too many values");
}

const operation_kind base_kind = {"its turn",  base_ready, base_attempt, nullptr,
                                  base_settle, not_ready,  false,        false,
                                  false,       false,      base_publish};

/// base_op(try, block, wrap)
int op_base(lua_State* L) {
  state& s = state_of(L);
  lua_settop(L, 3);
  new_operation<operation>(L, s, base_kind, 3);
  for (int i = 1; i <= 3; ++i) {
    lua_pushvalue(L, i);
    set_reference(L, 4, i);
  }
  return 1;
}

// ---- the suspension ----

suspension& check_suspension(lua_State* L, const char* method) {
  auto* s = static_cast<suspension*>(userdata_of(L, state_of(L), 1, anchor_suspension_mt));
  if (!s) bad_argument(L, method, 1, "suspension");
  return *s;
}

int suspension_waiting(lua_State* L) {
  lua_pushboolean(L, check_suspension(L, "waiting").waits());
  return 1;
}

/// The values at 2 .. top, in a table with n, with the fiber.
void stash(lua_State* L, const fiber& f) {
  push_packed(L, 2);
  push_handle(L, f);
  push_extras(L, -1, true);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "stash");
}

/// s:complete(wrap, ...) -> whether this was what ended the wait.
int suspension_complete(lua_State* L) {
  state& s = state_of(L);
  const suspension waiting = check_suspension(L, "complete");
  if (!waiting.waits()) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (lua_gettop(L) == 1) lua_pushnil(L);
  fiber& f = *waiting.owner;
  const int values = lua_gettop(L) - 1;
  const bool running = &f == s.current;
  if (running)
    stash(L, f);
  else if (!lua_checkstack(f.at, values + 4))
    return luaL_error(L, "too many values");
  const bool won = f.complete_at_home(waiting.arm);  // else another thread has, just now
  if (won && !running) {
    if (f.offered) lua_pop(f.at, f.offered);
    f.offered = 0;
    f.delivered = static_cast<std::uint16_t>(values);
    lua_xmove(L, f.at, values);
  }
  if (won) f.home->at->ready(f);  // of a run around this one, maybe
  lua_pushboolean(L, won);
  return 1;
}

/// s:on_done(f): f runs in the performer when the wait is over, however it ends.
int suspension_on_done(lua_State* L) {
  const suspension& waiting = check_suspension(L, "on_done");
  if (lua_type(L, 2) != LUA_TFUNCTION && !luaL_getmetafield(L, 2, "__call"))
    bad_argument(L, "on_done", 2, "function", 1);
  if (waiting.owner->generation() != waiting.generation) return 0;
  lua_pushvalue(L, 2);
  add_done(L, *waiting.owner);
  return 0;
}

int suspension_tostring(lua_State* L) {
  const suspension& waiting = check_suspension(L, "tostring");
  lua_pushfstring(L, "weft.suspension: %s", waiting.waits() ? "waiting" : "over");
  return 1;
}

const luaL_Reg methods[] = {{"waiting", suspension_waiting},
                            {"complete", suspension_complete},
                            {"on_done", suspension_on_done},
                            {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__tostring", suspension_tostring}, {nullptr, nullptr}};
const luaL_Reg functions[] = {{"base_op", op_base}, {nullptr, nullptr}};

}  // namespace

void add_done(lua_State* L, fiber& f) {
  push_anchor(L, anchor_done);
  lua_insert(L, -2);
  if (!f.done) {
    f.done = luaL_ref(L, -2);
    return lua_pop(L, 1);
  }
  lua_rawgeti(L, -2, f.done);
  if (!f.many_done) {  // a list takes the place of the only one
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, f.done);
    f.many_done = true;
  }
  lua_insert(L, -2);
  lua_rawseti(L, -2, static_cast<int>(lua_rawlen(L, -2)) + 1);
  lua_pop(L, 2);
}

bool call_done(lua_State* L, fiber& f) {
  const int top = lua_gettop(L);
  push_anchor(L, anchor_done);
  lua_rawgeti(L, -1, f.done);
  luaL_unref(L, -2, f.done);
  lua_remove(L, -2);
  f.done = 0;
  const bool many = f.many_done;
  f.many_done = false;
  if (!many) return lua_pcall(L, 0, 0, 0) != 0;
  const int n = static_cast<int>(lua_rawlen(L, -1));
  for (int i = 1; i <= n; ++i) {
    lua_rawgeti(L, top + 1, i);
    if (lua_pcall(L, 0, 0, 0) == 0) continue;
    if (lua_gettop(L) > top + 2) lua_pop(L, 1);  // only the first error counts
  }
  lua_remove(L, top + 1);
  return lua_gettop(L) > top;
}

void run_done(lua_State* L, fiber& f) {
  if (call_done(L, f)) lua_error(L);
}

void open_base_operations(lua_State* L) {
  add_type(L, anchor_suspension_mt, "weft.suspension", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
