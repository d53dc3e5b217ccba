// SPDX-License-Identifier: MIT
// The floor: what a scheduler written in C can reach on lua_resume and lua_yield. Run queue,
// channels, choice and timers are the smallest code that is correct for these programs; it is no
// product. Built once for each Lua.   floor <section> [timers: heap | wheel | exact] [sleepers]
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wheel.h"

#if LUA_VERSION_NUM >= 504
static int park_with_value(lua_State* L) {
  return lua_yield(L, 0);
}  // the value stays on the parked stack
static int resume(lua_State* co, int nargs) {
  int results, status = lua_resume(co, NULL, nargs, &results);
  if (status == LUA_YIELD && results) lua_pop(co, results);
  return status;
}
#else
static int park_with_value(lua_State* L) { return lua_yield(L, 1); }
static int resume(lua_State* co, int nargs) { return lua_resume(co, nargs); }
#endif

static double scale = 1;

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}
static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}
static void sleep_until_us(uint64_t at) {
  struct timespec t = {at / 1000000, at % 1000000 * 1000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
static long resident(void) {
  long size, pages = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  if (fscanf(f, "%ld %ld", &size, &pages) != 2) pages = 0;
  fclose(f);
  return pages * sysconf(_SC_PAGESIZE);
}
static void result(const char* name, double value, const char* unit) {
  printf("RESULT %s %.6g %s\n", name, value, unit);
}
static void fail(const char* message) {
  fprintf(stderr, "%s\n", message);
  exit(1);
}

// Run queue: a ring, as large as the number of fibers.
static lua_State** queue;
static uint32_t queue_head, queue_tail, queue_mask;
static int finished;
static lua_State* pool[1000];  // finished threads, used again
static int pooled;

static void queue_init(uint32_t fibers) {
  uint32_t size = 1;
  while (size < fibers + 2) size <<= 1;
  queue = malloc(size * sizeof *queue);
  queue_mask = size - 1;
}
static inline void push(lua_State* co) { queue[queue_tail++ & queue_mask] = co; }
static void run(void) {
  while (queue_head != queue_tail) {
    lua_State* co = queue[queue_head++ & queue_mask];
    int nargs = lua_gettop(co) - (lua_status(co) != LUA_YIELD);
    int status = resume(co, nargs);
    if (status == LUA_YIELD) continue;
    if (status) fail(lua_tostring(co, -1));
    finished++;
    lua_settop(co, 0);
    if (pooled < 1000) pool[pooled++] = co;
  }
}
static int l_yield(lua_State* L) {
  push(L);
  return lua_yield(L, 0);
}
static int l_park(lua_State* L) { return lua_yield(L, 0); }

// A channel that holds up to `cap` values of any kind, in slots of a Lua stack of its own. One
// waiting fiber on each side is enough here.
typedef struct channel {
  lua_State *getter, *putter, *store;
  int cap, head, count;
} channel;

static int l_channel(lua_State* L) {
  channel* c = lua_newuserdata(L, sizeof *c);
  *c = (channel){.cap = (int)lua_tointeger(L, 1)};
  c->store = lua_newthread(L);
  luaL_checkstack(c->store, c->cap + 1, NULL);
  lua_settop(c->store, c->cap);
  luaL_ref(L, LUA_REGISTRYINDEX);
  return 1;
}
static void keep(channel* c, lua_State* from) {  // pops the value on top of `from`
  lua_xmove(from, c->store, 1);
  lua_replace(c->store, (c->head + c->count++) % c->cap + 1);
}
static int l_put(lua_State* L) {
  channel* c = lua_touserdata(L, 1);
  lua_settop(L, 2);
  if (c->getter) {
    lua_xmove(L, c->getter, 1);
    push(c->getter);
    c->getter = NULL;
  } else if (c->count < c->cap) {
    keep(c, L);
  } else {
    c->putter = L;
    lua_replace(L, 1);
    return park_with_value(L);
  }
  return 0;
}
static int l_get(lua_State* L) {
  channel* c = lua_touserdata(L, 1);
  if (c->count) {
    lua_pushvalue(c->store, c->head + 1);
    lua_xmove(c->store, L, 1);
    c->head = (c->head + 1) % c->cap;
    c->count--;
    if (c->putter) keep(c, c->putter);
  } else if (c->putter) {
    lua_xmove(c->putter, L, 1);
  } else {
    c->getter = L;
    lua_settop(L, 0);
    return lua_yield(L, 0);
  }
  if (c->putter) {
    push(c->putter);
    c->putter = NULL;
  }
  return 1;
}

// Choice: one waiting fiber, with one node in the list of each of the channels.
typedef struct node {
  struct node *prev, *next;
} node;
static node lists[64], arms[64];
static int arm_count;
static lua_State* chooser;

static int l_choose(lua_State* L) {
  chooser = L;
  for (int i = 0; i < arm_count; i++) {
    node *n = &arms[i], *list = &lists[i];
    n->prev = list->prev;
    n->next = list;
    list->prev->next = n;
    list->prev = n;
  }
  return lua_yield(L, 0);
}
static int l_fire(
    lua_State* L) {  // puts 1 into a random channel, then goes to the end of the queue
  static uint32_t seed = 12345;
  seed = seed * 1664525u + 1013904223u;
  node* list = &lists[(seed >> 8) % (unsigned)arm_count];
  if (list->next == list) return luaL_error(L, "nobody waits");
  for (int i = 0; i < arm_count; i++) {
    arms[i].prev->next = arms[i].next;
    arms[i].next->prev = arms[i].prev;
  }
  lua_pushinteger(chooser, 1);
  push(chooser);
  push(L);
  return lua_yield(L, 0);
}

// Sleepers: a wheel with ticks of 1 ms, a wheel with ticks of 1 us (exact), or a 4-ary heap
// (rounded to 1 ms).
typedef struct sleeper {
  timer t;  // the heap uses t.at alone
  lua_State* co;
} sleeper;
static sleeper *sleepers, **heap;
static int sleeper_count, heap_size;
static uint64_t tick_us;
static wheel the_wheel;

static void heap_push(sleeper* s) {
  int i = heap_size++;
  for (; i && heap[(i - 1) / 4]->t.at > s->t.at; i = (i - 1) / 4) heap[i] = heap[(i - 1) / 4];
  heap[i] = s;
}
static sleeper* heap_pop(void) {
  sleeper *first = heap[0], *last = heap[--heap_size];
  int i = 0;
  for (;;) {
    int least = 4 * i + 1, end = least + 4 < heap_size ? least + 4 : heap_size;
    if (least >= heap_size) break;
    for (int j = least + 1; j < end; j++)
      if (heap[j]->t.at < heap[least]->t.at) least = j;
    if (heap[least]->t.at >= last->t.at) break;
    heap[i] = heap[least];
    i = least;
  }
  heap[i] = last;
  return first;
}
static int l_sleep(lua_State* L) {
  sleeper* s = &sleepers[sleeper_count++];
  s->co = L;
  s->t.at = (now_us() + (uint64_t)(lua_tonumber(L, 1) * 1e6) + tick_us - 1) / tick_us;
  if (heap)
    heap_push(s);
  else
    wheel_insert(&the_wheel, &s->t);
  lua_settop(L, 0);
  return lua_yield(L, 0);
}
static void wake(timer* t) { push(((sleeper*)t)->co); }
static int wake_due(uint64_t now,
                    uint64_t* next) {  // -> whether somebody still sleeps, until *next at least
  if (!heap) {
    wheel_advance(&the_wheel, now, wake);
    return wheel_next(&the_wheel, next) >= 0;
  }
  while (heap_size && heap[0]->t.at <= now) wake(&heap_pop()->t);
  if (heap_size) *next = heap[0]->t.at;
  return heap_size > 0;
}

static lua_State* new_state(const char* code, int fibers) {
  static const luaL_Reg functions[] = {
      {"yield", l_yield}, {"park", l_park},   {"channel", l_channel},
      {"put", l_put},     {"get", l_get},     {"choose", l_choose},
      {"fire", l_fire},   {"sleep", l_sleep}, {NULL, NULL}};
  lua_State* L = luaL_newstate();
  luaL_openlibs(L);
  for (const luaL_Reg* r = functions; r->name; r++) lua_register(L, r->name, r->func);
  if (luaL_loadstring(L, code) || lua_pcall(L, 0, 0, 0)) fail(lua_tostring(L, -1));
  queue_init(fibers);
  return L;
}
static void spawn(lua_State* L, const char* function) {
  lua_State* co;
  if (pooled) {
    co = pool[--pooled];
  } else {
    co = lua_newthread(L);
    luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_getglobal(co, function);
  push(co);
}
static void run_timed(const char* name, double items) {
  int fibers = (int)(queue_tail - queue_head);
  double start = cpu();
  run();
  result(name, (cpu() - start) / items * 1e9, "ns");
  if (finished != fibers) fail("a fiber did not finish");
}

static void yields(const char* name, int fibers) {
  char code[200];
  int each = (int)(2e6 * scale) / fibers;
  snprintf(code, sizeof code, "local yield = yield function f() for i = 1, %d do yield() end end",
           each);
  lua_State* L = new_state(code, fibers);
  for (int i = 0; i < fibers; i++) spawn(L, "f");
  run_timed(name, (double)each * fibers);
}
static void section_yield_2(void) { yields("yield_2", 2); }
static void section_yield_1000(void) { yields("yield_1000", 1000); }

static void section_rendezvous(void) {
  char code[400];
  int n = (int)(1e6 * scale);
  snprintf(code, sizeof code,
           "local put, get, a, b, n = put, get, channel(0), channel(0), %d "
           "function f() for i = 1, n do put(a, i) if get(b) ~= i then error(i) end end end "
           "function g() for i = 1, n do put(b, get(a)) end end",
           n);
  lua_State* L = new_state(code, 2);
  spawn(L, "f");
  spawn(L, "g");
  run_timed("rendezvous", 2.0 * n);
}
static void buffered(const char* name, int cap) {
  char code[400];
  int n = (int)(2e6 * scale);
  snprintf(code, sizeof code,
           "local put, get, c, n = put, get, channel(%d), %d "
           "function f() for i = 1, n do put(c, i) end end "
           "function g() for i = 1, n do if get(c) ~= i then error(i) end end end",
           cap, n);
  lua_State* L = new_state(code, 2);
  spawn(L, "f");
  spawn(L, "g");
  run_timed(name, n);
}
static void section_buffered_16(void) { buffered("buffered_16", 16); }
static void section_buffered_100(void) { buffered("buffered_100", 100); }

static void section_spawn(void) {
  int batches = (int)(1e3 * scale);
  lua_State* L = new_state("local done = 0 function f() done = done + 1 end", 1000);
  double start = cpu();
  for (int i = 0; i < batches; i++) {
    for (int j = 0; j < 1000; j++) spawn(L, "f");
    run();
  }
  result("spawn", (cpu() - start) / batches / 1000 * 1e9, "ns");
  if (finished != batches * 1000) fail("a fiber did not finish");
}
static void section_parked(void) {
  int n = (int)(1e5 * scale);
  lua_State* L = new_state("local park = park function f() park() end", n);
  int* refs = malloc(n * sizeof *refs);
  for (int i = 0; i < n; i++) {  // let the registry and the queue grow first
    queue[i] = NULL;
    lua_pushboolean(L, 0);
    refs[i] = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  for (int i = 0; i < n; i++) luaL_unref(L, LUA_REGISTRYINDEX, refs[i]);
  long before = resident();
  for (int i = 0; i < n; i++) spawn(L, "f");
  run();
  result("parked", (double)(resident() - before) / n, "B");
}
static void section_choice(void) {
  char code[200], name[20];
  int n = (int)(1e6 * scale);
  for (arm_count = 2; arm_count <= 64; arm_count = arm_count == 2 ? 8 : arm_count * 8) {
    for (int i = 0; i < arm_count; i++) lists[i].prev = lists[i].next = &lists[i];
    snprintf(code, sizeof code,
             "local choose, fire, n = choose, fire, %d function f() local sum = 0 for i = 1, n do "
             "sum = sum + choose() end end "
             "function g() for i = 1, n do fire() end end",
             n);
    lua_State* L = new_state(code, 2);
    finished = pooled = 0;
    spawn(L, "f");
    spawn(L, "g");
    snprintf(name, sizeof name, "choice_%d", arm_count);
    run_timed(name, n);
  }
}
static void sleep_all(const char* kind, int n) {
  char name[40];
  int count = (int)(n * scale);
  double start = cpu();
  tick_us = strcmp(kind, "exact") ? 1000 : 1;
  if (!strcmp(kind, "heap")) heap = malloc(count * sizeof *heap);
  wheel_init(&the_wheel, now_us() / tick_us);
  sleepers = malloc(count * sizeof *sleepers);
  lua_State* L = new_state(
      "math.randomseed(7) local sleep, random = sleep, math.random function f() sleep(random()) "
      "end",
      count);
  for (int i = 0; i < count; i++) spawn(L, "f");
  run();
  uint64_t next;
  while (wake_due(now_us() / tick_us, &next)) {
    if (queue_head == queue_tail) sleep_until_us(next * tick_us);
    run();
  }
  run();
  snprintf(name, sizeof name, "sleepers_%d", n);
  result(name, (cpu() - start) * 1e3, "ms");
  if (finished != count) fail("a sleeper was lost");
}
static void section_timer(void) {  // 1,000 timers; one is cancelled and set anew, as a timeout is
  static timer timers[1000];
  int n = (int)(1e7 * scale);
  uint64_t random = 12345;
  wheel_init(&the_wheel, 1000);
  for (int i = 0; i < 1000; i++) wheel_insert(&the_wheel, &timers[i]);
  double start = cpu();
  for (int i = 0; i < n; i++) {
    timer* t = &timers[i % 1000];
    wheel_cancel(&the_wheel, t);
    random = random * 6364136223846793005u + 1442695040888963407u;
    t->at = 1000 + (random >> 40);  // up to 16.8 s of microseconds
    wheel_insert(&the_wheel, t);
  }
  result("timer_insert_cancel", (cpu() - start) / n * 1e9, "ns");
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } sections[] = {{"yield_2", section_yield_2},
                  {"yield_1000", section_yield_1000},
                  {"rendezvous", section_rendezvous},
                  {"buffered_16", section_buffered_16},
                  {"buffered_100", section_buffered_100},
                  {"spawn", section_spawn},
                  {"parked", section_parked},
                  {"choice", section_choice},
                  {"timer", section_timer}};
  if (getenv("SCALE")) scale = atof(getenv("SCALE"));
  if (argc == 4 && !strcmp(argv[1], "sleepers")) return sleep_all(argv[2], atoi(argv[3])), 0;
  for (size_t i = 0; argc == 2 && i < sizeof sections / sizeof *sections; i++)
    if (!strcmp(argv[1], sections[i].name)) return sections[i].run(), 0;
  fail("usage: floor <section> [heap|wheel|exact <sleepers>]");
}
