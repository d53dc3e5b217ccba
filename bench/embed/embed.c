/* SPDX-License-Identifier: MIT
 * weft_bench_embed: native threads that post to Lua and enter it, for embed.lua. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "weft/weft.h"

enum { max_threads = 16 };

struct job {
  pthread_t threads[max_threads];
  int count;
  int64_t each;
  weft_state* state;
  weft_handler* handler;
  pthread_barrier_t begin;
  int64_t turns;  /* under the gate, as is what follows */
  int64_t longer; /* waits of more turns than 8; a thread may lose its core before it waits */
};
static struct job job;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void start(int count, void* (*run)(void*)) {
  int i;
  job.count = count > max_threads ? max_threads : count;
  job.turns = job.longer = 0;
  pthread_barrier_init(&job.begin, NULL, (unsigned)job.count);
  for (i = 0; i < job.count; ++i) pthread_create(&job.threads[i], NULL, run, NULL);
}

static void join_all(void* unused) {
  (void)unused;
  while (job.count > 0) pthread_join(job.threads[--job.count], NULL);
}

static int joined(lua_State* L) {
  if (job.handler) weft_handler_release(job.handler);
  if (job.state) weft_state_release(job.state);
  job.handler = NULL;
  job.state = NULL;
  lua_pushnumber(L, (lua_Number)job.longer / (lua_Number)(job.turns ? job.turns : 1));
  return 1;
}

/* join() -> the share of waits of more than 8 turns */
static int l_join(lua_State* L) { return weft_blocking(L, join_all, NULL, joined); }

static void* post_many(void* unused) {
  int64_t i;
  for (i = 1; i <= job.each; ++i) {
    weft_value v = weft_integer(i);
    weft_post(job.handler, &v, 1, WEFT_FOREVER);
  }
  return unused;
}

/* post(f, threads, each) */
static int l_post(lua_State* L) {
  job.handler = weft_handler_new(L, 1);
  job.each = luaL_checkinteger(L, 3);
  start((int)luaL_checkinteger(L, 2), post_many);
  return 0;
}

static void* post_now_and_then(void* unused) {
  const struct timespec pause = {0, 300000};
  int64_t i;
  for (i = 1; i <= job.each; ++i) {
    weft_value v;
    nanosleep(&pause, NULL);
    v = weft_number((double)now());
    weft_post(job.handler, &v, 1, WEFT_FOREVER);
  }
  return unused;
}

/* post_idle(f, times): f(when), one at a time */
static int l_post_idle(lua_State* L) {
  job.handler = weft_handler_new(L, 1);
  job.each = luaL_checkinteger(L, 2);
  start(1, post_now_and_then);
  return 0;
}

static void* enter_many(void* unused) {
  int64_t i;
  pthread_barrier_wait(&job.begin);
  for (i = 0; i < job.each; ++i) {
    lua_State* L;
    const int64_t asked = __atomic_load_n(&job.turns, __ATOMIC_RELAXED);
    int64_t waited;
    weft_enter(job.state, &L);
    waited = __atomic_fetch_add(&job.turns, 1, __ATOMIC_RELAXED) - asked;
    if (waited > 8) ++job.longer;
    weft_leave(job.state);
  }
  return unused;
}

/* enter(threads, each) */
static int l_enter(lua_State* L) {
  job.state = weft_state_of(L);
  job.each = luaL_checkinteger(L, 2);
  start((int)luaL_checkinteger(L, 1), enter_many);
  return 0;
}

/* poll(descriptor): a main loop's */
static int l_poll(lua_State* L) {
  struct pollfd p = {(int)luaL_checkinteger(L, 1), POLLIN, 0};
  poll(&p, 1, -1);
  return 0;
}

/* clock() -> ns */
static int l_clock(lua_State* L) {
  lua_pushnumber(L, (lua_Number)now());
  return 1;
}

int luaopen_weft_bench_embed(lua_State* L) {
  lua_newtable(L);
  weft_push_function(L, l_join);
  lua_setfield(L, -2, "join");
  lua_pushcfunction(L, l_post);
  lua_setfield(L, -2, "post");
  lua_pushcfunction(L, l_post_idle);
  lua_setfield(L, -2, "post_idle");
  lua_pushcfunction(L, l_enter);
  lua_setfield(L, -2, "enter");
  lua_pushcfunction(L, l_poll);
  lua_setfield(L, -2, "poll");
  lua_pushcfunction(L, l_clock);
  lua_setfield(L, -2, "clock");
  return 1;
}
