// SPDX-License-Identifier: MIT
#include "lua/watch.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace weft::inline v0::lua {

namespace {

// Instructions between two looks at the clock: some 50 us of a plain loop.
constexpr int interval = 10'000;

std::atomic<bool> dump_requested{false};
// The state whose fiber the signal handler interrupts; set while a run with a dump signal is on.
std::atomic<state*> dumped{nullptr};

/// A hook has no upvalues; the loop that is running knows its state.
state& running_state() { return *running.s; }

/// Calls report.NAME() in a hook, on the fiber's own stack, where no upvalues are at hand.
void call_report(lua_State* L, const char* name) {
  lua_getfield(L, LUA_REGISTRYINDEX, report_key);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  lua_call(L, 0, 0);
}

void on_interval(lua_State* L, lua_Debug*) {
  state& s = running_state();
  fiber* f = s.current;
  if (!f) return;
  const double ran = static_cast<double>(core::clock_now() - s.running_since) / 1e9;
  if (s.watch.watchdog > 0 && ran > s.watch.watchdog && !s.named) {
    s.named = true;
    call_report(L, "spins");
  }
  if (s.watch.preempt <= 0 || ran <= s.watch.preempt) return;
#if LUA_VERSION_NUM >= 503
  if (!lua_isyieldable(L) || (L != f->co && L != s.inner)) return;
  s.at().ready(*f);
  f->at = L;
  f->in_wait = true;
  f->why = "the run queue";
  f->offered = 0;
  lua_yield(L, 0);
#endif
}

void on_dump(lua_State* L, lua_Debug*) {
  state& s = running_state();
  if (s.watch.any())
    lua_sethook(L, on_interval, LUA_MASKCOUNT, interval);
  else
    lua_sethook(L, nullptr, 0, 0);
  if (take_dump_request()) call_report(L, "dump");
}

void on_dump_signal(int) {
  const int kept = errno;
  request_dump();
  errno = kept;
}

/// catch_dump(name) -> whether it is a signal that can be taken.
int watch_catch_dump(lua_State* L) {
  const char* name = luaL_checkstring(L, 1);
  static const struct {
    const char* name;
    int number;
  } signals[] = {{"SIGQUIT", SIGQUIT}, {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}};
  dumped.store(&state_of(L));
  for (const auto& signal : signals) {
    if (std::string_view(name) != signal.name) continue;
    struct sigaction action = {};
    action.sa_handler = on_dump_signal;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal.number, &action, nullptr);
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  return 1;
}

/// watch(watchdog, preempt): seconds, for the run in progress, from the running fiber on. Returns
/// both as they were.
int watch_set(lua_State* L) {
  state& s = state_of(L);
  const watch_options before = s.watch;
  s.watch = {luaL_checknumber(L, 1), luaL_checknumber(L, 2)};
  if (s.watch.any() && s.current) {
    s.running_since = core::clock_now();
    s.named = false;
    lua_sethook(L, on_interval, LUA_MASKCOUNT, interval);
  }
  lua_pushnumber(L, before.watchdog);
  lua_pushnumber(L, before.preempt);
  return 2;
}

const luaL_Reg functions[] = {
    {"catch_dump", watch_catch_dump}, {"watch", watch_set}, {nullptr, nullptr}};

double seconds_of(lua_State* L, int index, const char* field) {
  lua_getfield(L, index, field);
  const double seconds = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return seconds;
}

}  // namespace

watch_options read_watch(lua_State* L, int index) {
  if (!lua_istable(L, index)) return {};
  return {seconds_of(L, index, "watchdog"), seconds_of(L, index, "preempt")};
}

void begin_watch(state& s, fiber& f) {
  s.running_since = core::clock_now();
  s.named = false;
  lua_State* L = f.in_wait || f.at ? f.at : f.co;
  lua_sethook(L, on_interval, LUA_MASKCOUNT, interval);
}

void request_dump() noexcept {
  dump_requested.store(true);
  state* s = dumped.load();
  if (!s || !s->worker) return;
  if (fiber* f = s->current)
    lua_sethook(s->inner ? s->inner : f->co, on_dump, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT,
                1);
  else
    s->worker->ring();
}

void forget_dumps(state& s) noexcept {
  state* mine = &s;
  dumped.compare_exchange_strong(mine, nullptr);
}

bool take_dump_request() noexcept {
  return dump_requested.load(std::memory_order_relaxed) && dump_requested.exchange(false);
}

void dump(state& s) {
  lua_State* L = s.L;
  lua_getfield(L, state::report_index, "dump");
  if (lua_pcall(L, 0, 0, 0) != 0) lua_pop(L, 1);
}

void open_watch(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
