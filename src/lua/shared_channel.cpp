// SPDX-License-Identifier: MIT
// Shared channels in Lua: weft::shared_channel with the methods of a channel. Its other ends may be
// in other Lua states or in C++; what is put is copied. get and put are performs of the operations
// (lua/weft/shared_channel.lua).
#include <cmath>

#include "lua/operation.hpp"
#include "lua/shared.hpp"
#include "lua/value.hpp"
#include "lua/wait.hpp"

namespace weft::inline v0::lua {

namespace {

using getting = shared_arm_of<recv_operation<value>>;
using putting = shared_arm_of<send_operation<value>>;

struct shared_operation : operation {
  held_object* held;  // of the channel: reference 1; of a put, reference 2 is the value
};

/// A finalizer may perform an operation when the channel's own has run.
shared_channel& channel_of(lua_State* L, operation& o) {
  shared_object* channel = static_cast<shared_operation&>(o).held->object;
  if (!channel) raise(L, "the shared channel has been collected");
  return static_cast<shared_channel&>(*channel);
}

shared_channel& check_channel(lua_State* L, state& s, const char* method) {
  shared_channel* channel = shared_channel_at(L, s, 1);
  if (!channel) bad_argument(L, method, 1, "shared channel");
  return *channel;
}
shared_channel& check_receiver(lua_State* L, state& s, const char* method) {
  shared_channel& channel = check_channel(L, s, method);
  if (!channel.rx) raise(L, "'%s' on the sending end of a channel", method);
  return channel;
}
shared_channel& check_sender(lua_State* L, state& s, const char* method) {
  shared_channel& channel = check_channel(L, s, method);
  if (!channel.tx) raise(L, "'%s' on the receiving end of a channel", method);
  return channel;
}

/// Whether somebody else than this state has a part of it. Else only this state could give it away.
bool is_outside(const shared_channel& channel) noexcept {
  return !channel.tx || !channel.rx || channel.references() > 1 || channel.tx->copies() > 1 ||
         channel.rx->copies() > 1;
}

[[noreturn]] void put_to_closed(lua_State* L) { raise(L, "put to a closed channel"); }

/// A fresh arm, kept in state::settling. Null for want of memory.
getting* begin_get(state& s, shared_channel& channel) noexcept {
  getting* arm = make_shared_arm(channel.rx->recv_op(), s);
  if (arm) arm->outside = is_outside(channel);
  return arm;
}
putting* begin_put(lua_State* L, state& s, shared_channel& channel, int index) noexcept {
  try {
    putting* arm = make_shared_arm(channel.tx->send_op(value_at(L, s, index)), s);
    if (arm) arm->outside = is_outside(channel);
    return arm;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

/// Of an arm that is done and kept: takes its result out.
template <class Arm>
Arm& finish(state& s, fiber* f, Arm& a) noexcept {
  core::task nobody(s.kind);
  performer p(f ? static_cast<core::task&>(*f) : nobody, s.worker);
  a.result = a.arm.settle(p);
  return a;
}

/// Completes the arm now, and keeps it. False: it is not ready, and destroyed.
bool attempt(state& s, shared_arm& a) noexcept {
  core::task nobody(s.kind);
  performer p(nobody, s.worker);
  if (a.kind->attempt(a, p)) return keep(s, a), true;
  a.kind->destroy(&a);
  return false;
}

/// Pushes what a kept arm got, and lets it go: the number of results.
int push_got(lua_State* L, state& s, getting& a) {
  if (a.result) push_value(L, *a.result);
  const bool closed = !a.result;
  destroy_kept(s, a);
  return closed ? push_closed(L) : 1;
}
int push_put(lua_State* L, state& s, putting& a) {
  const bool closed = !a.result;
  destroy_kept(s, a);
  if (closed) put_to_closed(L);
  lua_pushboolean(L, 1);
  return 1;
}

// ---- the operations ----

bool may_be_ready(state&, fiber&, operation&) { return true; }

template <class Arm>
Arm& checked(lua_State* L, Arm* arm) {
  if (!arm) luaL_error(L, "not enough memory");
  return *arm;
}

shared_arm& get_arm(lua_State* L, state& s, operation& o, int) {
  return checked(L, begin_get(s, channel_of(L, o)));
}
shared_arm& put_arm(lua_State* L, state& s, operation& o, int index) {
  get_reference(L, index, 2);
  check_fit(L, s, lua_gettop(L), 1);  // it may have been collected since
  putting* arm = begin_put(L, s, channel_of(L, o), -1);
  lua_pop(L, 1);
  return checked(L, arm);
}

int get_attempt(lua_State* L, state& s, fiber&, operation& o, int index) {
  auto& arm = static_cast<getting&>(get_arm(L, s, o, index));
  return attempt(s, arm) ? push_got(L, s, finish(s, nullptr, arm)) : not_ready;
}
int put_attempt(lua_State* L, state& s, fiber&, operation& o, int index) {
  auto& arm = static_cast<putting&>(put_arm(L, s, o, index));
  return attempt(s, arm) ? push_put(L, s, finish(s, nullptr, arm)) : not_ready;
}
int get_settle(lua_State* L, state& s, fiber& f, operation&, int) {
  return push_got(L, s, finish(s, &f, static_cast<getting&>(kept_arm(f))));
}
int put_settle(lua_State* L, state& s, fiber& f, operation&, int) {
  return push_put(L, s, finish(s, &f, static_cast<putting&>(kept_arm(f))));
}

const operation_kind get_kind = {.waits_for = "to get from a shared channel",
                                 .ready = may_be_ready,
                                 .attempt = get_attempt,
                                 .publish = nullptr,
                                 .settle = get_settle,
                                 .lasting = true,
                                 .shared = get_arm};
const operation_kind put_kind = {.waits_for = "to put to a shared channel",
                                 .ready = may_be_ready,
                                 .attempt = put_attempt,
                                 .publish = nullptr,
                                 .settle = put_settle,
                                 .shared = put_arm};

/// The channel at 1, which has been checked.
held_object* held_of(lua_State* L) { return static_cast<held_object*>(lua_touserdata(L, 1)); }

int channel_get_op(lua_State* L) {
  state& s = state_of(L);
  check_receiver(L, s, "get_op");
  get_reference(L, 1, 1);
  if (!lua_isnil(L, -1)) return 1;
  new_operation<shared_operation>(L, s, get_kind, 1).held = held_of(L);
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  lua_pushvalue(L, -1);
  set_reference(L, 1, 1);  // it is the same each time
  return 1;
}

int channel_put_op(lua_State* L) {
  state& s = state_of(L);
  check_sender(L, s, "put_op");
  lua_settop(L, 2);
  check_fit(L, s, 2, 1);
  lua_settop(L, 2);
  new_operation<shared_operation>(L, s, put_kind, 2).held = held_of(L);
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  lua_pushvalue(L, 2);
  set_reference(L, -2, 2);
  return 1;
}

// ---- what never waits ----

int channel_try_get(lua_State* L) {
  state& s = state_of(L);
  shared_channel& channel = check_receiver(L, s, "try_get");
  getting& arm = checked(L, begin_get(s, channel));
  const bool done = attempt(s, arm);
  lua_pushboolean(L, done);
  return done ? 1 + push_got(L, s, finish(s, nullptr, arm)) : 1;
}

int channel_try_put(lua_State* L) {
  state& s = state_of(L);
  shared_channel& channel = check_sender(L, s, "try_put");
  lua_settop(L, 2);
  check_fit(L, s, 2, 1);
  putting& arm = checked(L, begin_put(L, s, channel, 2));
  if (attempt(s, arm)) return push_put(L, s, finish(s, nullptr, arm));
  lua_pushboolean(L, 0);
  return 1;
}

/// f(end): of whichever end there is.
template <class F>
auto of_an_end(const shared_channel& channel, F f) {
  return channel.tx ? f(*channel.tx) : f(*channel.rx);
}

int channel_close(lua_State* L) {
  shared_channel& channel = check_channel(L, state_of(L), "close");
  if (!of_an_end(channel, [](auto& end) { return end.close(); }))
    raise(L, "close of a closed channel");
  return 0;
}
bool is_closed(const shared_channel& channel) {
  return of_an_end(channel, [](auto& end) { return end.closed(); });
}
int channel_closed(lua_State* L) {
  lua_pushboolean(L, is_closed(check_channel(L, state_of(L), "closed")));
  return 1;
}
lua_Integer size_of(const shared_channel& channel) {
  return static_cast<lua_Integer>(of_an_end(channel, [](auto& end) { return end.size(); }));
}
int channel_length(lua_State* L) {
  lua_pushinteger(L, size_of(check_channel(L, state_of(L), "#")));
  return 1;
}
void push_capacity(lua_State* L, const shared_channel& channel) {
  const std::size_t n = of_an_end(channel, [](auto& end) { return end.capacity(); });
  if (n == unbounded)
    lua_pushnumber(L, HUGE_VAL);
  else
    lua_pushinteger(L, static_cast<lua_Integer>(n));
}
int channel_cap(lua_State* L) {
  push_capacity(L, check_channel(L, state_of(L), "cap"));
  return 1;
}

int channel_tostring(lua_State* L) {
  const shared_channel& channel = check_channel(L, state_of(L), "tostring");
  push_capacity(L, channel);
  lua_pushfstring(L, "weft.shared_channel: %p (%d of %s%s)", static_cast<const void*>(&channel),
                  static_cast<int>(size_of(channel)), lua_tostring(L, -1),
                  is_closed(channel) ? ", closed" : "");
  return 1;
}

/// Null for want of memory.
shared_channel* make_channel(std::size_t capacity) noexcept {
  try {
    auto ends = weft::channel<value>(capacity);
    return new shared_channel(std::move(ends.first), std::move(ends.second));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

/// shared_channel([n]): no n or 0 is a rendezvous, math.huge has no bound.
int channel_new(lua_State* L) {
  const std::size_t capacity = check_capacity(L, "shared_channel", 1);
  held_object& held = new_held(L, anchor_shared_channel_mt);
  held.object = make_channel(capacity);
  if (!held.object) return luaL_error(L, "not enough memory");
  know_held(L, held);
  return 1;
}

const luaL_Reg methods[] = {{"get_op", channel_get_op},   {"put_op", channel_put_op},
                            {"try_get", channel_try_get}, {"try_put", channel_try_put},
                            {"close", channel_close},     {"closed", channel_closed},
                            {"cap", channel_cap},         {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__len", channel_length},
                                {"__tostring", channel_tostring},
                                {"__gc", held_gc},
                                {nullptr, nullptr}};
const luaL_Reg functions[] = {{"shared_channel", channel_new}, {nullptr, nullptr}};

}  // namespace

void open_shared_channels(lua_State* L) {
  add_type(L, anchor_shared_channel_mt, "weft.shared_channel", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
