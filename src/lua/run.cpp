// SPDX-License-Identifier: MIT
// weft.run: attaches the state, unless it is, and drives it. A supervisor waits for the root's
// children, and stops the worker when nothing is left.
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "lua/attach.hpp"
#include "lua/threads.hpp"
#include "lua/watch.hpp"

namespace weft::inline v0::lua {

/// Cancels the root scope of the run that this process is in, at its next turn. Async-signal-safe.
void interrupt() noexcept;

namespace {

// Ctrl-C in the weft command: set by the signal handler, looked at once a turn.
std::atomic<int> interrupts{0};
std::atomic<core::worker*> interruptible{nullptr};

/// Watches the root scope. Its daemons go when the last ordinary child has ended.
struct supervisor : core::task {
  explicit supervisor(lua::state& s) noexcept;

  void watch() {
    begin_plain();
    record.owner = this;
    home.root->emptied.push_back(record);
  }

  lua::state& home;
  core::wait_record record;
};

void supervise(core::task& t, core::worker& w) {
  auto& self = static_cast<supervisor&>(t);
  core::scope& root = *self.home.root;
  if (root.ordinary == 0 && !root.empty()) core::cancel_daemons(root);
  if (root.empty())
    w.stop();
  else
    self.watch();
}
void wake_supervisor(core::task& t) noexcept { static_cast<supervisor&>(t).home.at().ready(t); }
const core::task_kind supervisor_kind = {"supervisor", supervise, wake_supervisor};

supervisor::supervisor(lua::state& s) noexcept : core::task(supervisor_kind), home(s) {}

/// The loop, until the root's children have ended. Its guard has a destructor, so nothing in here
/// may raise: fibers run under lua_resume, and everything else that could is called with lua_pcall.
core::worker::outcome drive(state& s) noexcept {
  supervisor watcher(s);
  watcher.watch();
  const driving guard(s);
  for (;;) {
    const core::worker::outcome o = s.worker->turn(core::forever);
    if (o != core::worker::outcome::ran) {
      if (watcher.record.linked()) watcher.record.unlink();
      s.worker->clear_stop();
      return o;
    }
    if (interrupts.load(std::memory_order_relaxed)) core::cancel_scope(*s.root);
    if (take_dump_request()) dump(s);
  }
}

/// Runs what is still queued (alarms of scopes that have ended) so that nothing is left behind.
void drain(state& s) noexcept {
  const driving guard(s);
  while (s.worker->has_ready()) s.worker->turn(0);
}

/// The report of a deadlock on top of L, and everything is cancelled.
void report_deadlock(lua_State* L, state& s) {
  lua_getfield(L, state::report_index, "deadlock");
  if (lua_pcall(L, 0, 1, 0) != 0) lua_tostring(L, -1);
  core::cancel_scope(*s.root);
}

/// run_loop(own, backend, seed, virtual_time, { watchdog, preempt }, f, ...) -> the main fiber's
/// handle, root's failures or nil, what kind of end: true, or the deadlock's report, whether Ctrl-C
/// ended it; or nil, message. All children of its root have ended then. own: a worker of its own;
/// else the one that the state is attached to, whose other fibers go on meanwhile. Other runs of
/// this state wait.
int run_loop(lua_State* L) {
  state& s = state_of(L);
  const bool own = lua_toboolean(L, 1) || !s.worker;
  const worker_options options = {
      .backend = luaL_optstring(L, 2, nullptr),
      .seeded = !lua_isnil(L, 3),
      .seed = static_cast<std::uint64_t>(lua_tointeger(L, 3)),
      .virtual_time = static_cast<bool>(lua_toboolean(L, 4)),
  };
  const watch_options watch = read_watch(L, 5);
  const int nargs = lua_gettop(L) - 6;
  scope_object& root = push_frame(L, s);
  for (int i = 0; i < state::frame_size; ++i) lua_insert(L, 1);
  attachment outer;
  if (!own) {
    outer = begin_attachment(s, L, s.at(), false, root);
  } else if (const char* error = begin_own_attachment(s, L, options, root, outer)) {
    release_scope(L, root);
    raise(L, "%s", error);
  }
  s.watch = watch;
  spawn(L, s, root, nargs, false);
  const int main = lua_gettop(L);
  interruptible.store(s.worker);
  lua_pushboolean(L, 1);
  while (drive(s) == core::worker::outcome::idle) {
    lua_settop(L, main);
    report_deadlock(L, s);
  }
  interruptible.store(outer.worker);
  if (is_inherited(s)) {
    forget_parent(s);
    static_cast<attachment&>(s) = outer;
    lua_pushnil(L);  // not raised here: LuaJIT crashes then if its compiled code called this
    lua_pushliteral(L, "this process was forked inside weft.run: the runtime is its parent's");
    return 2;
  }
  if (own && s.shared) s.shared->move_to(nullptr, false);
  if (own) drain(s);
  if (is_sparse(s)) compact_threads(s);
  get_reference(L, state::root_index, 1);
  lua_insert(L, -2);
  end_attachment(L, s, outer);
  lua_pushboolean(L, interrupts.load(std::memory_order_relaxed) != 0);
  return 4;
}

int run_cancel_root(lua_State* L) {
  state& s = state_of(L);
  if (s.root) core::cancel_scope(*s.root);
  return 0;
}

/// attached() -> whether it is, whether a fiber is running, whether the worker is its own.
int run_attached(lua_State* L) {
  state& s = state_of(L);
  forget_parent(s);
  lua_pushboolean(L, s.worker != nullptr);
  lua_pushboolean(L, s.current != nullptr);
  lua_pushboolean(L, s.owns_worker);
  return 3;
}

void on_interrupt(int) {
  const int kept = errno;
  interrupt();
  errno = kept;
}

/// catch_interrupt(): Ctrl-C cancels the root scope, and a second one kills. For the weft command:
/// a library does not take signals. A process that was started to ignore Ctrl-C goes on to do so.
int run_catch_interrupt(lua_State*) {
  struct sigaction action = {};
  if (::sigaction(SIGINT, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) return 0;
  action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // and no SA_RESTART: a blocked read ends too
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  return 0;
}

int run_interrupted(lua_State* L) {
  lua_pushboolean(L, interrupts.load(std::memory_order_relaxed) != 0);
  return 1;
}

const luaL_Reg functions[] = {
    {"run_loop", run_loop},           {"catch_interrupt", run_catch_interrupt},
    {"interrupted", run_interrupted}, {"cancel_root", run_cancel_root},
    {"attached", run_attached},       {nullptr, nullptr}};

}  // namespace

void interrupt() noexcept {
  interrupts.fetch_add(1, std::memory_order_relaxed);
  if (core::worker* w = interruptible.load()) w->ring();
}

void open_run(lua_State* L) { add_functions(L, functions); }

}  // namespace weft::inline v0::lua
