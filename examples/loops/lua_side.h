/* SPDX-License-Identifier: MIT
 * lua_side.h: the Lua of a program with a main loop of its own. Whatever the loop is, it watches
 * lua_side.fd, and calls lua_side_step when that is readable. C11 or C++. */
#ifndef LUA_SIDE_H
#define LUA_SIDE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __cplusplus
#include <lua.hpp>
#else
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

#include <pthread.h>

#include "weft/weft.h"

typedef struct lua_side {
  lua_State* L;
  int fd;   /* readable when Lua has something to do; belongs to weft */
  int over; /* the script has called quit() */
  pthread_t ticker;
  weft_handler* ticked;
} lua_side;

static inline void lua_side_fail(lua_side* s) {
  fprintf(stderr, "%s\n", lua_tostring(s->L, -1));
  exit(1);
}

static inline void lua_side_call(lua_side* s, int results) {
  if (lua_pcall(s->L, 0, results, 0) != 0) lua_side_fail(s);
}

static inline int lua_side_quit(lua_State* L) {
  ((lua_side*)lua_touserdata(L, lua_upvalueindex(1)))->over = 1;
  return 0;
}

/* A native thread: five posts, some milliseconds apart. */
static inline void* lua_side_tick(void* side) {
  const struct timespec pause = {0, 3000000};
  int i;
  for (i = 1; i <= 5; ++i) {
    const weft_value v = weft_integer(i);
    nanosleep(&pause, NULL);
    weft_post(((lua_side*)side)->ticked, &v, 1, WEFT_FOREVER);
  }
  return NULL;
}

/* ticks(handler) */
static inline int lua_side_ticks(lua_State* L) {
  lua_side* s = (lua_side*)lua_touserdata(L, lua_upvalueindex(1));
  s->ticked = weft_handler_new(L, 1);
  if (pthread_create(&s->ticker, NULL, lua_side_tick, s) != 0) luaL_error(L, "no thread");
  return 0;
}

static inline void lua_side_add(lua_side* s, const char* name, lua_CFunction f) {
  lua_pushlightuserdata(s->L, s);
  lua_pushcclosure(s->L, f, 1);
  lua_setglobal(s->L, name);
}

static inline int lua_side_turn(lua_State* L) {
  weft_step(L, 0, NULL);
  return 0;
}
/* Runs one turn: whatever is ready, without waiting. */
static inline void lua_side_step(lua_side* s) {
  lua_pushcfunction(s->L, lua_side_turn);
  lua_side_call(s, 0);
}

static inline int lua_side_watch(lua_State* L) {
  lua_pushinteger(L, weft_event_fd(L));
  return 1;
}

static inline void lua_side_open(lua_side* s, const char* script) {
  memset(s, 0, sizeof *s);
  s->L = luaL_newstate();
  if (!s->L) exit(1);
  luaL_openlibs(s->L);
  lua_side_add(s, "quit", lua_side_quit);
  lua_side_add(s, "ticks", lua_side_ticks);
  lua_pushcfunction(s->L, lua_side_watch);
  lua_side_call(s, 1);
  s->fd = (int)lua_tointeger(s->L, -1);
  lua_pop(s->L, 1);
  if (luaL_loadfile(s->L, script) != 0) lua_side_fail(s);
  lua_side_call(s, 0);
}

static inline void lua_side_close(lua_side* s) {
  if (s->ticked) {
    pthread_join(s->ticker, NULL);
    weft_handler_release(s->ticked);
  }
  lua_close(s->L);
}

#endif
