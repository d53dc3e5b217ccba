/* SPDX-License-Identifier: MIT
 * weft_native: what native threads do to a Lua state through weft.h, for tests/lua/test_embed.lua.
 * C11. Each function that starts threads returns a job, whose join() waits for their end. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "weft/weft.h"

enum { max_threads = 16, millisecond = 1000000 };

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_for(int64_t ns) {
  struct timespec t;
  t.tv_sec = (time_t)(ns / 1000000000);
  t.tv_nsec = (long)(ns % 1000000000);
  nanosleep(&t, NULL);
}

/* ---- jobs ---- */

typedef struct job {
  pthread_t threads[max_threads];
  int started;
  int count;
  int64_t each;          /* per thread */
  int64_t delay, gap;    /* nanoseconds */
  weft_state *state;
  weft_handler *handler;
  weft_completion *completion;
  int descriptor;        /* to write to, or 0 */
  int anchor;            /* in the registry, until it is joined: its threads use it */
  pthread_mutex_t mutex; /* all below */
  int next;              /* threads that have begun */
  int64_t turns;         /* how often the state has changed hands, under its gate */
  int64_t longer;        /* waits of more turns than there are threads */
  int64_t noted;         /* calls that have ended */
  int64_t failed;        /* of them, those that did not succeed */
  int code;              /* of the last one */
  weft_results results;
} job;

static job *new_job(lua_State *L, int count) {
  job *j;
  luaL_argcheck(L, count >= 1 && count <= max_threads, 1, "too many threads");
  j = (job *)lua_newuserdata(L, sizeof *j);
  memset(j, 0, sizeof *j);
  pthread_mutex_init(&j->mutex, NULL);
  j->count = count;
  luaL_getmetatable(L, "weft_native.job");
  lua_setmetatable(L, -2);
  return j;
}

/* The job is on top. */
static void start(lua_State *L, job *j, void *(*run)(void *)) {
  lua_pushvalue(L, -1);
  j->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
  for (; j->started < j->count; ++j->started)
    if (pthread_create(&j->threads[j->started], NULL, run, j) != 0)
      luaL_error(L, "pthread_create failed");
}

static int begin(job *j) {
  int me;
  pthread_mutex_lock(&j->mutex);
  me = j->next++;
  pthread_mutex_unlock(&j->mutex);
  return me;
}

static void note(job *j, int code) {
  pthread_mutex_lock(&j->mutex);
  j->code = code;
  ++j->noted;
  if (code != WEFT_OK) ++j->failed;
  pthread_mutex_unlock(&j->mutex);
}

static void join_all(void *arg) {
  job *j = (job *)arg;
  while (j->started > 0) pthread_join(j->threads[--j->started], NULL);
}

static void push_value(lua_State *L, const weft_value *v) {
  switch (v->type) {
    case WEFT_BOOLEAN: lua_pushboolean(L, v->as.boolean); break;
    case WEFT_INTEGER: lua_pushinteger(L, (lua_Integer)v->as.integer); break;
    case WEFT_NUMBER: lua_pushnumber(L, v->as.number); break;
    case WEFT_BYTES: lua_pushlstring(L, v->as.bytes.data, v->as.bytes.size); break;
    default: lua_pushnil(L);
  }
}

/* -> failed calls, the last code, how often a thread has waited longer than its turn, values */
static int joined(lua_State *L) {
  job *j = (job *)lua_touserdata(L, -1);
  size_t i, n = j->results.count;
  if (j->anchor) luaL_unref(L, LUA_REGISTRYINDEX, j->anchor);
  j->anchor = 0;
  lua_settop(L, 0);
  lua_pushinteger(L, (lua_Integer)j->failed);
  lua_pushinteger(L, j->code);
  lua_pushinteger(L, (lua_Integer)j->longer);
  for (i = 0; i < n; ++i) push_value(L, &j->results.values[i]);
  free(j->results.values);
  memset(&j->results, 0, sizeof j->results);
  if (j->descriptor > 0) close(j->descriptor);
  j->descriptor = 0;
  if (j->handler) weft_handler_release(j->handler);
  if (j->state) weft_state_release(j->state);
  j->handler = NULL;
  j->state = NULL;
  return (int)n + 3;
}

static int job_join(lua_State *L) {
  return weft_blocking(L, join_all, luaL_checkudata(L, 1, "weft_native.job"), joined);
}

/* noted() -> how many calls of its threads have ended; it waits for none */
static int job_noted(lua_State *L) {
  job *j = (job *)luaL_checkudata(L, 1, "weft_native.job");
  pthread_mutex_lock(&j->mutex);
  lua_pushinteger(L, (lua_Integer)j->noted);
  pthread_mutex_unlock(&j->mutex);
  return 1;
}

