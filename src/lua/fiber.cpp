// SPDX-License-Identifier: MIT
#include "lua/fiber.hpp"

#include <algorithm>
#include <new>

#include "lua/gate.hpp"
#include "lua/operation.hpp"
#include "lua/packed.hpp"
#include "lua/scope.hpp"
#include "lua/shared.hpp"
#include "lua/threads.hpp"
#include "lua/watch.hpp"

namespace weft::inline v0::lua {

namespace {

// A fiber that has been told so often that it is cancelled, and goes on, is named.
constexpr unsigned stubborn_raises = 1000;

void wake_fiber(core::task& t) noexcept { static_cast<fiber&>(t).home->at->ready(t); }

// ---- the end of a fiber ----

bool is_cancelled_value(lua_State* co, state& s) {
  if (!lua_getmetatable(co, -1)) return false;
  const bool yes = lua_topointer(co, -1) == s.metatables[anchor_cancelled];
  lua_pop(co, 1);
  return yes;
}

/// Wakes those that are parked in a join. True if somebody took the outcome.
bool wake_joiners(fiber& f) {
  bool taken = false;
  while (core::wait_record* r = f.joiners.pop_front()) {
    core::task& t = *r->owner;
    if (!t.complete_at_home(r->arm)) continue;
    t.kind->wake(t);
    taken = true;
  }
  return taken;
}

/// Calls report.NAME(handle, thread, values of the thread from `first` on ...) under protection,
/// from the worker's loop. What it cannot store for want of memory is lost but for the state of the
/// fiber.
bool report(state& s, fiber& f, const char* name, int first, bool keep = false) {
  lua_State* L = s.L;
  const int top = lua_gettop(L);
  const int values = lua_gettop(f.co) - first + 1;
  if (!lua_checkstack(L, values + 6)) return false;
  lua_getfield(L, state::report_index, name);
  lua_rawgeti(L, state::threads_index, handle_place(f.slot));
  lua_rawgeti(L, state::threads_index, thread_place(f.slot));
  if (keep) {
    for (int i = 0; i < values; ++i) lua_pushvalue(f.co, first + i);
  }
  lua_xmove(f.co, L, values);
  const bool ok = lua_pcall(L, values + 2, 1, 0) == 0 && lua_toboolean(L, -1);
  lua_settop(L, top);
  return ok;
}

void fail(state& s, fiber& f) {
  f.state = core::task_state::failed;
  const bool joined = wake_joiners(f);
  report(s, f,
         joined            ? "joined_failure"
         : f.keeps_failure ? "async_failure"
                           : "failure",
         lua_gettop(f.co));
  if (joined || f.keeps_failure) return;
  scope_of(f).failed = true;
  core::cancel_scope(*f.home);
}

/// A body that leaves scopes open has abandoned a coroutine in the middle of weft.scope: they are
/// cancelled, and their children go to the fiber's own scope, which waits for them.
void abandon_scopes(fiber& f) {
  while (f.innermost != f.home) {
    core::scope& open = *f.innermost;
    core::cancel_scope(open);
    while (core::scoped_task* child = open.children.front()) {
      static_cast<core::list_node*>(child)->unlink();
      const bool stays = child->innermost == child->home;
      f.home->children.push_back(*child);
      ++(child->daemon ? f.home->daemons : f.home->ordinary);
      child->home = f.home;
      if (stays) child->innermost = f.home;
      core::cancel_task(*child);
    }
    open.owner = nullptr;
    core::close_scope(f);
  }
}

/// weft.defer: the fiber goes on in another thread of its own with report.epilogue(ok, outcome...),
/// called under protection. False: not enough memory, the deferred functions are lost with the
/// fiber's outcome.
bool begin_epilogue(state& s, fiber& f, int status) {
  lua_State* L = s.L;
  f.has_defers = false;
  lua_pushvalue(L, state::epilogue_index);
  s.ending = &f;
  s.ending_ok = status == 0;
  const bool ok = lua_pcall(L, 0, 0, 0) == 0;
  if (!ok) lua_pop(L, 1);
  return ok;
}

/// Of begin_epilogue: a new thread in the fiber's slot, with the outcome of the old one as
/// arguments.
int epilogue(lua_State* L) {
  state& s = state_of(L);
  fiber& f = *s.ending;
  const int outcome = s.ending_ok ? lua_gettop(f.co) : 1;
  push_anchor(L, anchor_threads);
  lua_State* co = lua_newthread(L);
  if (!lua_checkstack(co, outcome + 2)) return luaL_error(L, "not enough memory");
  push_anchor(L, anchor_report);
  lua_getfield(L, -1, "epilogue");
  lua_pushboolean(L, s.ending_ok);
  lua_xmove(L, co, 2);
  lua_pop(L, 1);
  lua_xmove(f.co, co, outcome);
  lua_rawseti(L, -2, thread_place(f.slot));
  f.co = f.at = co;
  return 0;
}

#if LUA_VERSION_NUM >= 504
/// Closes the to-be-closed variables of a failed body; the error stays on top. Their handlers run
/// as the fiber, but cannot wait: Lua closes a dead thread from outside. What one raises stands
/// beside the error, or takes the place of a cancellation.
void close_variables(state& s, fiber& f) {
  lua_State* L = s.L;
  const bool cancelled = is_cancelled_value(f.co, s);
  lua_pushvalue(f.co, -1);
  lua_xmove(f.co, L, 1);
  s.current = &f;
  s.inner = nullptr;
  s.closing = true;
  lua_resetthread(f.co);
  s.closing = false;
  retract(f, s);
  s.current = nullptr;
  if (lua_gettop(f.co) == 0) return lua_xmove(L, f.co, 1);
  lua_pushvalue(f.co, -1);
  lua_xmove(f.co, L, 1);
  const bool raised = !lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  if (!raised || cancelled) return lua_pop(L, 1);
  report(s, f, "close_failed", 1);
  lua_xmove(L, f.co, 1);
}
#endif

/// The traceback is taken while the stack stands.
void body_failed(state& s, fiber& f) {
  if (!lua_checkstack(f.co, 2) || !lua_checkstack(s.L, 3)) return;
  if (LUA_VERSION_NUM >= 504 || f.has_defers) report(s, f, "body_failed", lua_gettop(f.co), true);
#if LUA_VERSION_NUM >= 504
  close_variables(s, f);
#endif
}

void finish(state& s, fiber& f, int status) {
  s.current = &f;
  retract(f, s);
  s.current = nullptr;
  if (status != 0) body_failed(s, f);
  if (f.has_defers && begin_epilogue(s, f, status)) return s.at().ready(f);
  if (f.done && call_done(s.L, f)) lua_pop(s.L, 1);
  if (status == 0) {
    f.state = core::task_state::done;
    if (lua_gettop(f.co) > 0) report(s, f, "results", 1);
    wake_joiners(f);
  } else if (f.cancel_pending && is_cancelled_value(f.co, s)) {
    f.state = core::task_state::cancelled;
    wake_joiners(f);
  } else {
    fail(s, f);
  }
  if (f.innermost != f.home) abandon_scopes(f);
  core::worker& w = s.at();
  if (const core::hooks* h = w.observer(); h && h->end) h->end(h->context, f);
  --s.live;
  if (f.posted) s.shared->event_ended();
  core::leave_scope(f);
  give_back(s, f, status);
}

#if LUA_VERSION_NUM < 502
/// 5.1: what is on the stack becomes the results; the status that park() left below tells the Lua
/// frame whether to look further.
void mark_outcome(fiber& f) {
  if (f.winner != core::winner_cancelled && !f.closed) return;
  lua_settop(f.at, 0);
  lua_pushboolean(f.at, 0);
}
#endif

[[gnu::always_inline]] inline void resume_fiber(state& s, core::worker& w, fiber& f) {
  int arguments = 0;
  if (f.in_wait) {
    if (f.published) retract_all(f, s);
    if (f.offered) lua_pop(f.at, f.offered);
    f.offered = 0;
    f.in_wait = false;
#if LUA_VERSION_NUM < 502
    mark_outcome(f);
    if (f.at == f.co) arguments = lua_gettop(f.co);
#endif
  } else {
    arguments = lua_gettop(f.co) - 1;
  }
  s.current = &f;
  s.inner = nullptr;
  running = {f.co, &s};
  if (s.watch.any()) [[unlikely]]
    begin_watch(s, f);
  f.state = core::task_state::running;
  int results = 0;
  const int status = resume(f.co, s.L, arguments, results);
  s.current = nullptr;
  running.L = nullptr;
  if (is_inherited(s)) [[unlikely]]
    return w.stop();  // the child of a fork: nothing here is its own
  if (status != LUA_YIELD) {
    finish(s, f, status);
  } else if (!f.in_wait) {  // a coroutine.yield of the user's own, past our replacement
    lua_settop(f.co, 0);
    lua_pushliteral(f.co, "attempt to yield from outside a coroutine");
    finish(s, f, LUA_ERRRUN);
  } else {
    if (is_shared(f, s)) [[unlikely]]
      publish_shared(s, f);
    if (const core::hooks* h = w.observer(); h && h->park) h->park(h->context, f);
  }
}

/// All fibers of a batch in one frame: a yield leaves C frames behind by longjmp, so the processor
/// predicts each return wrong that comes after it.
void run_fiber(core::task& t, core::worker& w) {
  state& s = *static_cast<const fiber_kind*>(t.kind)->of;
  for (core::task* next = &t; next; next = w.next_of(s.kind))
    resume_fiber(s, w, static_cast<fiber&>(*next));
  if (is_sparse(s) && !w.has_ready()) [[unlikely]]
    compact_threads(s);
}

// ---- join ----

struct join_operation : operation {
  fiber* target;  // reference 1
};

bool join_ready(state&, fiber&, operation& o) {
  return static_cast<join_operation&>(o).target->ended();
}
void join_publish(state&, fiber&, operation& o, core::wait_record& r) {
  r.place = static_cast<join_operation&>(o).target;
  static_cast<join_operation&>(o).target->joiners.push_back(r);
}

/// The results, or raises what report.join_error gives.
int join_settle(lua_State* L, state&, fiber&, operation& o, int index) {
  const fiber& target = *static_cast<join_operation&>(o).target;
  get_reference(L, index, 1);
  const int handle = lua_gettop(L);
  if (target.state != core::task_state::done) {
    push_anchor(L, anchor_report);
    lua_getfield(L, -1, "join_error");
    lua_pushvalue(L, handle);
    lua_pushboolean(L, target.state == core::task_state::cancelled);
    lua_call(L, 2, 1);
    return lua_error(L);
  }
  push_extras(L, handle, false);
  if (lua_isnil(L, -1)) {
    lua_settop(L, handle - 1);
    return 0;
  }
  const int n = unpack(L, "too many results");
  lua_remove(L, handle);
  return n;
}

const operation_kind join_kind = {join_waits_for, join_ready, join_settle, join_publish,
                                  join_settle};

}  // namespace

thread_local constinit running_thread running;

state::state() noexcept
    : kind{{"fiber", run_fiber, wake_fiber}, this},
      shared_kind{{"fiber", run_fiber, wake_shared_fiber}, this} {}
state::~state() {
  forget_dumps(*this);
  destroy_kept(*this);
}

bool can_yield(lua_State* L, const state& s) {
#if LUA_VERSION_NUM >= 503
  return may_yield(L, s);
#elif LUA_VERSION_NUM == 501
  return s.isyieldable && may_yield(L, s);
#else
  (void)L, (void)s;
  return false;
#endif
}

void refuse_yield(lua_State* L, state& s, fiber& f) {
  retract_all(f, s);
  if (s.closing)
    raise(L,
          "cannot wait here: this is a __close of a fiber that has failed, which waits only "
          "inside a weft.scope or weft.pcall of that fiber");
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); ++level) {
    lua_getinfo(L, "nS", &frame);
    if (frame.what[0] != 'C') continue;
    raise(L, "cannot wait here: the C function '%s' is on the stack, and %s cannot yield across it",
          frame.name ? frame.name : "?", s.luajit ? "LuaJIT" : LUA_VERSION);
  }
  raise(L, "cannot wait here: a metamethod or iterator is on the stack that cannot yield");
}

