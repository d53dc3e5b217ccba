// SPDX-License-Identifier: MIT
// luaopen_weft_core: makes the state's record and its anchors, and opens the modules.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "lua/arguments.hpp"
#include "lua/attach.hpp"
#include "lua/channel.hpp"
#include "lua/operation.hpp"
#include "lua/shared.hpp"

namespace weft::inline v0::lua {

void open_arguments(lua_State* L);
void open_run(lua_State* L);
void open_fibers(lua_State* L);
void open_timers(lua_State* L);
void open_inspect(lua_State* L);
void open_watch(lua_State* L);
void open_wait(lua_State* L);
void open_coroutines(lua_State* L);
void open_locals(lua_State* L);
void open_net(lua_State* L);
void open_values(lua_State* L);
void open_shared_channels(lua_State* L);
void open_buffers(lua_State* L);
void open_foreign(lua_State* L);
void open_sockets(lua_State* L);
void open_pollables(lua_State* L);
void open_objects(lua_State* L);
void open_natives(lua_State* L);
void open_host(lua_State* L);
void open_embed(lua_State* L);
void open_gate(lua_State* L);
void open_blocking(lua_State* L);
void open_external(lua_State* L);

namespace {

// Registry keys: the address of the first holds the anchors; the name tells two copies apart.
char anchors_key;
constexpr const char* copy_key = "weft.core";

/// What a state that is closed in the midst of something leaves behind: fibers that never go on.
void abandon_fibers(lua_State* L, state& s) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
  lua_rawgeti(L, -1, anchor_threads);
  for (unsigned slot = 0; slot < s.threads; ++slot) {
    lua_rawgeti(L, -1, handle_place(slot));
    if (auto* f = static_cast<fiber*>(lua_touserdata(L, -1))) abandon(s, *f);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
}

int state_gc(lua_State* L) {
  auto* s = static_cast<state*>(lua_touserdata(L, 1));
  forget_parent(*s);
  close_shared(*s);
  if (s->worker && !is_inherited(*s)) abandon_fibers(L, *s);
  close_loop(*s);
  // After os.exit from a fiber the loop is still on the stack.
  if (s->owns_worker && !s->current) const std::unique_ptr<core::worker> gone(s->worker);
  s->~state();
  return 0;
}

void weak_table(lua_State* L, const char* mode) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/// WEFT_DEBUG is a list of words; null, or the first one that is unknown.
const char* read_debug(lua_State* L, state& s) {
  const char* list = secure_getenv("WEFT_DEBUG");
  for (const char* at = list; at && *at;) {
    const std::size_t n = std::strcspn(at, ",");
    if (n == 5 && std::strncmp(at, "spawn", n) == 0)
      s.trace_spawn = s.notes_spawns = true;
    else if (!(n == 7 && std::strncmp(at, "reactor", n) == 0) && n > 0)
      return lua_pushlstring(L, at, n), lua_tostring(L, -1);
    at += n + (at[n] == ',');
  }
  return nullptr;
}

void find_luajit(lua_State* L, state& s) {
#if LUA_VERSION_NUM == 501
  lua_getglobal(L, "jit");
  s.luajit = lua_istable(L, -1);
  lua_pop(L, 1);
  if (s.luajit)
    s.isyieldable = reinterpret_cast<int (*)(lua_State*)>(dlsym(RTLD_DEFAULT, "lua_isyieldable"));
#else
  (void)L, (void)s;
#endif
}

/// set_report(table): lua/weft/report.lua, whose functions are called from the worker's loop.
int set_report(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, 1);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_report);
  lua_getfield(L, 1, "raising");
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_raising);
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, report_key);
  return 0;
}

/// set_callers(table): of lua/weft/pcall.lua.
int set_callers(lua_State* L) {
  lua_settop(L, 1);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), anchor_callers);
  return 0;
}

/// error_type(name, metatable): the metatables of error values, known to C by their address.
int error_type(lua_State* L) {
  state& s = state_of(L);
  static const char* const names[] = {"cancelled", "timeout", "deadlock", nullptr};
  const int a = anchor_cancelled + luaL_checkoption(L, 1, nullptr, names);
  luaL_checktype(L, 2, LUA_TTABLE);
  s.metatables[a] = lua_topointer(L, 2);
  lua_pushvalue(L, 2);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), a);
  return 0;
}

/// The type whose name is the first argument.
anchor check_type(lua_State* L) {
  static const char* const names[] = {"fiber",    "scope",  "operation",      "channel",
                                      "listener", "stream", "shared_channel", "parts",
                                      "buffer",   "socket", "pollable",       nullptr};
  return static_cast<anchor>(anchor_fiber_mt + luaL_checkoption(L, 1, nullptr, names));
}

/// method_table(name) -> the table of methods of a type, for lua/weft to complete.
int method_table(lua_State* L) {
  const anchor a = check_type(L);
  lua_rawgeti(L, lua_upvalueindex(anchors_upvalue), a);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, -2);
  return 2;
}

int push_extras_of(lua_State* L) {
  if (!fiber_at(L, state_of(L), 1)) return luaL_error(L, "not a fiber");
  push_extras(L, 1, lua_toboolean(L, 2));
  return 1;
}

