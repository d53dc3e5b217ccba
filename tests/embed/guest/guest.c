/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "guest.h"

#include <lualib.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "weft/weft.h"

int luaopen_weft_core(lua_State* L); /* of libweft-lua5.4.so and so on */

enum { posters = 3, enterers = 2, each = 200, children = 4 };

/* A state, and what the guest's threads hold of it. */
typedef struct guest {
  const struct guest_host* host;
  lua_State* L;
  weft_state* state;
  weft_handler* handler;
  weft_completion* completion;
  pthread_t threads[posters + enterers];
  int started;
  int code[posters + enterers]; /* what the last call of each has returned */
  int last[posters];            /* the event of each that was seen last */
  int seen, entered, out_of_order;
  char failure[400]; /* the first */
} guest;

static void pause_for(long ns) {
  struct timespec t = {0, 0};
  t.tv_nsec = ns;
  nanosleep(&t, NULL);
}

/* ---- what its scripts call; the guest is an upvalue ---- */

static guest* guest_of(lua_State* L) { return (guest*)lua_touserdata(L, lua_upvalueindex(1)); }

/* seen(thread, i) -> whether it was the last: an event has begun */
static int l_seen(lua_State* L) {
  guest* g = guest_of(L);
  const int thread = (int)luaL_checkinteger(L, 1);
  const int i = (int)luaL_checkinteger(L, 2);
  if (i != g->last[thread] + 1) ++g->out_of_order;
  g->last[thread] = i;
  if (++g->seen % 10 == 0 && g->host->meet) g->host->meet(g->host->context);
  lua_pushboolean(L, g->seen == posters * each);
  return 1;
}

/* A number that no other thread of the guest has. */
typedef struct place {
  guest* g;
  int number;
} place;

static place place_of(void* arg) {
  place p = *(place*)arg;
  free(arg);
  return p;
}

static void* post_all(void* arg) {
  const place p = place_of(arg);
  int i;
  for (i = 1; i <= each; ++i) {
    weft_value v[2];
    v[0] = weft_integer(p.number);
    v[1] = weft_integer(i);
    p.g->code[p.number] = weft_post(p.g->handler, v, 2, WEFT_FOREVER);
  }
  return NULL;
}

static void* enter_often(void* arg) {
  const place p = place_of(arg);
  int i;
  for (i = 0; i < each; ++i) {
    lua_State* L;
    p.g->code[p.number] = weft_enter(p.g->state, &L);
    if (p.g->code[p.number] != WEFT_OK) break;
    lua_pushinteger(L, ++p.g->entered);
    lua_setglobal(L, "entered");
    weft_leave(p.g->state);
  }
  return NULL;
}

static void start(guest* g, void* (*run)(void*)) {
  place* p = (place*)malloc(sizeof *p);
  p->g = g;
  p->number = g->started;
  if (pthread_create(&g->threads[g->started++], NULL, run, p) != 0) abort();
}

static void join_all(void* arg) {
  guest* g = (guest*)arg;
  while (g->started > 0) pthread_join(g->threads[--g->started], NULL);
}

/* start(handler): threads that post to it, and others that enter */
static int l_start(lua_State* L) {
  guest* g = guest_of(L);
  int i;
  g->handler = weft_handler_new(L, 1);
  for (i = 0; i < posters; ++i) start(g, post_all);
  for (i = 0; i < enterers; ++i) start(g, enter_often);
  return 0;
}

/* join() */
static int l_join(lua_State* L) {
  weft_leave_for(L, join_all, guest_of(L));
  return 0;
}

/* poll(descriptor) */
static int l_poll(lua_State* L) {
  struct pollfd p = {0, POLLIN, 0};
  p.fd = (int)luaL_checkinteger(L, 1);
  poll(&p, 1, 1000);
  return 0;
}

/* completion() -> operation; hold(handler): tokens for later */
static int l_completion(lua_State* L) {
  guest_of(L)->completion = weft_completion_new(L);
  return 1;
}
static int l_hold(lua_State* L) {
  guest_of(L)->handler = weft_handler_new(L, 1);
  return 0;
}

static void nap(void* arg) {
  pause_for(30000000);
  *(int*)arg = 1; /* the fiber's */
}
static int nap_over(lua_State* L) {
  (void)L;
  return 0;
}
/* nap(): on the pool */
static int l_nap(lua_State* L) {
  int* woken = (int*)lua_newuserdata(L, sizeof *woken);
  return weft_blocking(L, nap, woken, nap_over);
}