void refuse_wait(lua_State* L, state& s, const char* function) {
  if (!s.current)
    raise(L, "'%s' may wait, which only a fiber can: call it inside weft.run or weft.spawn",
          function);
  raise(L,
        "'%s' inside a coroutine that was resumed by a function kept from before weft.run: use "
        "coroutine.resume or wrap as they are now",
        function);
}

void push_handle(lua_State* L, const fiber& f) {
  push_anchor(L, anchor_threads);
  lua_rawgeti(L, -1, handle_place(f.slot));
  lua_remove(L, -2);
}

void retract_all(fiber& f, state& s) noexcept {
  if (s.current == &f) {
    s.at().forget(f);
    f.state = core::task_state::running;
    f.in_wait = false;
  }
  f.published = false;
  if (f.arms) {
    for (std::uint32_t i = 0; i < f.arm_count; ++i)
      if (f.arms[i].linked()) f.arms[i].unlink();
    s.at().records().release(f.arms, f.arm_count);
    f.arms = nullptr;
    f.arm_count = 0;
  } else if (f.record.linked()) {
    f.record.unlink();
  }
  if (f.is_waiting()) f.complete_at_home(core::winner_unset);  // a yield that was refused
  if (is_shared(f, s)) [[unlikely]]
    retract_shared(s, f);
}

