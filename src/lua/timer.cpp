// SPDX-License-Identifier: MIT
// now, yield, sleep and sleep_until, with their operations. A deadline counts from the call of
// sleep, and from the perform of a sleep_op.
#include <ctime>

#include "lua/operation.hpp"

namespace weft::inline v0::lua {

namespace {

struct sleep_operation : operation {
  core::nanoseconds length;  // or the deadline itself
  bool absolute;
};

core::nanoseconds deadline_of(state& s, const sleep_operation& o) {
  if (o.absolute || o.length == core::forever) return o.length;
  const core::nanoseconds now = s.at().now();
  return o.length > core::forever - now ? core::forever : now + o.length;
}

bool sleep_ready(state& s, fiber&, operation& o) {
  const auto& sleep = static_cast<sleep_operation&>(o);
  return sleep.absolute ? sleep.length <= s.at().now() : sleep.length == 0;
}
int sleep_attempt(lua_State*, state&, fiber&, operation&, int) { return 0; }
void sleep_publish(state& s, fiber&, operation& o, core::wait_record& r) {
  const core::nanoseconds deadline = deadline_of(s, static_cast<sleep_operation&>(o));
  if (deadline != core::forever) s.at().arm_timer(r, deadline);
}
int sleep_settle(lua_State*, state&, fiber&, operation&, int) { return 0; }

const operation_kind sleep_kind = {"a timer",     sleep_ready,  sleep_attempt,
                                   sleep_publish, sleep_settle, 0};

/// What weft.timeout gives when its time has come.
int timed_out(lua_State* L, state&, fiber&, operation&, int) {
  lua_pushnil(L);
  lua_pushliteral(L, "timeout");
  lua_pushliteral(L, "timeout");
  return 3;
}
const operation_kind timeout_kind = {.waits_for = "a timer",
                                     .ready = sleep_ready,
                                     .attempt = timed_out,
                                     .publish = sleep_publish,
                                     .settle = timed_out,
                                     .lasting = true};

/// The seconds are argument `index` of the function `name`.
int new_sleep(lua_State* L, const operation_kind& kind, const char* name, int index,
              bool absolute) {
  state& s = state_of(L);
  const core::nanoseconds length = check_duration(L, name, index);
  auto& o = new_operation<sleep_operation>(L, s, kind, 0);
  o.length = length;
  o.absolute = absolute;
  return 1;
}
int timer_sleep_op(lua_State* L) { return new_sleep(L, sleep_kind, "sleep_op", 1, false); }
int timer_sleep_until_op(lua_State* L) {
  return new_sleep(L, sleep_kind, "sleep_until_op", 1, true);
}
/// timeout_op(op, seconds): the arm beside op.
int timer_timeout_op(lua_State* L) { return new_sleep(L, timeout_kind, "timeout", 2, false); }

WEFT_CONTINUATION(woken) {
  if (s.current->winner == core::winner_cancelled) raise_cancelled(L, s, *s.current);
  return 0;
}

[[gnu::always_inline]] inline int go_behind(lua_State* L, state& s, fiber& f) {
  f.winner = f.cancel_pending ? core::winner_cancelled : 0;
  f.closed = false;
  return reschedule(L, s, f, true, woken);
}

[[gnu::always_inline]] inline int sleep_until(lua_State* L, const char* name, bool absolute) {
  state& s = state_of(L);
  core::nanoseconds t = check_duration(L, name, 1);
  fiber& f = running_fiber(L, s, name);
  retract(f, s);
  if (f.cancel_pending || (!absolute && t == 0)) return go_behind(L, s, f);
  if (!absolute && t != core::forever) {
    const core::nanoseconds now = s.at().now();
    t = t > core::forever - now ? core::forever : now + t;
  }
  begin(f);
  f.record.owner = &f;
  f.record.arm = 0;
  if (t != core::forever) s.at().arm_timer(f.record, t);
  push_status(L, true);
  return park(L, s, f, sleep_kind.waits_for, 0, woken);
}
int timer_sleep(lua_State* L) { return sleep_until(L, "sleep", false); }
int timer_sleep_until(lua_State* L) { return sleep_until(L, "sleep_until", true); }

int timer_yield(lua_State* L) {
  state& s = state_of(L);
  fiber& f = running_fiber(L, s, "yield");
  retract(f, s);
  return go_behind(L, s, f);
}

/// 5.1: after a yield or sleep that did not simply end.
int timer_finish(lua_State* L) { return woken_body(L, state_of(L)); }

int timer_now(lua_State* L) {
  state& s = state_of(L);
  const core::nanoseconds now = s.worker ? s.at().now() : core::clock_now();
  lua_pushnumber(L, static_cast<double>(now) / 1e9);
  return 1;
}

/// time() -> seconds since 1970 by the wall clock.
int timer_time(lua_State* L) {
  timespec t = {};
  ::clock_gettime(CLOCK_REALTIME, &t);
  lua_pushnumber(L, static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9);
  return 1;
}

const luaL_Reg functions[] = {{"now", timer_now},
                              {"time", timer_time},
                              {"yield", timer_yield},
                              {"sleep", timer_sleep},
                              {"sleep_until", timer_sleep_until},
                              {"sleep_op", timer_sleep_op},
                              {"sleep_until_op", timer_sleep_until_op},
                              {"timeout_op", timer_timeout_op},
                              {"finish_wait", timer_finish},
                              {nullptr, nullptr}};

}  // namespace

void open_timers(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