int is_type(lua_State* L) {
  const anchor a = check_type(L);
  lua_pushboolean(L, userdata_of(L, state_of(L), 2, a) != nullptr);
  return 1;
}

const luaL_Reg functions[] = {
    {"set_report", set_report}, {"error_type", error_type}, {"method_table", method_table},
    {"extras", push_extras_of}, {"is_type", is_type},       {"set_callers", set_callers},
    {nullptr, nullptr}};

/// Called with the state and the anchors as upvalues; returns the module.
int open_all(lua_State* L) {
  lua_newtable(L);
  open_arguments(L);
  open_fibers(L);
  open_scopes(L);
  open_operations(L);
  open_choices(L);
  open_base_operations(L);
  open_channels(L);
  open_timers(L);
  open_run(L);
  open_inspect(L);
  open_watch(L);
  open_wait(L);
  open_coroutines(L);
  open_locals(L);
  open_net(L);
  open_values(L);
  open_shared_channels(L);
  open_buffers(L);
  open_foreign(L);
  open_sockets(L);
  open_pollables(L);
  open_objects(L);
  open_natives(L);
  open_host(L);
  open_embed(L);
  open_gate(L);
  open_blocking(L);
  open_external(L);
  add_functions(L, functions);
  lua_pushliteral(L, WEFT_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushboolean(L, has_continuations);
  lua_setfield(L, -2, "has_continuations");
  lua_pushboolean(L, LUA_VERSION_NUM >= 503);
  lua_setfield(L, -2, "can_preempt");
  lua_pushboolean(L, state_of(L).luajit);
  lua_setfield(L, -2, "luajit");
  return 1;
}

}  // namespace

void add_functions(lua_State* L, const luaL_Reg* list) {
  lua_pushvalue(L, lua_upvalueindex(state_upvalue));
  lua_pushvalue(L, lua_upvalueindex(anchors_upvalue));
  luaL_setfuncs(L, list, 2);
}

bool push_function(lua_State* L, lua_CFunction f) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
  if (lua_isnil(L, -1)) return lua_pop(L, 1), false;
  lua_rawgeti(L, -1, anchor_state);
  lua_insert(L, -2);
  lua_pushcclosure(L, f, 2);
  return true;
}

state* find_state(lua_State* L) {
  if (running.L == L) return running.s;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
  if (lua_isnil(L, -1)) return lua_pop(L, 1), nullptr;
  lua_rawgeti(L, -1, anchor_state);
  auto* s = static_cast<state*>(lua_touserdata(L, -1));
  lua_pop(L, 2);
  return s;
}

void push_internal(lua_State* L, lua_CFunction f) {
  lua_pushvalue(L, lua_upvalueindex(state_upvalue));
  lua_pushvalue(L, lua_upvalueindex(anchors_upvalue));
  lua_pushcclosure(L, f, 2);
}

void add_type(lua_State* L, anchor a, const char* name, const luaL_Reg* methods,
              const luaL_Reg* metamethods) {
  lua_newtable(L);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushliteral(L, "weft");
  lua_setfield(L, -2, "__metatable");
  if (metamethods) add_functions(L, metamethods);
  lua_newtable(L);
  if (methods) add_functions(L, methods);
  lua_setfield(L, -2, "__index");
  state_of(L).metatables[a] = lua_topointer(L, -1);
  lua_rawseti(L, lua_upvalueindex(anchors_upvalue), a);
}

}  // namespace weft::inline v0::lua

extern "C" __attribute__((visibility("default"))) int luaopen_weft_core(lua_State* L) {
  using namespace weft::lua;
#if LUA_VERSION_NUM >= 502
  luaL_checkversion(L);
#endif
  lua_getfield(L, LUA_REGISTRYINDEX, copy_key);
  if (!lua_isnil(L, -1)) return luaL_error(L, "two copies of weft in one state");
  lua_pop(L, 1);
  auto* s = ::new (new_userdata(L, sizeof(state), 0)) state();
  const int record = lua_gettop(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, record);
  if (const char* word = read_debug(L, *s))
    return luaL_error(L, "unknown word \"%s\" in WEFT_DEBUG (there is: spawn, reactor)", word);
  find_luajit(L, *s);
  lua_newtable(L);
  const int anchors = lua_gettop(L);
  lua_pushvalue(L, record);
  lua_rawseti(L, anchors, anchor_state);
  for (const anchor a : {anchor_threads, anchor_scopes, anchor_done}) {
    lua_newtable(L);
    lua_rawseti(L, anchors, a);
  }
  for (const anchor a : {anchor_extras, anchor_waiting}) {
    weak_table(L, "k");
    lua_rawseti(L, anchors, a);
  }
  for (const anchor a : {anchor_choices, anchor_shared}) {
    weak_table(L, "v");
    lua_rawseti(L, anchors, a);
  }
  lua_newthread(L);
  lua_rawseti(L, anchors, anchor_driver);
  lua_pushvalue(L, anchors);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors_key);
  lua_pushliteral(L, WEFT_VERSION);
  lua_setfield(L, LUA_REGISTRYINDEX, copy_key);
  lua_pushvalue(L, record);
  lua_pushvalue(L, anchors);
  lua_pushcclosure(L, open_all, 2);
  lua_call(L, 0, 1);
  return 1;
}