void raise_cancelled(lua_State* L, state& s, fiber& f) {
  push_anchor(L, anchor_report);
  if (f.raises < stubborn_raises && ++f.raises == stubborn_raises) {
    lua_getfield(L, -1, "stubborn");
    lua_call(L, 0, 0);
  }
  (void)s;
  lua_getfield(L, -1, "cancelled");
  push_handle(L, f);
  lua_call(L, 1, 1);
  lua_error(L);
  __builtin_unreachable();
}

namespace {

/// WEFT_DEBUG=spawn: f keeps the whole chain of spawns.
void trace_spawn(lua_State* L, state& s, fiber& f) {
  push_anchor(L, anchor_report);
  lua_getfield(L, -1, "spawned");
  push_handle(L, f);
  push_handle(L, *s.current);
  lua_call(L, 2, 0);
  lua_pop(L, 1);
}

void note_spawn(lua_State* L, state& s, fiber& f) {
  inherit_locals(L, s, f);
  if (s.trace_spawn && s.current) trace_spawn(L, s, f);
}

}  // namespace

fiber& spawn(lua_State* L, state& s, core::scope& home, int nargs, bool daemon) {
  const spare_thread thread = peek_thread(L, s);
  lua_State* co = thread.co;
  if (nargs >= LUA_MINSTACK && !lua_checkstack(co, nargs + 1)) luaL_error(L, "too many arguments");
  lua_xmove(L, co, nargs + 1);
  void* place = new_userdata(L, sizeof(fiber), 0);
  fiber& f = *::new (place) fiber(s.kind);
  push_anchor(L, anchor_fiber_mt);
  lua_setmetatable(L, -2);
  push_anchor(L, anchor_threads);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, handle_place(thread.slot));
  lua_Debug caller;
  if (lua_getstack(L, 1, &caller) && lua_getinfo(L, "fl", &caller)) {
    f.line = caller.currentline;
    lua_rawseti(L, -2, spawner_place(thread.slot));
  }
  lua_pop(L, 1);
  s.spare.pop_back();
  f.co = f.at = co;
  f.slot = thread.slot;
  f.id = ++s.fibers;
  f.daemon = daemon;
  ++s.live;
  core::worker& w = s.at();
  ++w.count().spawns;
  core::adopt(home, f);
  if (const core::hooks* h = w.observer(); h && h->spawn) h->spawn(h->context, f);
  w.ready(f);
  if (s.notes_spawns) [[unlikely]]
    note_spawn(L, s, f);
  return f;
}

