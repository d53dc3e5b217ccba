// SPDX-License-Identifier: MIT
#include "lua/channel.hpp"

#include <cmath>

#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

// The table of a channel (push_table_of) is its ring. Its one get operation is user value 2, or at
// 0 of the table where the Lua has only that.
constexpr int get_op_value = 2;

/// What is pushed below lies there: where returning drops it.
void push_get_op(lua_State* L, int self) {
  if constexpr (has_user_values) return get_reference(L, self, get_op_value);
  push_table_of(L, self);
  lua_rawgeti(L, -1, 0);
}
/// Keeps the operation on top.
void set_get_op(lua_State* L, int self) {
  if constexpr (has_user_values) {
    lua_pushvalue(L, -1);
    return set_reference(L, self, get_op_value);
  }
  push_table_of(L, self);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 0);
  lua_pop(L, 1);
}

/// Moves the value on top of its own stack, for the channel at `self`. Nothing here allocates but
/// store(), which does so before anything has changed. Below what it leaves may be the ring, where
/// returning drops it.
struct mover {
  lua_State* L;
  channel& ch;
  int self;
  bool framed = false;  // 5.1: a Lua frame takes the status first

  /// The getter's stack gets the value; what it offered itself in other arms goes first.
  void give(core::wait_record& r) {
    auto& getter = static_cast<fiber&>(*r.owner);
    drop_offers(getter);
    lua_xmove(L, getter.at, 1);
  }
  void take(core::wait_record& r) {
    if (framed) push_status(L, true);
    pull(r);
  }
  // Its own worker: under weft.test in a fiber that is not the one of this run.
  static void wake(core::task& partner) { static_cast<fiber&>(partner).home->at->ready(partner); }

  void store() {
    if (ch.size() == ch.slots) grow();
    push_table_of(L, self);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, place(ch.size()));
  }
  void load() {
    push_table_of(L, self);
    if (framed) push_status(L, true);
    const int ring = framed && !has_continuations ? -2 : -1;
    lua_rawgeti(L, ring, place(0));
    if (lua_type(L, -1) >= LUA_TSTRING) {  // the ring must not keep it alive
      lua_pushnil(L);
      lua_rawseti(L, ring - 2, place(0));
    }
    ch.head = (ch.head + 1) & (ch.slots - 1);
  }
  void refill(core::wait_record& r) {
    push_table_of(L, self);
    pull(r);
    lua_rawseti(L, -2, place(ch.size()));
    lua_pop(L, 1);
  }

  static void drop_offers(fiber& f) {
    if (f.offered) lua_pop(f.at, f.offered);
    f.offered = 0;
  }

 private:
  int place(std::size_t i) const { return static_cast<int>(((ch.head + i) & (ch.slots - 1)) + 1); }

  void pull(core::wait_record& r) {
    auto& putter = static_cast<fiber&>(*r.owner);
    if (putter.offered > 1)
      lua_pushvalue(putter.at, -putter.offered + static_cast<int>(r.slot) - 1);
    else
      putter.offered = 0;
    lua_xmove(putter.at, L, 1);
  }

  /// Doubles the ring, and straightens it so that it begins at slot 0.
  void grow() {
    const std::uint32_t slots = ch.slots ? ch.slots * 2 : 4;
    lua_createtable(L, static_cast<int>(slots), 0);
    if (ch.slots || !has_user_values) {
      push_table_of(L, self);
      for (std::size_t i = 0; i < ch.size(); ++i) {
        lua_rawgeti(L, -1, place(i));
        lua_rawseti(L, -3, static_cast<int>(i + 1));
      }
      if constexpr (!has_user_values) {
        lua_rawgeti(L, -1, 0);
        lua_rawseti(L, -3, 0);
      }
      lua_pop(L, 1);
    }
    set_table_of(L, self);
    ch.slots = slots;
    ch.head = 0;
  }
};

struct channel_operation : operation {
  channel* ch;  // reference 1 keeps it
};

const void*& known_place(state& s, const void* p) {
  return s.known_channels[(reinterpret_cast<std::uintptr_t>(p) >> 5) % state::known_size];
}

[[gnu::noinline]] channel& check_unknown(lua_State* L, state& s, const char* method) {
  auto* ch = static_cast<channel*>(userdata_of(L, s, 1, anchor_channel_mt));
  if (!ch) bad_argument(L, method, 1, "channel");
  if (!ch->collected) known_place(s, ch) = ch;
  return *ch;
}

