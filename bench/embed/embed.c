/* SPDX-License-Identifier: MIT
 * weft_bench_embed: native threads that post to Lua and enter it, for embed.lua. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

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

/* ---- into what sleeps: a post, and beside it the bell of a bare thread ---- */

enum { state_core = 0, poster_core = 1 };

/* A thread that sleeps in an epoll of an eventfd; where a main loop watches, in a poll of an epoll
 * of that. */
struct sleeper {
  pthread_t thread;
  int bell, inner, outer;
  int watched;
  int64_t rung; /* before the bell */
  int64_t* took;
  int64_t woken; /* so often */
};
static struct sleeper bare;

/* -1: any */
static void stay_on(int core) {
  cpu_set_t set;
  int i;
  CPU_ZERO(&set);
  for (i = 0; i < CPU_SETSIZE; ++i)
    if (core < 0 || i == core) CPU_SET(i, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static int epoll_of(int fd) {
  const int poll = epoll_create1(0);
  struct epoll_event e = {EPOLLIN, {0}};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
  return poll;
}

static void* sleep_bare(void* unused) {
  eventfd_t count = 0;
  stay_on(state_core);
  for (int64_t heard = 0; heard < job.each; heard += (int64_t)count) {
    struct pollfd p = {bare.outer, POLLIN, 0};
    struct epoll_event e;
    if (bare.watched) poll(&p, 1, -1);
    epoll_wait(bare.inner, &e, 1, -1);
    bare.took[bare.woken++] = now() - __atomic_load_n(&bare.rung, __ATOMIC_ACQUIRE);
    eventfd_read(bare.bell, &count);
  }
  return unused;
}

static void* wake_in_turn(void* unused) {
  const struct timespec pause = {0, 300000};
  int64_t i;
  stay_on(poster_core);
  for (i = 0; i < job.each; ++i) {
    weft_value v;
    nanosleep(&pause, NULL);
    __atomic_store_n(&bare.rung, now(), __ATOMIC_RELEASE);
    eventfd_write(bare.bell, 1);
    nanosleep(&pause, NULL);
    v = weft_number((double)now());
    weft_post(job.handler, &v, 1, WEFT_FOREVER);
  }
  return unused;
}

/* post_idle(f, times, watched): f(when), one at a time, by a thread on another core than the state;
 * in between it wakes a bare thread on the state's. Which of two threads on one core goes on is the
 * scheduler's coin, worth more than what is measured. */
static int l_post_idle(lua_State* L) {
  job.handler = weft_handler_new(L, 1);
  job.each = luaL_checkinteger(L, 2);
  bare.watched = lua_toboolean(L, 3);
  bare.bell = eventfd(0, EFD_NONBLOCK);
  bare.inner = epoll_of(bare.bell);
  bare.outer = epoll_of(bare.inner);
  bare.woken = 0;
  bare.took = malloc((size_t)job.each * sizeof *bare.took);
  stay_on(state_core);
  pthread_create(&bare.thread, NULL, sleep_bare, NULL);
  start(1, wake_in_turn);
  return 0;
}

static int later(const void* a, const void* b) {
  const int64_t x = *(const int64_t*)a, y = *(const int64_t*)b;
  return (x > y) - (x < y);
}

/* bare() -> the median of the bare thread's, in ns. Ends post_idle, behind join(). */
static int l_bare(lua_State* L) {
  pthread_join(bare.thread, NULL);
  stay_on(-1);
  qsort(bare.took, (size_t)bare.woken, sizeof *bare.took, later);
  lua_pushnumber(L, (lua_Number)bare.took[bare.woken / 2]);
  free(bare.took);
  close(bare.outer);
  close(bare.inner);
  close(bare.bell);
  return 1;
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
  lua_pushcfunction(L, l_bare);
  lua_setfield(L, -2, "bare");
  lua_pushcfunction(L, l_enter);
  lua_setfield(L, -2, "enter");
  lua_pushcfunction(L, l_poll);
  lua_setfield(L, -2, "poll");
  lua_pushcfunction(L, l_clock);
  lua_setfield(L, -2, "clock");
  return 1;
}