/* ---- posts ---- */

static void *post_many(void *arg) {
  job *j = (job *)arg;
  const int me = begin(j);
  int64_t i;
  sleep_for(j->delay);
  for (i = 1; i <= j->each; ++i) {
    weft_value v[3];
    v[0] = weft_integer(me);
    v[1] = weft_integer(i);
    v[2] = weft_string("frame");
    note(j, weft_post(j->handler, v, 3, WEFT_FOREVER));
    if (j->gap) sleep_for(j->gap);
  }
  return NULL;
}

/* post(handler, threads, each, delay ms, gap ms) */
static int l_post(lua_State *L) {
  job *j;
  lua_settop(L, 5);
  j = new_job(L, (int)luaL_checkinteger(L, 2));
  j->each = luaL_checkinteger(L, 3);
  j->delay = (int64_t)(luaL_optnumber(L, 4, 0) * millisecond);
  j->gap = (int64_t)(luaL_optnumber(L, 5, 0) * millisecond);
  j->handler = weft_handler_new(L, 1);
  start(L, j, post_many);
  return 1;
}

/* post_here(handler, times) -> the code of the last post, made by this thread, without waiting */
static int l_post_here(lua_State *L) {
  weft_handler *h = weft_handler_new(L, 1);
  lua_Integer i, n = luaL_checkinteger(L, 2);
  int code = WEFT_OK;
  for (i = 0; i < n; ++i) {
    code = weft_post(h, NULL, 0, 0);
    if (code != WEFT_OK) break;
  }
  weft_handler_release(h);
  lua_pushinteger(L, code);
  lua_pushinteger(L, (lua_Integer)i);
  return 2;
}

static void *call_once(void *arg) {
  job *j = (job *)arg;
  weft_value v[4];
  sleep_for(j->delay);
  v[0] = weft_integer(41);
  v[1] = weft_bytes("a\0b", 3);
  v[2] = weft_boolean(1);
  v[3] = weft_number(0.5);
  note(j, weft_call(j->handler, v, 4, j->gap ? j->gap : WEFT_FOREVER, &j->results));
  return NULL;
}

/* call(handler, timeout ms): one thread calls it with 41, "a\0b", true, 0.5 */
static int l_call(lua_State *L) {
  job *j;
  lua_settop(L, 2);
  j = new_job(L, 1);
  j->gap = (int64_t)(luaL_optnumber(L, 2, 0) * millisecond);
  j->handler = weft_handler_new(L, 1);
  start(L, j, call_once);
  return 1;
}

/* ---- enter ---- */

/* Under the gate: calls the global function native_turn(thread). */
static void take_turn(job *j, lua_State *L, int me, int64_t asked) {
  const int64_t turn = __atomic_fetch_add(&j->turns, 1, __ATOMIC_RELAXED);
  if (turn - asked > j->count) ++j->longer;
  lua_getglobal(L, "native_turn");
  lua_pushinteger(L, me);
  if (lua_pcall(L, 1, 0, 0) != 0) {
    fprintf(stderr, "native_turn: %s\n", lua_tostring(L, -1));
    note(j, WEFT_ERROR);
  }
}

static void *enter_many(void *arg) {
  job *j = (job *)arg;
  const int me = begin(j);
  int64_t i;
  sleep_for(j->delay);
  for (i = 0; i < j->each; ++i) {
    lua_State *L;
    const int64_t asked = __atomic_load_n(&j->turns, __ATOMIC_RELAXED);
    const int code = weft_enter(j->state, &L);
    note(j, code);
    if (code != WEFT_OK) break;
    take_turn(j, L, me, asked);
    weft_leave(j->state);
  }
  return NULL;
}

/* enter(threads, each, delay ms): threads that enter, call native_turn(thread), leave */
static int l_enter(lua_State *L) {
  job *j;
  lua_settop(L, 3);
  j = new_job(L, (int)luaL_checkinteger(L, 1));
  j->each = luaL_checkinteger(L, 2);
  j->delay = (int64_t)(luaL_optnumber(L, 3, 0) * millisecond);
  j->state = weft_state_of(L);
  start(L, j, enter_many);
  return 1;
}

static void *try_once(void *arg) {
  job *j = (job *)arg;
  lua_State *L;
  int code = weft_try_enter(j->state, j->gap, &L);
  if (code == WEFT_OK) {
    lua_State *other;
    code = weft_enter(j->state, &other); /* refused: it is inside */
    weft_leave(j->state);
  }
  note(j, code);
  return NULL;
}

