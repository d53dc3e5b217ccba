// SPDX-License-Identifier: MIT
// Scopes: the primitives that lua/weft/scope.lua puts together to weft.scope, and the methods of
// the scope object. Who wins when several things go wrong is decided there.
#include "lua/scope.hpp"

#include <algorithm>
#include <memory>
#include <new>

#include "lua/operation.hpp"

namespace weft::inline v0::lua {

namespace {

scope_object* scope_at(lua_State* L, state& s, int arg) {
  return static_cast<scope_object*>(userdata_of(L, s, arg, anchor_scope_mt));
}
scope_object& check_scope(lua_State* L, state& s, const char* method) {
  scope_object* scope = scope_at(L, s, 1);
  if (!scope) bad_argument(L, method, 1, "scope");
  return *scope;
}

// ---- its deadline ----

void alarm_rings(core::task& t, core::worker&);
void wake_alarm(core::task& t) noexcept { static_cast<scope_alarm&>(t).owner->at->ready(t); }
const core::task_kind alarm_kind = {"deadline", alarm_rings, wake_alarm};

void alarm_rings(core::task& t, core::worker&) {
  const std::unique_ptr<scope_alarm> a(static_cast<scope_alarm*>(&t));
  if (!a->owner) return;
  a->owner->alarm = nullptr;
  a->owner->timed_out = true;
  core::cancel_scope(*a->owner);
}

/// False: not enough memory.
bool set_alarm(state& s, scope_object& scope, core::nanoseconds deadline) {
  std::unique_ptr<scope_alarm> a(new (std::nothrow) scope_alarm(scope));
  if (!a) return false;
  a->record.owner = a.get();
  a->begin_plain();
  s.at().arm_timer(a->record, deadline);
  scope.alarm = a.release();
  return true;
}

core::nanoseconds own_deadline(const core::scope& scope) noexcept {
  const scope_alarm* const a = static_cast<const scope_object&>(scope).alarm;
  return a ? a->record.deadline : core::forever;
}

void drop_alarm(scope_object& scope) noexcept {
  std::unique_ptr<scope_alarm> a(scope.alarm);
  scope.alarm = nullptr;
  if (!a) return;
  if (a->record.linked()) {
    a->record.unlink();
    return;
  }
  a->owner = nullptr;  // in the run queue
  (void)a.release();
}

// ---- primitives of weft.scope ----

/// scope_open(name, timeout, deadline, shield) -> scope, around the rest of the running fiber's
/// body.
int scope_open(lua_State* L) {
  state& s = state_of(L);
  fiber& f = running_fiber(L, s, "scope");
  core::nanoseconds deadline = core::forever;
  if (!lua_isnoneornil(L, 2)) {
    const core::nanoseconds d = check_duration(L, "scope", 2);
    if (d != core::forever) deadline = s.at().now() + d;
  }
  if (!lua_isnoneornil(L, 3)) {
    const core::nanoseconds d = check_duration(L, "scope", 3);
    if (d < deadline) deadline = d;
  }
  const bool shield = lua_toboolean(L, 4);
  scope_object& scope = new_scope(L, s);
  if (!lua_isnil(L, 1)) {
    lua_pushvalue(L, 1);
    set_reference(L, -2, 2);
  }
  scope.shield = shield;
  core::open_scope(scope, f);
  if (deadline != core::forever && !set_alarm(s, scope, deadline)) {
    core::close_scope(f);
    luaL_error(L, "not enough memory");
  }
  return 1;
}

/// The scope's children, as something to wait for. Its daemons go when the last ordinary child has.
struct drained_operation : operation {
  scope_object* scope;  // reference 1
};
bool drained_ready(state&, fiber&, operation& o) {
  scope_object& scope = *static_cast<drained_operation&>(o).scope;
  if (scope.ordinary > 0) return false;
  core::cancel_daemons(scope);
  return scope.empty();
}
int drained_attempt(lua_State*, state&, fiber&, operation&, int) { return 0; }
void drained_publish(state&, fiber&, operation& o, core::wait_record& r) {
  r.place = static_cast<drained_operation&>(o).scope;
  static_cast<drained_operation&>(o).scope->emptied.push_back(r);
}
int drained_settle(lua_State*, state& s, fiber& f, operation& o, int) {
  return drained_ready(s, f, o) ? 0 : not_ready;
}
const operation_kind drained_kind = {
    drained_waits_for, drained_ready, drained_attempt, drained_publish,
    drained_settle,    not_ready,     false,           true};

/// scope_drained(scope) -> operation, whether it has children that are no daemons.
int scope_drained(lua_State* L) {
  state& s = state_of(L);
  scope_object& scope = check_scope(L, s, "scope");
  scope.closing = true;
  new_operation<drained_operation>(L, s, drained_kind, 1).scope = &scope;
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  lua_pushboolean(L, scope.ordinary > 0);
  return 2;
}

/// The scope that f stands in, which has no children, is over.
void end_innermost(lua_State* L, fiber& f, scope_object& scope) {
  f.raises = 0;
  core::close_scope(f);
  drop_alarm(scope);
  scope.closed = true;
  release_scope(L, scope);
}

/// scope_close(scope) -> failures or nil, timed out, own cancel, cancelled around. It has no
/// children.
int scope_close(lua_State* L) {
  state& s = state_of(L);
  scope_object& scope = check_scope(L, s, "scope");
  fiber& f = *s.current;
  while (f.innermost != &scope) core::close_scope(f);  // of coroutines that were left half way
  end_innermost(L, f, scope);
  get_reference(L, 1, 1);
  lua_pushboolean(L, scope.timed_out);
  lua_pushboolean(L, scope.cancel_requested);
  lua_pushboolean(L, f.cancel_pending);
  return 4;
}

/// scope_leave(scope) -> whether it has ended there and then: nothing is left in it to wait for, to
/// run or to tell, and the fiber has not used up its turn.
int scope_leave(lua_State* L) {
  state& s = state_of(L);
  scope_object& scope = check_scope(L, s, "scope");
  fiber& f = *s.current;
  const bool quiet = scope.empty() && !scope.has_failures && !scope.has_defers &&
                     !scope.timed_out && f.innermost == &scope;
  const bool ends = quiet && s.at().spend();
  if (ends) end_innermost(L, f, scope);
  lua_pushboolean(L, ends);
  return 1;
}

/// scope_fail(scope): the body has failed; its failure is recorded by report.lua.
int scope_fail(lua_State* L) {
  scope_object& scope = check_scope(L, state_of(L), "scope");
  scope.failed = true;
  core::cancel_scope(scope);
  return 0;
}

// ---- methods ----

scope_object& check_open(lua_State* L, state& s, const char* method) {
  scope_object& scope = check_scope(L, s, method);
  if (scope.closed) raise(L, "'%s' on a scope that has ended", method);
  return scope;
}

int spawn_into(lua_State* L, const char* method, bool daemon, bool keeps_failure) {
  state& s = state_of(L);
  scope_object& scope = check_open(L, s, method);
  if (lua_type(L, 2) != LUA_TFUNCTION && !luaL_getmetafield(L, 2, "__call"))
    bad_argument(L, method, 2, "function", 1);
  spawn(L, s, scope, lua_gettop(L) - 2, daemon).keeps_failure = keeps_failure;
  return 1;
}
int scope_spawn(lua_State* L) { return spawn_into(L, "spawn", false, false); }
int scope_async(lua_State* L) { return spawn_into(L, "async", false, true); }
int scope_daemon(lua_State* L) { return spawn_into(L, "daemon", true, false); }

int scope_cancel(lua_State* L) {
  state& s = state_of(L);
  scope_object& scope = check_scope(L, s, "cancel");
  if (scope.closed) return 0;
  lua_settop(L, 2);
  if (!scope.cancel_requested && !lua_isnil(L, 2)) {
    lua_pushvalue(L, 2);
    set_reference(L, 1, 3);
  }
  core::cancel_scope(scope);
  return 0;
}

const char* status_of(const scope_object& scope) {
  if (scope.closed) return scope.failed ? "failed" : scope.cancel_requested ? "cancelled" : "done";
  if (scope.failed) return "failed";
  if (scope.cancelled) return "cancelled";
  return scope.closing ? "closing" : "open";
}
int scope_status(lua_State* L) {
  lua_pushstring(L, status_of(check_scope(L, state_of(L), "status")));
  return 1;
}

int scope_tostring(lua_State* L) {
  scope_object& scope = check_scope(L, state_of(L), "tostring");
  get_reference(L, 1, 2);
  lua_pushfstring(L, "weft.scope: %s (%s)", lua_isstring(L, -1) ? lua_tostring(L, -1) : "unnamed",
                  status_of(scope));
  return 1;
}

/// For report.lua: what a scope or fiber of this state carries. failures(scope) -> array or nil,
/// made with a second argument that is true; scope_reason(fiber) -> the reason of the cancel it
/// sees.
int scope_failures(lua_State* L) {
  scope_object& scope = check_scope(L, state_of(L), "failures");
  get_reference(L, 1, 1);
  if (!lua_isnil(L, -1) || !lua_toboolean(L, 2)) return 1;
  scope.has_failures = true;
  lua_newtable(L);
  lua_pushvalue(L, -1);
  set_reference(L, 1, 1);
  return 1;
}

/// scope_has_defers(scope): functions are to run at its end. False: it has ended.
int scope_has_defers(lua_State* L) {
  scope_object& scope = check_scope(L, state_of(L), "defer");
  scope.has_defers = true;
  lua_pushboolean(L, !scope.closed);
  return 1;
}

int scope_name(lua_State* L) {
  check_scope(L, state_of(L), "name");
  get_reference(L, 1, 2);
  return 1;
}

int scope_reason(lua_State* L) {
  state& s = state_of(L);
  fiber* f = fiber_at(L, s, 1);
  if (!f || !f->co) return 0;
  for (core::scope* scope = f->innermost; scope; scope = scope->parent) {
    if (!scope->cancel_requested) {
      if (scope == f->home && f->self_cancelled) return 0;
      continue;
    }
    push_scope(L, *static_cast<scope_object*>(scope));
    get_reference(L, -1, 3);
    return 1;
  }
  return 0;
}

/// The scope that a fiber lives in; for report.lua.
int fiber_scope(lua_State* L) {
  state& s = state_of(L);
  fiber* f = fiber_at(L, s, 1);
  if (!f || !f->co) return 0;
  push_scope(L, scope_of(*f));
  return 1;
}

/// root_scope() -> that of the run in progress; nothing outside one.
int root_scope(lua_State* L) {
  const state& s = state_of(L);
  if (!s.root) return 0;
  push_scope(L, *s.root);
  return 1;
}

int innermost_scope(lua_State* L) {
  state& s = state_of(L);
  if (s.current)
    push_scope(L, *static_cast<scope_object*>(s.current->innermost));
  else if (s.root)
    push_scope(L, *s.root);
  else
    lua_pushnil(L);
  return 1;
}

const luaL_Reg methods[] = {{"spawn", scope_spawn},   {"async", scope_async},
                            {"daemon", scope_daemon}, {"cancel", scope_cancel},
                            {"status", scope_status}, {nullptr, nullptr}};
const luaL_Reg metamethods[] = {{"__tostring", scope_tostring}, {nullptr, nullptr}};
const luaL_Reg functions[] = {{"scope_open", scope_open},
                              {"scope_drained", scope_drained},
                              {"scope_close", scope_close},
                              {"scope_leave", scope_leave},
                              {"scope_fail", scope_fail},
                              {"scope_failures", scope_failures},
                              {"scope_name", scope_name},
                              {"scope_has_defers", scope_has_defers},
                              {"scope_reason", scope_reason},
                              {"fiber_scope", fiber_scope},
                              {"root_scope", root_scope},
                              {"innermost_scope", innermost_scope},
                              {nullptr, nullptr}};

}  // namespace

scope_alarm::scope_alarm(scope_object& scope) noexcept : core::task(alarm_kind), owner(&scope) {}

core::nanoseconds deadline_around(const fiber& f) noexcept {
  core::nanoseconds nearest = core::forever;
  for (const core::scope* scope = f.innermost; scope; scope = scope->parent) {
    nearest = std::min(nearest, own_deadline(*scope));
    if (scope->shield) break;
  }
  return nearest;
}

scope_object& new_scope(lua_State* L, state&) {
  scope_object& scope = *::new (new_userdata(L, sizeof(scope_object), 3)) scope_object();
  push_anchor(L, anchor_scope_mt);
  lua_setmetatable(L, -2);
  push_anchor(L, anchor_scopes);
  lua_pushvalue(L, -2);
  scope.slot = luaL_ref(L, -2);
  lua_pop(L, 1);
  return scope;
}

void release_scope(lua_State* L, scope_object& scope) {
  push_anchor(L, anchor_scopes);
  luaL_unref(L, -1, scope.slot);
  lua_pop(L, 1);
}

void push_scope(lua_State* L, const scope_object& scope) {
  push_anchor(L, anchor_scopes);
  lua_rawgeti(L, -1, scope.slot);
  lua_remove(L, -2);
}

void open_scopes(lua_State* L) {
  add_type(L, anchor_scope_mt, "weft.scope", methods, metamethods);
  add_functions(L, functions);
}

}  // namespace weft::inline v0::lua