channel& check_channel(lua_State* L, state& s, const char* method) {
  void* p = lua_touserdata(L, 1);
  if (p && known_place(s, p) == p) [[likely]]
    return *static_cast<channel*>(p);
  return check_unknown(L, s, method);
}

int channel_gc(lua_State* L) {
  state& s = state_of(L);
  auto* ch = static_cast<channel*>(lua_touserdata(L, 1));
  ch->collected = true;
  if (known_place(s, ch) == ch) known_place(s, ch) = nullptr;
  return 0;
}

[[noreturn]] void put_to_closed(lua_State* L) { raise(L, "put to a closed channel"); }

// ---- the operations ----

bool get_ready(state&, fiber&, operation& o) {
  return static_cast<channel_operation&>(o).ch->can_get();
}
int get_attempt(lua_State* L, state&, fiber&, operation& o, int index) {
  channel& ch = *static_cast<channel_operation&>(o).ch;
  get_reference(L, index, 1);
  const int self = lua_gettop(L);
  switch (ch.try_get(mover{L, ch, self})) {
    case core::pass::done:
      lua_replace(L, self);
      lua_settop(L, self);
      return 1;
    case core::pass::closed: lua_settop(L, self - 1); return push_closed(L);
    default: return not_ready;
  }
}
void get_publish(state&, fiber&, operation& o, core::wait_record& r) {
  static_cast<channel_operation&>(o).ch->publish_get(r);
}
int get_settle(lua_State* L, state&, fiber& f, operation&, int) {
  return f.closed ? push_closed(L) : 1;
}

bool put_ready(state&, fiber&, operation& o) {
  return static_cast<channel_operation&>(o).ch->can_put();
}
int put_attempt(lua_State* L, state&, fiber&, operation& o, int index) {
  channel& ch = *static_cast<channel_operation&>(o).ch;
  get_reference(L, index, 1);
  const int self = lua_gettop(L);
  get_reference(L, index, 2);
  switch (ch.try_put(mover{L, ch, self})) {
    case core::pass::done:
      lua_settop(L, self);
      lua_pushboolean(L, 1);
      lua_replace(L, self);
      return 1;
    case core::pass::closed: put_to_closed(L);
    default: return not_ready;
  }
}
void put_publish(state&, fiber&, operation& o, core::wait_record& r) {
  static_cast<channel_operation&>(o).ch->publish_put(r);
}
int put_settle(lua_State* L, state&, fiber& f, operation&, int) {
  if (f.closed) put_to_closed(L);
  lua_pushboolean(L, 1);
  return 1;
}

const operation_kind get_kind = {"to get from a channel",
                                 get_ready,
                                 get_attempt,
                                 get_publish,
                                 get_settle,
                                 1,
                                 false,
                                 false,
                                 true};
const operation_kind put_kind = {
    "to put to a channel", put_ready, put_attempt, put_publish, put_settle, not_ready, true};

int channel_get_op(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "get_op");
  if (ch.has_get_op) {
    push_get_op(L, 1);
    return 1;
  }
  new_operation<channel_operation>(L, s, get_kind, 1).ch = &ch;
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  set_get_op(L, 1);
  ch.has_get_op = true;
  return 1;
}

int channel_put_op(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "put_op");
  lua_settop(L, 2);
  new_operation<channel_operation>(L, s, put_kind, 2).ch = &ch;
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  lua_pushvalue(L, 2);
  set_reference(L, -2, 2);
  return 1;
}

// ---- the blocking methods, without an operation ----

WEFT_CONTINUATION(get_woken) { return woken_by_close(L, s, *s.current) ? push_closed(L) : 1; }

/// 5.1: the frame asks finish_get for the rest.
int closed_at_once(lua_State* L, fiber& f) {
  if constexpr (has_continuations) return push_closed(L);
  f.winner = 0;
  f.closed = true;
  lua_pushboolean(L, 0);
  return 1;
}

int channel_get(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "get");
  fiber& f = running_fiber(L, s, "get");
  retract(f, s);
  if (f.cancel_pending) [[unlikely]]
    return raise_at_next_turn(L, s, f);
  switch (ch.try_get(mover{L, ch, 1, true})) {
    case core::pass::done: return spend(L, s, f, has_continuations ? 1 : 2);
    case core::pass::closed: return closed_at_once(L, f);
    default: break;
  }
  push_status(L, true);
  ch.publish_get(begin_single(f));
  return park(L, s, f, get_kind.waits_for, 0, get_woken);
}