/* try_enter(timeout ms): one thread; twice, if it is let in */
static int l_try_enter(lua_State *L) {
  job *j = new_job(L, 1);
  j->gap = (int64_t)(luaL_checknumber(L, 1) * millisecond);
  j->state = weft_state_of(L);
  start(L, j, try_once);
  return 1;
}

/* enter_here() -> the code: this thread runs the state */
static int l_enter_here(lua_State *L) {
  weft_state *s = weft_state_of(L);
  lua_State *other;
  lua_pushinteger(L, weft_enter(s, &other));
  weft_state_release(s);
  return 1;
}

/* ---- blocking ---- */

typedef struct nap {
  int64_t length;
  pthread_t by;
} nap;

static void take_nap(void *arg) {
  nap *n = (nap *)arg;
  sleep_for(n->length);
  n->by = pthread_self();
}

static int nap_over(lua_State *L) {
  const nap *n = (const nap *)lua_touserdata(L, -1);
  if (n->length == 0) return luaL_error(L, "no nap");
  lua_pushnumber(L, (lua_Number)n->length / millisecond);
  lua_pushboolean(L, pthread_equal(n->by, pthread_self()));
  return 2;
}

/* nap(ms) -> ms, whether it was on this thread; 0 raises afterwards */
static int l_nap(lua_State *L) {
  const lua_Number ms = luaL_checknumber(L, 1);
  nap *n;
  lua_settop(L, 0);
  n = (nap *)lua_newuserdata(L, sizeof *n);
  n->length = (int64_t)(ms * millisecond);
  return weft_blocking(L, take_nap, n, nap_over);
}

/* nap_outside(ms) -> whether it was on this thread: blocks it, but not the state */
static int l_nap_outside(lua_State *L) {
  nap n;
  n.length = (int64_t)(luaL_checknumber(L, 1) * millisecond);
  weft_leave_for(L, take_nap, &n);
  lua_pushboolean(L, pthread_equal(n.by, pthread_self()));
  return 1;
}

/* ---- a library with callbacks, as an operation ---- */

static void *complete_later(void *arg) {
  job *j = (job *)arg;
  weft_value v[2];
  sleep_for(j->delay);
  v[0] = weft_integer(7);
  v[1] = weft_string("done");
  weft_complete(j->completion, v, 2);
  return NULL;
}

/* later(ms) -> operation that gives 7, "done"; job */
static int l_later(lua_State *L) {
  const lua_Number ms = luaL_checknumber(L, 1);
  weft_completion *c = weft_completion_new(L);
  job *j = new_job(L, 1);
  j->delay = (int64_t)(ms * millisecond);
  j->completion = c;
  start(L, j, complete_later);
  return 2;
}

/* ---- a descriptor that becomes readable while the state sleeps ---- */

static void *write_later(void *arg) {
  job *j = (job *)arg;
  sleep_for(j->delay);
  if (write(j->descriptor, "x", 1) != 1) note(j, WEFT_ERROR);
  return NULL;
}

/* pipe(ms) -> descriptor to read from, job: a byte comes after so long */
static int l_pipe(lua_State *L) {
  int ends[2];
  job *j = new_job(L, 1);
  j->delay = (int64_t)(luaL_checknumber(L, 1) * millisecond);
  if (pipe(ends) != 0) return luaL_error(L, "pipe failed");
  j->descriptor = ends[1];
  lua_pushinteger(L, ends[0]);
  lua_insert(L, -2);
  start(L, j, write_later);
  return 2;
}

/* ---- weft.embed's functions ---- */

/* event_fd() -> descriptor or -1 */
static int l_event_fd(lua_State *L) {
  lua_pushinteger(L, weft_event_fd(L));
  return 1;
}

static int64_t timeout_at(lua_State *L, int index) {
  return (int64_t)(luaL_optnumber(L, index, 0) * millisecond);
}

/* step([ms]) -> whether anything ran, ns until the next timer or nil */
static int l_step(lua_State *L) {
  int64_t deadline;
  lua_pushboolean(L, weft_step(L, timeout_at(L, 1), &deadline));
  if (deadline == WEFT_FOREVER) return 1;
  lua_pushnumber(L, (lua_Number)(deadline - now()));
  return 2;
}

/* wait_events([ms]), yield([ms]) -> the C function's code */
static int l_wait_events(lua_State *L) {
  lua_pushinteger(L, weft_wait_events(L, timeout_at(L, 1)));
  return 1;
}
static int l_yield(lua_State *L) {
  lua_pushinteger(L, weft_yield(L, timeout_at(L, 1)));
  return 1;
}