int fiber_join_op(lua_State* L) {
  state& s = state_of(L);
  fiber* f = fiber_at(L, s, 1);
  if (!f) bad_argument(L, "join_op", 1, "fiber");
  new_operation<join_operation>(L, s, join_kind, 1).target = f;
  lua_pushvalue(L, 1);
  set_reference(L, -2, 1);
  return 1;
}

namespace {

int spawn_here(lua_State* L, const char* name, bool daemon, bool keeps_failure) {
  state& s = state_of(L);
  if (lua_type(L, 1) != LUA_TFUNCTION && !luaL_getmetafield(L, 1, "__call"))
    bad_argument(L, name, 1, "function");
  if (!s.root || (!s.current && is_inherited(s)))
    raise(L, "'%s' needs a runtime: call it inside weft.run, or weft.embed.attach first", name);
  core::scope& home = s.current ? *s.current->innermost : *s.root;
  spawn(L, s, home, lua_gettop(L) - 1, daemon).keeps_failure = keeps_failure;
  return 1;
}
int fiber_spawn(lua_State* L) { return spawn_here(L, "spawn", false, false); }
int fiber_async(lua_State* L) { return spawn_here(L, "async", false, true); }
int fiber_daemon(lua_State* L) { return spawn_here(L, "daemon", true, false); }

int fiber_has_defers(lua_State* L) {
  fiber_at(L, state_of(L), 1)->has_defers = true;
  return 0;
}

const luaL_Reg functions[] = {{"spawn", fiber_spawn},
                              {"async", fiber_async},
                              {"daemon", fiber_daemon},
                              {"fiber_has_defers", fiber_has_defers},
                              {nullptr, nullptr}};

}  // namespace

void push_epilogue(lua_State* L) { push_internal(L, epilogue); }

void open_fibers(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
