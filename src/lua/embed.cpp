// SPDX-License-Identifier: MIT
// weft.embed: attaching a state for good, and driving it piece by piece. lua/weft/embed.lua puts
// the functions together.
#include "lua/embed.hpp"

#include <cmath>
#include <memory>
#include <utility>

#include "core/errors.hpp"
#include "core/loop_descriptor.hpp"
#include "lua/api.hpp"
#include "lua/attach.hpp"
#include "lua/gate.hpp"
#include "lua/operation.hpp"
#include "reactor/syscalls.hpp"

namespace weft::inline v0::lua {

void open_embed(lua_State* L);

void end_rest(state& s) noexcept {
  if (s.loop && s.loop->is_of(s.worker) && !is_inherited(s)) s.loop->end_rest();
}
void begin_rest(state& s) noexcept {
  if (s.loop && s.loop->is_of(s.worker) && !is_inherited(s)) s.loop->rest();
}

void close_loop(state& s) noexcept {
  const std::unique_ptr<core::loop_descriptor> gone(std::exchange(s.loop, nullptr));
}

namespace {

/// Who drives is outside any fiber, and drives a worker of its own.
state& check_driver(lua_State* L, const char* name) {
  state& s = state_of(L);
  forget_parent(s);
  if (s.current) raise(L, "'%s' inside a fiber: the state is being driven", name);
  if (!s.worker) raise(L, "'%s' needs a runtime: call weft.embed.attach first", name);
  if (s.driven) raise(L, "'%s': the state is being driven, by another thread or a caller", name);
  if (!s.lasting || !s.owns_worker) raise(L, "'%s': this state is driven by its host", name);
  return s;
}

core::nanoseconds limit_at(lua_State* L, const char* name, int index, core::nanoseconds absent) {
  return lua_isnoneornil(L, index) ? absent : check_duration(L, name, index);
}

core::nanoseconds left_until(core::nanoseconds due) noexcept {
  if (due == core::forever) return due;
  const core::nanoseconds left = due - core::clock_now();
  return left > 0 ? left : 0;
}

/// When everything has ended after a failure, the root begins anew: pushes the failures, or nil.
void push_failures(lua_State* L, state& s) {
  scope_object& root = *s.root;
  if (!root.failed || !root.empty()) return lua_pushnil(L);
  lua_pushvalue(s.L, state::root_index);
  lua_xmove(s.L, L, 1);
  get_reference(L, -1, 1);
  lua_pushnil(L);
  set_reference(L, -3, 1);
  lua_remove(L, -2);
  root.failed = root.has_failures = root.cancel_requested = root.cancelled = false;
}

/// attach() -> whether it was not before
int embed_attach(lua_State* L) {
  state& s = state_of(L);
  forget_parent(s);
  if (s.current) raise(L, "'attach' inside a fiber: call it before weft.run");
  const bool was = s.worker != nullptr;
  if (!was) attach(L, s, static_cast<core::worker*>(lua_touserdata(L, 1)));
  lua_pushboolean(L, !was);
  return 1;
}

/// detach(): cancels everything, and waits for its end.
int embed_detach(lua_State* L) {
  state& s = check_driver(L, "detach");
  core::cancel_scope(*s.root);
  {
    const driving guard(s);
    s.at().add_source();  // what waits for nothing that ever comes has just been cancelled
    while (!s.root->empty() || s.at().has_ready()) s.at().turn(core::forever);
    s.at().drop_source();
  }
  close_loop(s);
  detach(L, s);
  return 0;
}

/// step(seconds) -> whether anything ran, the time of the next timer or nil, failures or nil
int embed_step(lua_State* L) {
  state& s = check_driver(L, "step");
  const core::nanoseconds limit = limit_at(L, "step", 1, 0);
  const std::uint64_t before = s.at().count().runs;
  {
    const driving guard(s);
    s.at().turn(limit);
  }
  lua_pushboolean(L, s.at().count().runs != before);
  const core::nanoseconds next = s.at().next_deadline();
  if (next == core::forever)
    lua_pushnil(L);
  else
    lua_pushnumber(L, static_cast<lua_Number>(next == 0 ? s.at().now() : next) / 1e9);
  push_failures(L, s);
  return 3;
}

std::size_t served(const state& s) noexcept { return s.shared ? s.shared->served : 0; }

/// Turns until somebody has been served, or the time is over. False: nobody has.
bool serve(state& s, core::nanoseconds limit) noexcept {
  core::worker& w = s.at();
  const std::size_t before = served(s);
  if (s.shared) s.shared->awaited = true;
  const core::nanoseconds due = deadline_after(limit);
  const driving guard(s);
  if (limit != core::forever) w.add_source();  // waits as told, also for nothing
  for (;;) {
    const core::worker::outcome o = w.turn(left_until(due));
    if (served(s) != before || o == core::worker::outcome::idle) break;
    if (left_until(due) == 0 && (limit > 0 || !w.has_ready())) break;
  }
  if (limit != core::forever) w.drop_source();
  if (s.shared) s.shared->awaited = false;
  return served(s) != before;
}

/// yield(seconds) -> whether a thread was let in or a handler has run, failures or nil
int embed_yield(lua_State* L) {
  state& s = check_driver(L, "yield");
  const core::nanoseconds limit = limit_at(L, "yield", 1, core::forever);
  if (limit == 0 && !s.at().has_work() && !s.at().io().busy()) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_pushboolean(L, serve(s, limit));
  push_failures(L, s);
  return 2;
}

/// 0 or an errno.
int open_loop(state& s) noexcept {
  int error = 0;
  s.loop = core::loop_descriptor::open(s.at(), &error).release();
  return error;
}

int push_loop_error(lua_State* L, int error) {
  const core::error_text text = core::describe(error);
  lua_pushnil(L);
  lua_pushfstring(L, "event_fd: %s", text.message);
  lua_pushstring(L, text.code);
  return 3;
}

/// event_fd() -> descriptor; nil, message, code
int embed_event_fd(lua_State* L) {
  state& s = state_of(L);
  if (!s.lasting)
    raise(L, s.current ? "'event_fd' inside weft.run: call weft.embed.attach before weft.run"
                       : "'event_fd' needs weft.embed.attach first");
  if (!s.loop) {
    if (const int error = open_loop(s)) return push_loop_error(L, error);
    if (!s.driven) begin_rest(s);
  }
  lua_pushinteger(L, s.loop->fd());
  return 1;
}

/// Looks at the kernel, as whoever begins to drive. True: there is something to do.
bool find_work(state& s) noexcept {
  if (s.at().has_work()) return true;
  const driving guard(s);
  return s.at().has_work();
}

/// wait_events(seconds) -> boolean. Nobody is let in meanwhile.
int embed_wait_events(lua_State* L) {
  state& s = check_driver(L, "wait_events");
  const core::nanoseconds due = deadline_after(limit_at(L, "wait_events", 1, core::forever));
  if (!s.loop)
    if (const int error = open_loop(s)) return push_loop_error(L, error);
  bool found = find_work(s);
  while (!found && left_until(due) > 0) {
    sys::wait_readable(s.loop->fd(), left_until(due));
    found = find_work(s);
  }
  lua_pushboolean(L, found);
  return 1;
}

// ---- the same for a fiber ----

bool served_ready(state&, fiber&, operation&) { return false; }
int served_attempt(lua_State*, state&, fiber&, operation&, int) { return not_ready; }
void served_publish(state& s, fiber&, operation&, core::wait_record& r) {
  s.shared->watchers.push_back(r);
}
int served_settle(lua_State*, state&, fiber&, operation&, int) { return 0; }
const operation_kind served_kind = {"native threads", served_ready, served_attempt, served_publish,
                                    served_settle};

/// served_op() -> operation: a thread is let in or a handler runs.
int embed_served_op(lua_State* L) {
  state& s = state_of(L);
  shared_of(L, s);
  new_operation<operation>(L, s, served_kind, 0);
  return 1;
}

// ---- the same for C ----

/// set_embed(weft.embed): whose functions weft.h has.
int set_embed(lua_State* L) {
  lua_settop(L, 1);
  lua_setfield(L, lua_upvalueindex(anchors_upvalue), "embed");
  return 0;
}

/// (name, seconds) -> what weft.embed[name](seconds) gives
int run_embed(lua_State* L) {
  lua_getfield(L, lua_upvalueindex(anchors_upvalue), "embed");
  lua_getfield(L, -1, lua_tostring(L, 1));
  lua_pushvalue(L, 2);
  lua_call(L, 1, LUA_MULTRET);
  return lua_gettop(L) - 3;
}

/// Leaves so many results on the stack. For a caller that is not one of our functions.
void call_embed(lua_State* L, const char* name, core::nanoseconds timeout, int results) {
  luaL_checkstack(L, 4, "weft.h");
  if (!push_function(L, run_embed)) luaL_error(L, "weft is not loaded in this state");
  lua_pushstring(L, name);
  lua_pushnumber(L, timeout == core::forever ? HUGE_VAL : static_cast<lua_Number>(timeout) / 1e9);
  lua_call(L, 2, results);
}

const luaL_Reg functions[] = {{"embed_attach", embed_attach},
                              {"embed_detach", embed_detach},
                              {"embed_step", embed_step},
                              {"embed_yield", embed_yield},
                              {"embed_event_fd", embed_event_fd},
                              {"embed_wait_events", embed_wait_events},
                              {"embed_served_op", embed_served_op},
                              {"set_embed", set_embed},
                              {nullptr, nullptr}};

}  // namespace

int api_event_fd(lua_State* L) {
  call_embed(L, "event_fd", 0, 1);
  const int fd = lua_isnil(L, -1) ? -1 : static_cast<int>(lua_tointeger(L, -1));
  lua_pop(L, 1);
  return fd;
}

int api_step(lua_State* L, std::int64_t timeout, std::int64_t* deadline) {
  call_embed(L, "step", timeout, 2);
  const int ran = lua_toboolean(L, -2);
  const bool timed = !lua_isnil(L, -1);
  if (deadline)
    *deadline = timed ? static_cast<std::int64_t>(lua_tonumber(L, -1) * 1e9) : core::forever;
  lua_pop(L, 2);
  return ran;
}

int api_wait_events(lua_State* L, std::int64_t timeout) {
  call_embed(L, "wait_events", timeout, 1);
  const int found = lua_isnil(L, -1) ? -1 : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return found;
}

int api_yield(lua_State* L, std::int64_t timeout) {
  call_embed(L, "yield", timeout, 1);
  const int served = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return served;
}

void open_embed(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
