/* SPDX-License-Identifier: MIT */
/* engine: a Lua module around a C library that has threads of its own, by weft.h. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

/* ---- the library: it calls back from its threads, and knows nothing of Lua ---- */

typedef void on_frame(void* user, int number, const char* text);
typedef void on_done(void* user, const char* text);

struct frames {
  int count;
  on_frame* call;
  void* user;
};

static void* produce(void* arg) {
  struct frames* f = arg;
  for (int i = 1; i <= f->count; ++i) {
    char text[32];
    snprintf(text, sizeof text, "frame %d", i);
    f->call(f->user, i, text);
  }
  f->call(f->user, 0, NULL);
  free(f);
  return NULL;
}

static int engine_start(int count, on_frame* call, void* user) {
  struct frames* f = malloc(sizeof *f);
  pthread_t thread;
  if (!f) return -1;
  *f = (struct frames){count, call, user};
  if (pthread_create(&thread, NULL, produce, f) == 0) return pthread_detach(thread);
  free(f);
  return -1;
}

struct request {
  char name[64];
  on_done* call;
  void* user;
};

static void* answer(void* arg) {
  struct request* r = arg;
  char text[80];
  snprintf(text, sizeof text, "the text of %s", r->name);
  r->call(r->user, text);
  free(r);
  return NULL;
}

static void engine_fetch(const char* name, on_done* call, void* user) {
  struct request* r = malloc(sizeof *r);
  pthread_t thread;
  if (!r) {
    call(user, "no memory");
    return;
  }
  snprintf(r->name, sizeof r->name, "%s", name);
  r->call = call;
  r->user = user;
  if (pthread_create(&thread, NULL, answer, r) == 0)
    pthread_detach(thread);
  else
    answer(r);
}

static long engine_checksum(const char* bytes, size_t size) {
  long sum = 0;
  for (size_t i = 0; i < size; ++i) sum += (unsigned char)bytes[i];
  return sum;
}

/* ---- post: a callback becomes an event ---- */

static void frame_arrived(void* handler, int number, const char* text) {
  weft_value v[2];
  if (!text) { /* no more of them */
    weft_handler_release(handler);
    return;
  }
  v[0] = weft_integer(number);
  v[1] = weft_string(text);
  weft_post(handler, v, 2, WEFT_FOREVER);
}

/* start(count, f): f(number, text) for each frame */
static int l_start(lua_State* L) {
  const int count = (int)luaL_checkinteger(L, 1);
  weft_handler* h = weft_handler_new(L, 2);
  if (engine_start(count, frame_arrived, h) == 0) return 0;
  weft_handler_release(h);
  return luaL_error(L, "no thread");
}

/* ---- completion: a callback becomes an operation, in five lines ---- */

static void fetched(void* completion, const char* text) {
  weft_value v = weft_string(text);
  weft_complete(completion, &v, 1);
}
/* fetch(name) -> operation */
static int l_fetch(lua_State* L) {
  engine_fetch(luaL_checkstring(L, 1), fetched, weft_completion_new(L));
  return 1;
}

/* ---- blocking: a call that takes long runs on a thread, and only its fiber waits ---- */

struct checksum {
  const char* bytes;
  size_t size;
  long sum;
};

static void sum_up(void* arg) {
  struct checksum* c = arg;
  c->sum = engine_checksum(c->bytes, c->size);
}
static int summed_up(lua_State* L) {
  const struct checksum* c = lua_touserdata(L, -1);
  lua_pushinteger(L, (lua_Integer)c->sum);
  return 1;
}
/* checksum(bytes) -> integer */
static int l_checksum(lua_State* L) {
  struct checksum* c = lua_newuserdata(L, sizeof *c);
  c->bytes = luaL_checklstring(L, 1, &c->size); /* the string stays on the stack, and so alive */
  return weft_blocking(L, sum_up, c, summed_up);
}

/* ---- enter: raw Lua calls by a thread ---- */

static void* count_up(void* arg) {
  weft_state* s = arg;
  lua_State* L;
  if (weft_enter(s, &L) == WEFT_OK) {
    lua_getglobal(L, "entered");
    lua_pushinteger(L, lua_tointeger(L, -1) + 1);
    lua_setglobal(L, "entered");
    weft_leave(s);
  }
  weft_state_release(s);
  return NULL;
}

/* count(): a thread adds one to the global `entered` */
static int l_count(lua_State* L) {
  weft_state* s = weft_state_of(L);
  pthread_t thread;
  if (pthread_create(&thread, NULL, count_up, s) != 0) {
    weft_state_release(s);
    return luaL_error(L, "no thread");
  }
  pthread_detach(thread);
  return 0;
}

int luaopen_engine(lua_State* L) {
  lua_newtable(L);
  lua_pushcfunction(L, l_start);
  lua_setfield(L, -2, "start");
  lua_pushcfunction(L, l_fetch);
  lua_setfield(L, -2, "fetch");
  weft_push_function(L, l_checksum); /* it ends with weft_blocking */
  lua_setfield(L, -2, "checksum");
  lua_pushcfunction(L, l_count);
  lua_setfield(L, -2, "count");
  return 1;
}