WEFT_CONTINUATION(put_woken) {
  if (woken_by_close(L, s, *s.current)) put_to_closed(L);
  lua_pushboolean(L, 1);
  return 1;
}

int channel_put(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "put");
  fiber& f = running_fiber(L, s, "put");
  retract(f, s);
  if (f.cancel_pending) [[unlikely]]
    return raise_at_next_turn(L, s, f);
  if (lua_gettop(L) != 2) lua_settop(L, 2);
  switch (ch.try_put(mover{L, ch, 1})) {
    case core::pass::done: lua_pushboolean(L, 1); return spend(L, s, f, 1);
    case core::pass::closed: put_to_closed(L);
    default: break;
  }
  if constexpr (!has_continuations) {
    push_status(L, true);
    lua_pushvalue(L, 2);
  }
  ch.publish_put(begin_single(f));
  return park(L, s, f, put_kind.waits_for, 1, put_woken);
}

/// 5.1: after get or put has waited and not simply succeeded.
int channel_finish_get(lua_State* L) {
  state& s = state_of(L);
  woken_by_close(L, s, *s.current);
  return push_closed(L);
}
int channel_finish_put(lua_State* L) {
  state& s = state_of(L);
  woken_by_close(L, s, *s.current);
  put_to_closed(L);
}

// ---- the rest ----

int channel_try_get(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "try_get");
  lua_settop(L, 1);
  switch (ch.try_get(mover{L, ch, 1})) {
    case core::pass::done:
      lua_pushboolean(L, 1);
      lua_insert(L, -2);
      return 2;
    case core::pass::closed: lua_pushboolean(L, 1); return 1 + push_closed(L);
    default: lua_pushboolean(L, 0); return 1;
  }
}

int channel_try_put(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "try_put");
  lua_settop(L, 2);
  const core::pass p = ch.try_put(mover{L, ch, 1});
  if (p == core::pass::closed) put_to_closed(L);
  lua_pushboolean(L, p == core::pass::done);
  return 1;
}

int channel_close(lua_State* L) {
  state& s = state_of(L);
  if (!check_channel(L, s, "close").close()) raise(L, "close of a closed channel");
  return 0;
}
int channel_closed(lua_State* L) {
  state& s = state_of(L);
  lua_pushboolean(L, check_channel(L, s, "closed").closed());
  return 1;
}
int channel_length(lua_State* L) {
  state& s = state_of(L);
  lua_pushinteger(L, static_cast<lua_Integer>(check_channel(L, s, "#").size()));
  return 1;
}

void push_capacity(lua_State* L, const channel& ch) {
  if (ch.capacity() == core::unbounded)
    lua_pushnumber(L, HUGE_VAL);
  else
    lua_pushinteger(L, static_cast<lua_Integer>(ch.capacity()));
}
int channel_cap(lua_State* L) {
  state& s = state_of(L);
  push_capacity(L, check_channel(L, s, "cap"));
  return 1;
}

int channel_tostring(lua_State* L) {
  state& s = state_of(L);
  channel& ch = check_channel(L, s, "tostring");
  push_capacity(L, ch);
  lua_pushfstring(L, "weft.channel: %p (%d of %s%s)", static_cast<void*>(&ch),
                  static_cast<int>(ch.size()), lua_tostring(L, -1), ch.closed() ? ", closed" : "");
  return 1;
}

/// channel([n]): no n or 0 is a rendezvous, math.huge has no bound.
int channel_new(lua_State* L) {
  const std::size_t capacity = check_capacity(L, "channel", 1);
  ::new (new_userdata(L, sizeof(channel), 2)) channel(capacity);
  push_anchor(L, anchor_channel_mt);
  lua_setmetatable(L, -2);
  return 1;
}

const luaL_Reg methods[] = {{"get", channel_get},
                            {"put", channel_put},
                            {"get_op", channel_get_op},
                            {"put_op", channel_put_op},
                            {"try_get", channel_try_get},
                            {"try_put", channel_try_put},
                            {"close", channel_close},
                            {"closed", channel_closed},
                            {"cap", channel_cap},
                            {"_finish_get", channel_finish_get},
                            {"_finish_put", channel_finish_put},
                            {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__len", channel_length},
                                {"__tostring", channel_tostring},
                                {"__gc", channel_gc},
                                {nullptr, nullptr}};
const luaL_Reg functions[] = {{"channel", channel_new}, {nullptr, nullptr}};

}  // namespace

void open_channels(lua_State* L) {
  add_type(L, anchor_channel_mt, "weft.channel", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