/* ---- a life ---- */

static void add(guest* g, const char* name, lua_CFunction f) {
  lua_pushlightuserdata(g->L, g);
  lua_pushcclosure(g->L, f, 1);
  lua_setglobal(g->L, name);
}

static void set_up(guest* g, const struct guest_host* host, lua_State* L) {
  memset(g, 0, sizeof *g);
  g->host = host;
  g->L = L;
  g->state = weft_state_of(L);
  add(g, "seen", l_seen);
  add(g, "start", l_start);
  add(g, "join", l_join);
  add(g, "poll", l_poll);
  add(g, "completion", l_completion);
  add(g, "hold", l_hold);
  weft_push_function(L, l_nap);
  lua_setglobal(L, "nap");
}

static void guest_open(guest* g, const struct guest_host* host) {
  lua_State* L = luaL_newstate();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", host->share, host->share);
  lua_setfield(L, -2, "path");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_weft_core);
  lua_setfield(L, -2, "weft.core");
  lua_pop(L, 2);
  set_up(g, host, L);
}

static void fail(guest* g, const char* why) {
  if (!g->failure[0]) snprintf(g->failure, sizeof g->failure, "%s", why);
}
static void expect(guest* g, int yes, const char* what) {
  if (!yes) fail(g, what);
}

static void script(guest* g, const char* text) {
  if (luaL_loadstring(g->L, text) != 0 || lua_pcall(g->L, 0, 0, 0) != 0)
    fail(g, lua_tostring(g->L, -1));
  lua_settop(g->L, 0);
}

/* The scenario is over. */
static const char* verdict(guest* g) {
  static _Thread_local char text[sizeof g->failure];
  join_all(g); /* after a failure there are some */
  if (g->handler) weft_handler_release(g->handler);
  weft_state_release(g->state);
  memcpy(text, g->failure, sizeof text);
  return text[0] ? text : NULL;
}

static void check_all(guest* g) {
  expect(g, g->seen == posters * each, "an event was lost");
  expect(g, g->out_of_order == 0, "out of order");
  expect(g, g->entered == enterers * each, "a thread was not let in");
}

/* ---- scenarios ---- */

const char* guest_unused(const struct guest_host* host) {
  guest g;
  guest_open(&g, host);
  script(&g, "require 'weft'.channel(1):try_put(1)");
  lua_close(g.L);
  return verdict(&g);
}

static void run(guest* g) {
  script(g,
         "local weft = require 'weft'\n"
         "weft.run(function()\n"
         "  local all = weft.oneshot()\n"
         "  start(function(thread, i) if seen(thread, i) then all:set(true) end end)\n"
         "  all:get()\n"
         "end)\n"
         "join()");
  lua_close(g->L);
  check_all(g);
}

const char* guest_run(const struct guest_host* host) {
  guest g;
  guest_open(&g, host);
  run(&g);
  return verdict(&g);
}

const char* guest_drive(const struct guest_host* host) {
  guest g;
  guest_open(&g, host);
  script(&g,
         "local embed = require 'weft'.embed\n"
         "embed.attach()\n"
         "local fd, all = embed.event_fd(), false\n"
         "start(function(thread, i) all = seen(thread, i) or all end)\n"
         "repeat\n"
         "  if fd then poll(fd) end\n"
         "  embed.step(fd and 0 or 0.01)\n"
         "until all\n"
         "join()\n"
         "embed.detach()");
  lua_close(g.L);
  check_all(&g);
  return verdict(&g);
}

static void* post_until_closed(void* arg) {
  const place p = place_of(arg);
  int code;
  do code = weft_post(p.g->handler, NULL, 0, WEFT_FOREVER);
  while (code == WEFT_OK);
  p.g->code[p.number] = code;
  return NULL;
}
static void* call_until_closed(void* arg) {
  const place p = place_of(arg);
  p.g->code[p.number] = weft_call(p.g->handler, NULL, 0, WEFT_FOREVER, NULL);
  return NULL;
}
static void* enter_until_closed(void* arg) {
  const place p = place_of(arg);
  lua_State* L;
  int code;
  while ((code = weft_enter(p.g->state, &L)) == WEFT_OK) weft_leave(p.g->state);
  p.g->code[p.number] = code;
  return NULL;
}

