// SPDX-License-Identifier: MIT
// libexec/weft/weft-<lua>: a Lua state with its standard libraries, which lua/weft/cli.lua takes
// over. What that cannot do in Lua is here: to know where it is installed, and to await standard
// input.
#include <poll.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "cli/usage.hpp"
#include "lua/compat.hpp"
#include "weft/core/reactor.hpp"
#include "weft/core/worker.hpp"

namespace weft::inline v0::cli {

namespace {

// ---- input that the worker awaits, so that the fibers go on ----

constexpr const char* callback_key = "weft.cli.input";  // in the registry

/// Waits for standard input in the reactor of the worker that drives this thread, then calls a Lua
/// function from the worker's loop. Reads nothing. The descriptor is attached for one wait, and not
/// made non-blocking, since other processes share it.
struct input_watch : core::task {
  explicit input_watch(lua_State* main) noexcept;

  lua_State* L;
  core::descriptor input;
  core::wait_record record;
};

void end_wait(input_watch& watch, core::worker& w) noexcept {
  if (watch.record.linked()) watch.record.unlink();
  if (watch.input.attached) w.io().detach(watch.input);
  watch.input.woken[static_cast<int>(core::direction::in)] = 0;
}

void input_arrived(core::task& t, core::worker& w) {
  auto& watch = static_cast<input_watch&>(t);
  end_wait(watch, w);
  lua_State* L = watch.L;
  if (!lua_checkstack(L, LUA_MINSTACK)) return;
  lua_getfield(L, LUA_REGISTRYINDEX, callback_key);
  if (lua_pcall(L, 0, 0, 0) != 0) lua_pop(L, 1);
}
void wake_watch(core::task& t) noexcept { core::worker::current()->ready(t); }
const core::task_kind watch_kind = {"standard input", input_arrived, wake_watch};

input_watch::input_watch(lua_State* main) noexcept : core::task(watch_kind), L(main) {
  input.fd = STDIN_FILENO;
}

/// await_input(f) -> true: a read does not wait. false: it would; f is called when it does not.
int await_input(lua_State* L) {
  auto& watch = *static_cast<input_watch*>(lua_touserdata(L, lua_upvalueindex(1)));
  luaL_checktype(L, 1, LUA_TFUNCTION);
  core::worker* w = core::worker::current();
  if (!w) return luaL_error(L, "await_input outside weft.run");
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, callback_key);
  end_wait(watch, *w);
  pollfd p = {STDIN_FILENO, POLLIN, 0};
  const bool ready = ::poll(&p, 1, 0) > 0 || w->io().attach(watch.input) != 0;
  if (!ready) {
    watch.begin_plain();
    watch.record.owner = &watch;
    watch.input.set_ready(core::direction::in, false);
    w->io().await(watch.input, core::direction::in, watch.record);
  }
  lua_pushboolean(L, ready);
  return 1;
}

int is_terminal(lua_State* L) {
  lua_pushboolean(L, ::isatty(STDIN_FILENO));
  return 1;
}

// ---- the state ----

/// Pushes the folder that holds libexec, lib and share.
void push_root(lua_State* L) {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  auto length = static_cast<std::size_t>(n > 0 ? n : 0);
  for (int up = 0; up < 3; ++up)
    while (length > 0 && path[--length] != '/') continue;
  lua_pushlstring(L, path, length);
}

/// Pushes what cli.lua is given beside the arguments.
void push_host(lua_State* L) {
  lua_createtable(L, 0, 5);
  push_root(L);
  lua_setfield(L, -2, "root");
  lua_pushliteral(L, LUA_RELEASE);
  lua_setfield(L, -2, "lua");
  lua_pushstring(L, usage);
  lua_setfield(L, -2, "usage");
  lua_pushcfunction(L, is_terminal);
  lua_setfield(L, -2, "is_terminal");
  // Never freed before the state, whose last garbage it is.
  ::new (lua::new_userdata(L, sizeof(input_watch), 0)) input_watch(L);
  lua_pushcclosure(L, await_input, 1);
  lua_setfield(L, -2, "await_input");
}

/// Pushes the command line, with its program at 0.
void push_arguments(lua_State* L, int argc, char** argv) {
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; ++i) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
}

/// An error that cli.lua does not report itself, which would be a fault in it.
int add_traceback(lua_State* L) {
  lua_getglobal(L, "debug");
  lua_getfield(L, -1, "traceback");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

struct command_line {
  int argc;
  char** argv;
};

/// command line -> exit code
int start(lua_State* L) {
  const auto& line = *static_cast<command_line*>(lua_touserdata(L, 1));
#if LUA_VERSION_NUM >= 502
  luaL_checkversion(L);
#endif
  luaL_openlibs(L);
#if LUA_VERSION_NUM >= 504
  lua_gc(L, LUA_GCGEN, 0, 0);  // as the stock interpreter
#endif
  lua_pushcfunction(L, add_traceback);
  push_host(L);
  lua_getfield(L, -1, "root");
  lua_pushliteral(L, "/share/lua/weft/cli.lua");
  lua_concat(L, 2);
  if (luaL_loadfile(L, lua_tostring(L, -1)) != 0) return lua_error(L);
  lua_replace(L, -2);
  lua_insert(L, -2);
  push_arguments(L, line.argc, line.argv);
  if (lua_pcall(L, 2, 1, 2) != 0) return lua_error(L);
  return 1;
}

int run(lua_State* L, int argc, char** argv) {
  command_line line = {argc, argv};
  lua_pushcfunction(L, start);
  lua_pushlightuserdata(L, &line);
  if (lua_pcall(L, 1, 1, 0) == 0) return static_cast<int>(lua_tointeger(L, -1));
  const char* message = lua_tostring(L, -1);
  std::fprintf(stderr, "weft: %s\n", message ? message : "an error that is not a string");
  return EXIT_FAILURE;
}

}  // namespace

}  // namespace weft::inline v0::cli

#if __has_include(<luajit.h>) && defined(__has_feature)
#if __has_feature(address_sanitizer)
// LuaJIT maps its own memory, where the leak check does not look: after an os.exit, which closes no
// state, all that is held there alone would count as lost.
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off() { return 1; }
#endif
#endif

int main(int argc, char** argv) {
  lua_State* L = luaL_newstate();
  if (!L) {
    std::fputs("weft: not enough memory for a Lua state\n", stderr);
    return EXIT_FAILURE;
  }
  const int code = weft::cli::run(L, argc, argv);
  lua_close(L);
  return code;
}
