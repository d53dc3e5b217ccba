// SPDX-License-Identifier: MIT
// Blocking inside a coroutine that the user made. While a runtime is live in the state, resume and
// wrap of the coroutine table are replaced by these, which behave the same, but pass a yield to the
// scheduler on: a wait inside a coroutine suspends each resume between it and the fiber, and what
// it waits for is delivered straight to the innermost stack (fiber::at). status, running and close
// know of such waits.
#include <utility>

#include "lua/fiber.hpp"

namespace weft::inline v0::lua {

namespace {

/// Coroutines in the middle of a wait, so that nobody else resumes them: a weak-keyed set.
void mark_waiting(lua_State* L, state& s, lua_State* co, bool yes) {
  s.waits_inside += yes ? 1U : -1U;
  push_anchor(L, anchor_waiting);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  if (yes)
    lua_pushboolean(L, 1);
  else
    lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}
bool is_waiting(lua_State* L, lua_State* co) {
  push_anchor(L, anchor_waiting);
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  lua_rawget(L, -2);
  const bool yes = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return yes;
}

enum : int { failed = -1, waits = -2 };

// start and step are of one frame with the functions that Lua calls: when a yield has left frames
// behind by longjmp, the processor predicts each return on the way up wrong.

/// One resume of co, whose arguments are on its stack: the number of values that it gave, now on L;
/// failed, with the error on L; or waits.
[[gnu::always_inline]] inline int step(lua_State* L, state& s, lua_State* co, int arguments) {
  lua_State* outer = std::exchange(s.inner, co);
  int results = 0;
  const int status = resume(co, L, arguments, results);
  s.inner = outer;
  if (status == LUA_YIELD && s.current && s.current->in_wait) {
    mark_waiting(L, s, co, true);
    return waits;
  }
  if (status != 0 && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return failed;
  }
  if (results >= LUA_MINSTACK / 2 && !lua_checkstack(L, results + 1)) [[unlikely]] {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return failed;
  }
  lua_xmove(co, L, results);
  return results;
}

/// Why co cannot be resumed, or null. 5.4 looks itself, but does not know of our waits.
inline const char* refusal(lua_State* L, const state& s, lua_State* co) {
  constexpr const char* active = "cannot resume non-suspended coroutine";
  if (s.waits_inside && is_waiting(L, co)) return active;
#if LUA_VERSION_NUM < 504
  const int status = lua_status(co);
  lua_Debug frame;
  if (status == 0 && lua_getstack(co, 0, &frame)) return active;
  if (status == 0 ? lua_gettop(co) == 0 : status != LUA_YIELD)
    return "cannot resume dead coroutine";
#endif
  return nullptr;
}

/// As the stock resume begins: checks, and moves the arguments over.
[[gnu::always_inline]] inline int start(lua_State* L, state& s, lua_State* co, int arguments) {
  if (const char* why = refusal(L, s, co)) {
    lua_pushstring(L, why);
    return failed;
  }
  if (arguments == 0) return step(L, s, co, 0);
  if (!lua_checkstack(co, arguments)) {
    lua_pushliteral(L, "too many arguments to resume");
    return failed;
  }
  lua_xmove(L, co, arguments);
  return step(L, s, co, arguments);
}

lua_State* resumed(lua_State* L) { return lua_tothread(L, 1); }

/// After a wait inside co: goes on with it.
int go_on(lua_State* L, state& s, lua_State* co) {
  mark_waiting(L, s, co, false);
  int arguments = 0;
  if constexpr (!has_continuations)
    if (s.current->at == co) arguments = lua_gettop(co);
  return step(L, s, co, arguments);
}

/// What resume gives: true takes the place of the coroutine, below what it gave.
int give(lua_State* L, int results) {
  if (results == failed) {
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  lua_pushboolean(L, 1);
  lua_replace(L, 1);
  return results + 1;
}

#if LUA_VERSION_NUM >= 502
constexpr int wrapped_upvalue = 3;

/// As the stock wrap propagates an error: a string gets the position of the caller in front.
[[noreturn]] void propagate(lua_State* L, lua_State* co) {
  (void)co;
#if LUA_VERSION_NUM >= 504
  const int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    if (lua_resetthread(co) != LUA_OK)
      lua_xmove(co, L, 1);  // an error in a __close takes its place
  }
#endif
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  lua_error(L);
  __builtin_unreachable();
}

WEFT_CONTINUATION(resume_again) {
  const int results = go_on(L, s, resumed(L));
  if (results == waits) return yield(L, s, 0, resume_again);
  return give(L, results);
}

int coroutine_resume(lua_State* L) {
  state& s = state_of(L);
  luaL_checktype(L, 1, LUA_TTHREAD);
  const int results = start(L, s, resumed(L), lua_gettop(L) - 1);
  if (results == waits) return yield(L, s, 0, resume_again);
  return give(L, results);
}

WEFT_CONTINUATION(wrapped_again) {
  lua_State* co = lua_tothread(L, lua_upvalueindex(wrapped_upvalue));
  const int results = go_on(L, s, co);
  if (results == waits) return yield(L, s, 0, wrapped_again);
  if (results == failed) propagate(L, co);
  return results;
}

int wrapped_call(lua_State* L) {
  state& s = state_of(L);
  lua_State* co = lua_tothread(L, lua_upvalueindex(wrapped_upvalue));
  const int results = start(L, s, co, lua_gettop(L));
  if (results == waits) return yield(L, s, 0, wrapped_again);
  if (results == failed) propagate(L, co);
  return results;
}

int coroutine_wrap(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State* co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushvalue(L, lua_upvalueindex(state_upvalue));
  lua_pushvalue(L, lua_upvalueindex(anchors_upvalue));
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, wrapped_call, 3);
  return 1;
}
#else
int tell(lua_State* L, int results) {
  if (results == waits) {
    lua_pushnil(L);
    return 1;
  }
  return give(L, results);
}

/// co, ... -> true, values; false, error; or nil: it waits. The frame then yields and goes on.
int coroutine_start(lua_State* L) {
  lua_State* co = resumed(L);
  if (!co) [[unlikely]]
    bad_argument(L, "resume", 1, "coroutine");
  return tell(L, start(L, state_of(L), co, lua_gettop(L) - 1));
}
int coroutine_go_on(lua_State* L) { return tell(L, go_on(L, state_of(L), resumed(L))); }
int coroutine_pass(lua_State* L) { return lua_yield(L, 0); }
#endif

/// In a fiber's own thread only the scheduler resumes.
int coroutine_yield(lua_State* L) {
  const state& s = state_of(L);
  if (s.current && s.current->co == L) raise(L, "attempt to yield from outside a coroutine");
  return lua_yield(L, lua_gettop(L));
}

/// waiting(co) -> whether it is suspended by a wait inside it: normal, for all anybody else can do.
int coroutine_waiting(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTHREAD);
  lua_pushboolean(L, is_waiting(L, lua_tothread(L, 1)));
  return 1;
}

/// expose(): the running coroutine has been handed out; a fiber's own thread is then not reused.
int coroutine_expose(lua_State* L) {
  state& s = state_of(L);
  if (s.current) s.current->exposed = true;
  return 0;
}

/// in_fiber() -> whether the caller runs in a fiber's own thread, where only the scheduler resumes.
int coroutine_in_fiber(lua_State* L) {
  state& s = state_of(L);
  lua_pushboolean(L, s.current && s.current->co == L);
  return 1;
}

const luaL_Reg functions[] = {
#if LUA_VERSION_NUM >= 502
    {"coroutine_resume", coroutine_resume},
    {"coroutine_wrap", coroutine_wrap},
#else
    {"coroutine_start", coroutine_start},
    {"coroutine_go_on", coroutine_go_on},
    {"coroutine_pass", coroutine_pass},
#endif
    {"coroutine_yield", coroutine_yield},
    {"coroutine_waiting", coroutine_waiting},
    {"coroutine_expose", coroutine_expose},
    {"coroutine_in_fiber", coroutine_in_fiber},
    {nullptr, nullptr}};

}  // namespace

void open_coroutines(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