static void expect_closed(guest* g) {
  lua_State* L;
  expect(g, weft_post(g->handler, NULL, 0, WEFT_FOREVER) == WEFT_CLOSED, "a post, later");
  expect(g, weft_call(g->handler, NULL, 0, WEFT_FOREVER, NULL) == WEFT_CLOSED, "a call, later");
  expect(g, weft_enter(g->state, &L) == WEFT_CLOSED, "an enter, later");
}

const char* guest_close(const struct guest_host* host) {
  guest g;
  int i;
  guest_open(&g, host);
  script(&g,
         "local weft = require 'weft'\n"
         "local embed = weft.embed\n"
         "embed.attach()\n"
         "embed.event_fd()\n"
         "local empty, shared, lock = weft.channel(), weft.shared_channel(), weft.mutex()\n"
         "local function forever() weft.sleep(1000) end\n"
         "local function listen() return assert(weft.net.tcp.listen('127.0.0.1', 0)) end\n"
         "for _, f in ipairs {\n"
         "  forever, nap,\n"
         "  function() empty:get() end,\n"
         "  function() shared:get() end,\n"
         "  function() weft.choose(empty:get_op(), shared:get_op(), weft.sleep_op(1000)):perform() end,\n"
         "  function() weft.scope(function(s) s:spawn(forever) s:daemon(forever) end) end,\n"
         "  function() weft.defer(seen) forever() end,\n"
         "  function() lock:lock() forever() end,\n"
         "  function() lock:lock() end,\n"
         "  function() completion():perform() end,\n"
         "  function() listen():accept() end,\n"
         "  function()\n"
         "    local l = listen()\n"
         "    local c = assert(weft.net.tcp.connect(l:address()))\n"
         "    weft.timeout(c:read_some_op(), 1000):perform()\n"
         "  end,\n"
         "} do weft.spawn(f) end\n"
         "weft.spawn(function() coroutine.wrap(forever)() end)\n"
         "hold(forever)");
  start(&g, call_until_closed);
  pause_for(10000000);
  script(&g, "for _ = 1, 20 do require 'weft'.embed.step(0.001) end");
  start(&g, call_until_closed);
  start(&g, post_until_closed);
  start(&g, enter_until_closed);
  pause_for(50000000); /* they wait: for an answer, for room, for the state */
  lua_close(g.L);
  join_all(&g);
  for (i = 0; i < 4; ++i) expect(&g, g.code[i] == WEFT_CLOSED, "what waited was not told");
  expect(&g, weft_complete(g.completion, NULL, 0) == WEFT_CLOSED, "a completion, later");
  expect_closed(&g);
  expect(&g, g.seen == 0, "a deferred function has run");
  return verdict(&g);
}

/* Does not return. */
static void be_child(guest* g) {
  guest mine;
  alarm(1800);
  expect_closed(g);
  lua_close(g->L);
  guest_open(&mine, g->host);
  run(&mine);
  if (mine.failure[0]) fail(g, mine.failure);
  if (g->failure[0]) fprintf(stderr, "in a child: %s\n", g->failure);
  _exit(g->failure[0] ? 1 : 0);
}

const char* guest_fork(const struct guest_host* host) {
  guest g;
  pid_t child[children];
  int i, status;
  guest_open(&g, host);
  script(&g,
         "embed = require 'weft'.embed\n"
         "embed.attach()\n"
         "embed.event_fd()\n"
         "all = false\n"
         "start(function(thread, i) all = seen(thread, i) or all end)");
  for (i = 0; i < children; ++i) {
    script(&g, "embed.step(0.001)");
    if ((child[i] = fork()) == 0) be_child(&g);
  }
  script(&g, "while not all do embed.yield(1) end join() embed.detach()");
  lua_close(g.L);
  check_all(&g);
  for (i = 0; i < children; ++i)
    expect(&g, waitpid(child[i], &status, 0) == child[i] && status == 0, "a child has failed");
  return verdict(&g);
}

/* ---- in a C++ program's state ---- */

guest* guest_prepare(const struct guest_host* host, lua_State* L) {
  guest* g = (guest*)malloc(sizeof *g);
  set_up(g, host, L);
  return g;
}

const char* guest_finish(guest* g) {
  const char* failure;
  check_all(g);
  expect_closed(g);
  failure = verdict(g);
  free(g);
  return failure;
}
