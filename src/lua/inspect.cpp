// SPDX-License-Identifier: MIT
// What the runtime can tell of its fibers: the methods of a fiber, and the walk over all of them
// that inspect and the deadlock report are made of.
#include "lua/fiber.hpp"
#include "lua/operation.hpp"
#include "lua/scope.hpp"

namespace weft::inline v0::lua {

int fiber_join_op(lua_State* L);

namespace {

fiber& check_fiber(lua_State* L, const char* method) {
  fiber* f = fiber_at(L, state_of(L), 1);
  if (!f) bad_argument(L, method, 1, "fiber");
  return *f;
}

const char* status_of(const fiber& f) {
  switch (f.state) {
    case core::task_state::fresh:
    case core::task_state::runnable: return "runnable";
    case core::task_state::running: return "running";
    case core::task_state::parked: return "parked";
    case core::task_state::done: return "done";
    case core::task_state::failed: return "failed";
    case core::task_state::cancelled: return "cancelled";
  }
  return "?";
}

int fiber_status(lua_State* L) {
  lua_pushstring(L, status_of(check_fiber(L, "status")));
  return 1;
}

/// fiber:cancel([reason]): the reason is kept with its extras by lua/weft/init.lua.
int fiber_cancel(lua_State* L) {
  fiber& f = check_fiber(L, "cancel");
  if (!f.ended()) core::cancel_task(f);
  return 0;
}

int fiber_id(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(check_fiber(L, "id").id));
  return 1;
}

/// fiber_thread(fiber) -> the coroutine that waits or runs innermost; nil if it has ended.
int fiber_thread(lua_State* L) {
  state& s = state_of(L);
  fiber& f = check_fiber(L, "traceback");
  if (!f.co) return 0;
  lua_State* inner = &f == s.current ? s.inner : f.at;
  if (inner && inner != f.co && !f.ended()) {
    lua_pushthread(inner);
    if (inner != L) lua_xmove(inner, L, 1);
    return 1;
  }
  push_anchor(L, anchor_threads);
  lua_rawgeti(L, -1, thread_place(f.slot));
  return 1;
}

/// fiber_spawner(fiber) -> the function that spawned it, the line there.
int fiber_spawner(lua_State* L) {
  fiber& f = check_fiber(L, "spawner");
  if (!f.co) return 0;
  push_anchor(L, anchor_threads);
  lua_rawgeti(L, -1, spawner_place(f.slot));
  lua_pushinteger(L, f.line);
  return 2;
}

int fiber_waiting(lua_State* L) {
  state& s = state_of(L);
  fiber& f = check_fiber(L, "waiting");
  if (f.state != core::task_state::parked) return 0;
  lua_pushstring(L, f.why);
  const double now = static_cast<double>(s.worker ? s.at().now() / 1'000'000 : 0);
  lua_pushnumber(L, (now - f.since) / 1e3);
  return 2;
}

/// The children whose end the scope's own needs.
void push_awaited_children(lua_State* L, core::scope& scope) {
  lua_newtable(L);
  int n = 0;
  for (core::scoped_task* t = scope.children.front(); t; t = scope.children.after(*t)) {
    if (t->daemon && scope.ordinary > 0) continue;
    push_handle(L, *static_cast<fiber*>(t));
    lua_rawseti(L, -2, ++n);
  }
}

/// fiber_awaited(fiber) -> array of the fibers whose end it waits for, and as fiber_waiting;
/// nothing when it waits for anything else.
int fiber_awaited(lua_State* L) {
  fiber& f = check_fiber(L, "awaited");
  if (f.state != core::task_state::parked) return 0;
  void* place = (f.arms ? f.arms[0] : f.record).place;
  if (f.why == join_waits_for) {
    lua_createtable(L, 1, 0);
    push_handle(L, *static_cast<fiber*>(place));
    lua_rawseti(L, -2, 1);
  } else if (f.why == drained_waits_for) {
    push_awaited_children(L, *static_cast<core::scope*>(place));
  } else {
    return 0;
  }
  lua_pushstring(L, f.why);
  return 2;
}

/// fiber_done(fiber) -> what is called when its wait is over; of a list the first.
int fiber_done(lua_State* L) {
  const fiber& f = check_fiber(L, "done");
  if (!f.done) return 0;
  push_anchor(L, anchor_done);
  lua_rawgeti(L, -1, f.done);
  if (f.many_done) lua_rawgeti(L, -1, 1);
  return 1;
}

int fiber_is_daemon(lua_State* L) {
  lua_pushboolean(L, check_fiber(L, "daemon").daemon);
  return 1;
}

int fiber_self(lua_State* L) {
  state& s = state_of(L);
  if (!s.current) return 0;
  push_handle(L, *s.current);
  return 1;
}

void append_fibers(lua_State* L, int list, core::scope& scope);

void append_scopes_of(lua_State* L, int list, core::scoped_task& t, core::scope* outer) {
  for (core::scope* s = t.innermost; s != outer; s = s->parent) append_fibers(L, list, *s);
}

void append_fibers(lua_State* L, int list, core::scope& scope) {
  luaL_checkstack(L, 4, "scopes nested too deeply");
  for (core::scoped_task* t = scope.children.front(); t; t = scope.children.after(*t)) {
    push_handle(L, *static_cast<fiber*>(t));
    lua_rawseti(L, list, static_cast<int>(lua_rawlen(L, list)) + 1);
    append_scopes_of(L, list, *t, &scope);
  }
}

/// fibers() -> array of the handles of all fibers that have not ended, each behind its scope's
/// owner.
int inspect_fibers(lua_State* L) {
  state& s = state_of(L);
  lua_newtable(L);
  if (s.root) append_fibers(L, lua_gettop(L), *s.root);
  return 1;
}

/// counters() -> what the worker has counted.
int inspect_counters(lua_State* L) {
  state& s = state_of(L);
  lua_newtable(L);
  if (!s.worker) return 1;
  const core::counters& c = s.at().count();
  const auto set = [L](const char* name, std::uint64_t n) {
    lua_pushnumber(L, static_cast<lua_Number>(n));
    lua_setfield(L, -2, name);
  };
  set("runs", c.runs);
  set("spawns", c.spawns);
  set("polls", c.polls);
  set("parks", c.parks);
  set("posts", c.posts);
  set("live", s.live);
  lua_pushstring(L, s.at().io().name());
  lua_setfield(L, -2, "backend");
  return 1;
}

/// backend() -> name, features, fallback of the running worker's reactor; nothing without one.
int inspect_backend(lua_State* L) {
  state& s = state_of(L);
  if (!s.worker) return 0;
  const core::reactor& r = s.at().io();
  lua_pushstring(L, r.name());
  lua_pushstring(L, r.features());
  lua_pushstring(L, r.passed_over);
  return 3;
}

const luaL_Reg methods[] = {{"status", fiber_status},
                            {"_cancel", fiber_cancel},
                            {"join_op", fiber_join_op},
                            {nullptr, nullptr}};
const luaL_Reg functions[] = {{"fiber_id", fiber_id},
                              {"fiber_thread", fiber_thread},
                              {"fiber_spawner", fiber_spawner},
                              {"fiber_waiting", fiber_waiting},
                              {"fiber_awaited", fiber_awaited},
                              {"fiber_done", fiber_done},
                              {"fiber_is_daemon", fiber_is_daemon},
                              {"self", fiber_self},
                              {"fibers", inspect_fibers},
                              {"counters", inspect_counters},
                              {"backend", inspect_backend},
                              {nullptr, nullptr}};

}  // namespace

#if LUA_VERSION_NUM < 502
// No ephemerons here: what a fiber keeps may refer to it, so it is the environment of the userdata.
void push_extras(lua_State* L, int handle, bool make) {
  handle = lua_absindex(L, handle);
  auto* f = static_cast<fiber*>(lua_touserdata(L, handle));
  if (f->has_extras) {
    lua_getfenv(L, handle);
    return;
  }
  if (!make) {
    lua_pushnil(L);
    return;
  }
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfenv(L, handle);
  f->has_extras = true;
}
#else
void push_extras(lua_State* L, int handle, bool make) {
  handle = lua_absindex(L, handle);
  push_anchor(L, anchor_extras);
  lua_pushvalue(L, handle);
  lua_rawget(L, -2);
  if (lua_isnil(L, -1) && make) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, handle);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}
#endif

void open_inspect(lua_State* L) {
  add_type(L, anchor_fiber_mt, "weft.fiber", methods, nullptr);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
