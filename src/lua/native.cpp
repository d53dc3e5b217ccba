// SPDX-License-Identifier: MIT
// A function that does not wait is called where it stands. One that gives a task is an operation,
// performed by a frame of lua/weft/native.lua: its arm begins the task, and cancels it when the
// fiber is cancelled.
#include "lua/native.hpp"

#include <memory>

#include "lua/operation.hpp"
#include "lua/packed.hpp"
#include "lua/shared.hpp"
#include "lua/value.hpp"

namespace weft::inline v0::lua {

namespace {

constexpr int function_upvalue = 3;

using later_operation = oneshot_operation<detail::native_outcome>;

/// One call. Kept in state::settling once it is over, until its results are pushed.
struct native_arm final : shared_arm {
  native_arm(const shared_arm_kind* k, state& s) noexcept
      : shared_arm{k, s.worker}, call(s.tasks, s.worker) {}

  detail::native_call call;
  std::optional<later_operation::arm> later;
};

native_arm& as_native(shared_arm& a) noexcept { return static_cast<native_arm&>(a); }

bool never_now(shared_arm&, performer&) noexcept { return false; }

core::pass publish(shared_arm& a, performer& p) noexcept {
  native_arm& arm = as_native(a);
  if (arm.later) return arm.later->publish(p, a.index);
  core::task& t = p.task();  // it has failed at once
  return t.complete(t.generation(), a.index) ? core::pass::done : core::pass::decided;
}

void retract(shared_arm& a, performer& p, bool won) noexcept {
  native_arm& arm = as_native(a);
  if (arm.later) arm.later->retract(p);
  if (!won && arm.call.task) arm.call.task->cancel();
}

void destroy(shared_arm* a) noexcept { const std::unique_ptr<native_arm> gone(&as_native(*a)); }

const shared_arm_kind native_arm_kind = {never_now, publish, retract, destroy};

/// Null for want of memory.
native_arm* make_arm(state& s) noexcept {
  return new (std::nothrow) native_arm(&native_arm_kind, s);
}

/// Reads the arguments at first ... top, which are fit. False: not enough memory.
bool read_arguments(lua_State* L, state& s, native_arm& arm, int first) noexcept {
  const int n = lua_gettop(L);
  try {
    for (int i = first; i <= n; ++i) arm.call.arguments.push_back(value_at(L, s, i));
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

/// Pushes what the kept arm has come to, and lets it go.
int push_outcome(lua_State* L, state& s, native_arm& arm) {
  const detail::native_outcome& out = arm.call.outcome;
  if (out.failed) {
    lua_pushlstring(L, out.error.data(), out.error.size());
    destroy_kept(s, arm);
    raise(L, "%s", lua_tostring(L, -1));
  }
  const int n = static_cast<int>(out.results.size());
  luaL_checkstack(L, n + 8, "too many results");
  for (const value& v : out.results) push_value(L, v);
  destroy_kept(s, arm);
  return n;
}

/// A finalizer may call a function whose own has run.
native_function& function_of(lua_State* L, int index) {
  shared_object* f = static_cast<held_object*>(lua_touserdata(L, index))->object;
  if (!f) raise(L, "the function of C++ has been collected");
  return static_cast<native_function&>(*f);
}

void check_arguments(lua_State* L, state& s) {
  for (int i = 1; i <= lua_gettop(L); ++i)
    if (const char* what = unfit(L, s, i))
      raise(L, "bad argument #%d (a %s cannot leave its state)", i, what);
}

native_arm& checked(lua_State* L, state& s, native_arm* arm, int first) {
  if (arm && !read_arguments(L, s, *arm, first)) {
    destroy(arm);
    arm = nullptr;
  }
  if (!arm) luaL_error(L, "not enough memory");
  return *arm;
}

int call_now(lua_State* L) {
  state& s = state_of(L);
  native_function& f = function_of(L, lua_upvalueindex(function_upvalue));
  check_arguments(L, s);
  native_arm& arm = checked(L, s, make_arm(s), 1);
  keep(s, arm);
  f.call(arm.call);
  return push_outcome(L, s, arm);
}

// ---- functions that wait ----

bool not_now(state&, fiber&, operation&) { return false; }
int never_attempted(lua_State*, state&, fiber&, operation&, int) { return not_ready; }

/// Takes what the task has left.
void take_outcome(native_arm& arm, performer& p) noexcept {
  if (!arm.later) return;
  std::optional<detail::native_outcome> out = arm.later->settle(p);
  if (out) {
    arm.call.outcome = std::move(*out);
  } else {
    arm.call.outcome.failed = true;  // it was never run, or had no memory for more
  }
}

int call_settle(lua_State* L, state& s, fiber& f, operation&, int) {
  native_arm& arm = as_native(kept_arm(f));
  performer p(f, s.worker);
  take_outcome(arm, p);
  return push_outcome(L, s, arm);
}

/// Reference 1 is the function, reference 2 a table of its arguments.
shared_arm& call_arm(lua_State* L, state& s, operation&, int index) {
  const int top = lua_gettop(L);
  get_reference(L, index, 1);
  native_function& f = function_of(L, -1);
  lua_settop(L, top);
  get_reference(L, index, 2);
  unpack(L, "too many arguments");
  luaL_checkstack(L, 8, "too many arguments");
  native_arm& arm = checked(L, s, make_arm(s), top + 1);
  lua_settop(L, top);
  f.call(arm.call);
  if (arm.call.later) arm.later.emplace(arm.call.later->recv_op());
  return arm;
}

const operation_kind call_kind = {.waits_for = "a task of C++",
                                  .ready = not_now,
                                  .attempt = never_attempted,
                                  .publish = nullptr,
                                  .settle = call_settle,
                                  .shared = call_arm};

int call_op(lua_State* L) {
  state& s = state_of(L);
  if (!s.tasks)
    raise(L, "a function of C++ that waits needs a state that is open in a weft::lua_state");
  check_arguments(L, s);
  push_packed(L, 1);
  new_operation<operation>(L, s, call_kind, 2);
  lua_insert(L, -2);
  set_reference(L, -2, 2);
  lua_pushvalue(L, lua_upvalueindex(function_upvalue));
  set_reference(L, -2, 1);
  return 1;
}

/// set_native(f): of lua/weft/native.lua.
int set_native(lua_State* L) {
  lua_settop(L, 1);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_native);
  return 0;
}

const luaL_Reg functions[] = {{"set_native", set_native}, {nullptr, nullptr}};

}  // namespace

void push_native(lua_State* L, native_function& f) {
  const bool blocks = f.blocks();
  if (blocks) push_anchor(L, anchor_native);
  lua_pushvalue(L, lua_upvalueindex(state_upvalue));
  lua_pushvalue(L, lua_upvalueindex(anchors_upvalue));
  held_object& held = new_held(L, anchor_object_mt);
  f.add_reference();
  held.object = &f;
  lua_pushcclosure(L, blocks ? call_op : call_now, function_upvalue);
  if (blocks) lua_call(L, 1, 1);
}

void open_natives(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
