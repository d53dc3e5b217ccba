// SPDX-License-Identifier: MIT
// Attaching a state to a worker and driving it: weft.run. While it is attached there is a root
// scope; a supervisor waits for the root's children, and stops the worker when nothing is left.
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <new>

#include "lua/operation.hpp"
#include "lua/scope.hpp"
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

/// Null and a message if there is no such backend, or no memory.
const char* make_worker(state& s, const char* backend) noexcept {
  const char* error = nullptr;
  std::unique_ptr<core::reactor> r(core::make_reactor(backend, &error));
  if (!r) return error ? error : "no reactor";
  try {
    s.worker = std::make_unique<core::worker>(std::move(r));
  } catch (const std::bad_alloc&) {
    return "not enough memory";
  }
  s.worker->host = &s;
  return nullptr;
}

/// The loop. Its guard has a destructor, so nothing in here may raise: fibers run under lua_resume,
/// and everything else that could is called with lua_pcall.
core::worker::outcome drive(state& s) noexcept {
  supervisor watcher(s);
  watcher.watch();
  const core::worker::driving guard(*s.worker);
  for (;;) {
    const core::worker::outcome o = s.worker->turn(core::forever);
    if (o != core::worker::outcome::ran) {
      if (watcher.record.linked()) watcher.record.unlink();
      return o;
    }
    if (interrupts.load(std::memory_order_relaxed)) core::cancel_scope(*s.root);
    if (take_dump_request()) dump(s);
    if (!s.worker->has_ready()) compact_threads(s);
  }
}

/// Runs what is still queued (alarms of scopes that have ended) so that nothing is left behind.
void drain(state& s) noexcept {
  const core::worker::driving guard(*s.worker);
  s.worker->clear_stop();
  while (s.worker->has_ready()) s.worker->turn(0);
}

/// What of the state belongs to one run; a run inside a run (weft.test in a fiber) puts it aside.
struct run_frame {
  lua_State* L;
  fiber* current;
  lua_State* inner;
  core::worker* worker;
  scope_object* root;
  watch_options watch;
};

/// run_loop(backend, seed, virtual_time, { watchdog, preempt }, f, ...) -> the main fiber's handle,
/// root's failures or nil, what kind of end: true, or the deadlock's report, whether Ctrl-C ended
/// it. All children of the root have ended then. Other runs of this state wait meanwhile.
int run_loop(lua_State* L) {
  state& s = state_of(L);
  const char* backend = luaL_optstring(L, 1, nullptr);
  const run_frame outer = {s.L, s.current, s.inner, s.worker.release(), s.root, s.watch};
  if (const char* error = make_worker(s, backend)) {
    s.worker.reset(outer.worker);
    raise(L, "%s", error);
  }
  s.current = nullptr;
  s.inner = nullptr;
  s.forks = forks_of_process();
  read_watch(L, s, 4);
  if (!lua_isnil(L, 2)) s.worker->use_seed(static_cast<std::uint64_t>(lua_tointeger(L, 2)));
  if (lua_toboolean(L, 3)) s.worker->use_virtual_time();
  s.L = L;
  const int nargs = lua_gettop(L) - 5;
  s.root = &new_scope(L, s);
  s.root->at = s.worker.get();
  lua_replace(L, 1);
  push_anchor(L, anchor_threads);
  lua_replace(L, state::threads_index);
  push_anchor(L, anchor_report);
  lua_replace(L, state::report_index);
  push_compact(L);
  lua_replace(L, state::compact_index);
  push_epilogue(L);
  lua_insert(L, state::epilogue_index);
  spawn(L, s, *s.root, nargs, false);
  const int main = lua_gettop(L);
  interruptible.store(s.worker.get());
  lua_pushboolean(L, 1);
  while (drive(s) == core::worker::outcome::idle) {
    lua_settop(L, main);
    push_anchor(L, anchor_report);
    lua_getfield(L, -1, "deadlock");
    lua_remove(L, -2);
    if (lua_pcall(L, 0, 1, 0) != 0) lua_tostring(L, -1);
    core::cancel_scope(*s.root);
  }
  interruptible.store(outer.worker);
  if (s.forks != forks_of_process())
    return luaL_error(L, "this process was forked inside weft.run: the runtime is its parent's");
  drain(s);
  compact_threads(s);
  get_reference(L, 1, 1);
  lua_insert(L, -2);
  release_scope(L, *s.root);
  s.root->closed = true;
  s.worker.reset(outer.worker);
  s.root = outer.root;
  s.L = outer.L;
  s.current = outer.current;
  s.inner = outer.inner;
  s.watch = outer.watch;
  lua_pushboolean(L, interrupts.load(std::memory_order_relaxed) != 0);
  return 4;
}

int run_cancel_root(lua_State* L) {
  state& s = state_of(L);
  if (s.root) core::cancel_scope(*s.root);
  return 0;
}

int run_attached(lua_State* L) {
  state& s = state_of(L);
  lua_pushboolean(L, s.worker != nullptr);
  lua_pushboolean(L, s.current != nullptr);
  return 2;
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