/* close(descriptor...) */
static int l_close(lua_State *L) {
  int i;
  for (i = 1; i <= lua_gettop(L); ++i) close((int)luaL_checkinteger(L, i));
  return 0;
}

/* ---- fork ---- */

/* fork() -> process, 0 in the child, which is ended when it hangs */
static int l_fork(lua_State *L) {
  const pid_t child = fork();
  if (child < 0) return luaL_error(L, "fork failed");
  if (child == 0) alarm(600);
  lua_pushinteger(L, (lua_Integer)child);
  return 1;
}

/* exit(code): without a look at what the parent has left */
static int l_exit(lua_State *L) {
  fflush(NULL);
  _exit((int)luaL_checkinteger(L, 1));
}

static void await_child(void *arg) {
  int status = 0;
  waitpid((pid_t)*(lua_Integer *)arg, &status, 0);
  *(lua_Integer *)arg = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int child_ended(lua_State *L) {
  lua_pushinteger(L, *(const lua_Integer *)lua_touserdata(L, -1));
  return 1;
}

/* wait(process) -> its exit code, or 1000 and the signal that has ended it */
static int l_wait(lua_State *L) {
  const lua_Integer child = luaL_checkinteger(L, 1);
  lua_Integer *n = (lua_Integer *)lua_newuserdata(L, sizeof *n);
  *n = child;
  return weft_blocking(L, await_child, n, child_ended);
}

typedef struct tokens {
  weft_state *state;
  weft_handler *handler;
  weft_completion *completion;
} tokens;

/* tokens(handler) -> what a library may hold of the state, which is attached */
static int l_tokens(lua_State *L) {
  tokens *t = (tokens *)lua_newuserdata(L, sizeof *t);
  t->state = weft_state_of(L);
  t->handler = weft_handler_new(L, 1);
  t->completion = weft_completion_new(L);
  lua_pop(L, 1);
  return 1;
}

/* use(tokens, complete) -> what this thread gets: of post, call, enter; and of completing it, which is for once */
static int l_use(lua_State *L) {
  tokens *t = (tokens *)lua_touserdata(L, 1);
  lua_State *entered;
  lua_pushinteger(L, weft_post(t->handler, NULL, 0, WEFT_FOREVER));
  lua_pushinteger(L, weft_call(t->handler, NULL, 0, WEFT_FOREVER, NULL));
  lua_pushinteger(L, weft_enter(t->state, &entered));
  if (!lua_toboolean(L, 2)) return 3;
  lua_pushinteger(L, weft_complete(t->completion, NULL, 0));
  return 4;
}

/* release(tokens) */
static int l_release(lua_State *L) {
  tokens *t = (tokens *)lua_touserdata(L, 1);
  weft_handler_release(t->handler);
  weft_state_release(t->state);
  return 0;
}

/* clock() -> nanoseconds */
static int l_clock(lua_State *L) {
  lua_pushnumber(L, (lua_Number)now());
  return 1;
}

int luaopen_weft_native(lua_State *L) {
  static const struct {
    const char *name;
    lua_CFunction f;
  } functions[] = {{"post", l_post},           {"post_here", l_post_here},
                   {"call", l_call},           {"enter", l_enter},
                   {"try_enter", l_try_enter}, {"enter_here", l_enter_here},
                   {"nap", l_nap},             {"nap_outside", l_nap_outside},
                   {"later", l_later},         {"clock", l_clock},
                   {"pipe", l_pipe},           {"close", l_close},
                   {"event_fd", l_event_fd},   {"step", l_step},
                   {"wait_events", l_wait_events}, {"yield", l_yield},
                   {"fork", l_fork},           {"exit", l_exit},
                   {"wait", l_wait},           {"tokens", l_tokens},
                   {"use", l_use},             {"release", l_release}};
  size_t i;
  luaL_newmetatable(L, "weft_native.job");
  lua_newtable(L);
  weft_push_function(L, job_join);
  lua_setfield(L, -2, "join");
  weft_push_function(L, job_noted);
  lua_setfield(L, -2, "noted");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_newtable(L);
  for (i = 0; i < sizeof functions / sizeof *functions; ++i) {
    weft_push_function(L, functions[i].f);
    lua_setfield(L, -2, functions[i].name);
  }
  lua_pushinteger(L, (lua_Integer)weft_abi_of(L));
  lua_setfield(L, -2, "abi");
  return 1;
}
