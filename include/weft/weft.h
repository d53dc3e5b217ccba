/* SPDX-License-Identifier: MIT
 *
 * weft.h: native threads and Lua. A C library that has threads of its own, or calls that block,
 * uses it to reach the Lua state that loaded it; C11 or C++, nothing to link with: the functions
 * come from the state, where `require "weft"` has put them.
 *
 * Each state has a gate, a fair lock: whoever runs Lua is inside. Two ways in for a native thread:
 *   post   (the default) hands an event to a handler, a Lua function, and goes on. The handler runs
 *          in a fiber of its own, on the state's thread, and may wait.
 *   enter  waits its turn, and lends the thread the bare state for lua_* calls, until it leaves.
 * The state's thread lets others in while it waits for something (in weft.run: between two fibers,
 * and when there is nothing to do), and in weft.embed.yield and step.
 *
 *   static void on_frame(frame *f, void *handler) {          // a thread of the library's
 *     weft_value v = weft_bytes(f->data, f->size);
 *     weft_post(handler, &v, 1, WEFT_FOREVER);
 *   }
 *   static int l_on_frame(lua_State *L) {                    // lib.on_frame(function(data) ...
 * end) engine_on_frame(engine, on_frame, weft_handler_new(L, 1)); return 0;
 *   }
 *
 * Which thread. Functions that take a lua_State are called where lua_* calls are allowed: by the
 * thread that runs it, or one that has entered. All others by any thread, at any time, also when
 * the state has been closed (they answer WEFT_CLOSED then). They never run Lua, but for the
 * functions that say so.
 *
 * After fork(). In the child, which has none of the other threads, what was made before answers
 * WEFT_CLOSED at once. If the thread that has forked ran the state, or was inside, the Lua state is
 * still of use: weft.run and weft.embed begin anew there, with handlers made in the child.
 *
 * Errors. Functions with a lua_State raise Lua errors; the others return a code, 0 for success.
 * What a handler raises goes to the function set with weft.embed.on_error, or fails the state's
 * root scope: weft.run, weft.embed.step and yield raise it.
 */
#ifndef WEFT_H
#define WEFT_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when members are appended to weft_api; what is there never changes. */
#define WEFT_ABI_VERSION 2

/* What functions return. */
enum {
  WEFT_OK = 0,
  WEFT_TIMEOUT = -1, /* not within the time given */
  WEFT_CLOSED = -2,  /* the Lua state is gone, or that of the process this one was forked from */
  WEFT_HELD = -3,    /* this thread is inside a state already, and may not wait for one */
  WEFT_NO_MEMORY = -4,
  WEFT_ERROR = -5 /* the Lua function has raised */
};

/* Times are nanoseconds: 0 never waits. */
#define WEFT_FOREVER INT64_MAX

/* ---- values: what crosses between threads ---- */

enum { WEFT_NIL, WEFT_BOOLEAN, WEFT_INTEGER, WEFT_NUMBER, WEFT_BYTES, WEFT_POINTER };

/* A Lua value that belongs to no state. Bytes are copied when it is handed over, and become a
 * string; a pointer becomes a light userdata. */
typedef struct weft_value {
  int type;
  union {
    int boolean;
    int64_t integer;
    double number;
    struct {
      const char* data;
      size_t size;
    } bytes;
    void* pointer;
  } as;
} weft_value;

/* What a call gave: `values` is one block of malloc's, to be freed; NULL for none. */
typedef struct weft_results {
  weft_value* values;
  size_t count;
} weft_results;

/* ---- objects: tokens, counted; each release gives one reference back, from any thread ---- */

typedef struct weft_state weft_state;           /* a Lua state with its gate */
typedef struct weft_handler weft_handler;       /* a Lua function that threads post to */
typedef struct weft_completion weft_completion; /* an operation that some thread will complete */

/* The functions. `size` is the implementation's sizeof: a library built for a later version looks
 * at it before it uses what was appended. Call them by the names below. */
typedef struct weft_api {
  uint32_t size;
  uint32_t version;
  weft_state* (*state_of)(lua_State* L);
  void (*state_release)(weft_state* s);
  int (*enter)(weft_state* s, int64_t timeout, lua_State** L);
  void (*leave)(weft_state* s);
  weft_handler* (*handler_new)(lua_State* L, int index);
  void (*handler_release)(weft_handler* h);
  int (*post)(weft_handler* h, const weft_value* values, size_t count, int64_t timeout);
  int (*call)(weft_handler* h, const weft_value* values, size_t count, int64_t timeout,
              weft_results* results);
  weft_completion* (*completion_new)(lua_State* L);
  int (*complete)(weft_completion* c, const weft_value* values, size_t count);
  int (*blocking)(lua_State* L, void (*work)(void*), void* arg, lua_CFunction then);
  void (*leave_for)(lua_State* L, void (*work)(void*), void* arg);
  void (*push_function)(lua_State* L, lua_CFunction f);
  /* since version 2 */
  int (*event_fd)(lua_State* L);
  int (*step)(lua_State* L, int64_t timeout, int64_t* deadline);
  int (*wait_events)(lua_State* L, int64_t timeout);
  int (*yield)(lua_State* L, int64_t timeout);
} weft_api;

struct weft_state {
  const weft_api* api;
};
struct weft_handler {
  const weft_api* api;
};
struct weft_completion {
  const weft_api* api;
};

/* The functions of this state; loads weft if need be, or raises. */
static inline const weft_api* weft_api_of(lua_State* L) {
  const weft_api* api;
  lua_getfield(L, LUA_REGISTRYINDEX, "weft.h");
  if (lua_isnil(L, -1)) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "weft");
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, "weft.h");
  }
  api = (const weft_api*)lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!api) luaL_error(L, "weft.h: this weft has none");
  return api;
}

/* The version that the state's weft implements: at least the one that its users were built with. */
static inline uint32_t weft_abi_of(lua_State* L) { return weft_api_of(L)->version; }

/* ---- the state and its gate ---- */

/* The state's handle; a reference that goes with weft_state_release. From the first call on the
 * state's thread is inside its gate. */
static inline weft_state* weft_state_of(lua_State* L) { return weft_api_of(L)->state_of(L); }
static inline void weft_state_release(weft_state* s) { s->api->state_release(s); }

/* Waits its turn, and lends the state to the calling thread until weft_leave: *L is a Lua thread of
 * its own with an empty stack, for lua_* calls. What may raise belongs under lua_pcall. Functions
 * of weft that do not wait may be called too; one that would wait raises.
 * WEFT_TIMEOUT; WEFT_CLOSED; WEFT_HELD: the thread is inside a state already, this one or another
 * (leave it first, or use weft_leave_for): two that each hold one and want the other would wait
 * for ever. */
static inline int weft_try_enter(weft_state* s, int64_t timeout, lua_State** L) {
  return s->api->enter(s, timeout, L);
}
static inline int weft_enter(weft_state* s, lua_State** L) {
  return s->api->enter(s, WEFT_FOREVER, L);
}
/* Gives it back; what it has left on the stack goes. */
static inline void weft_leave(weft_state* s) { s->api->leave(s); }

/* ---- events ---- */

/* A handler of the function at index. Any number of events may be posted to it. */
static inline weft_handler* weft_handler_new(lua_State* L, int index) {
  return weft_api_of(L)->handler_new(L, index);
}
static inline void weft_handler_release(weft_handler* h) { h->api->handler_release(h); }

/* Queues a call of the handler with these values, which are copied. Events of one thread begin in
 * the order in which they were posted. At most 16384 events of a state may be unfinished; then it
 * waits for room, at most `timeout` nanoseconds. WEFT_TIMEOUT; WEFT_CLOSED; WEFT_NO_MEMORY;
 * WEFT_HELD: there is no room, and this thread is inside the state, so none would come. */
static inline int weft_post(weft_handler* h, const weft_value* values, size_t count,
                            int64_t timeout) {
  return h->api->post(h, values, count, timeout);
}

/* The same, and waits for what it returns, with the room at most `timeout` nanoseconds. *results
 * (or NULL) is set with WEFT_OK and, to the message, with WEFT_ERROR. A Lua value that is none of
 * weft_value's is its tostring. WEFT_TIMEOUT: it may still run, and its failure is then
 * treated as that of a posted event. WEFT_HELD: this thread is inside a state. */
static inline int weft_call(weft_handler* h, const weft_value* values, size_t count,
                            int64_t timeout, weft_results* results) {
  return h->api->call(h, values, count, timeout, results);
}

/* ---- operations that some thread completes ---- */

/* Pushes an operation, to be performed or put in a choice like any other, any number of times; it
 * is ready once weft_complete was called for it. The state must be attached: inside weft.run, or
 * after weft.embed.attach. The result is to be completed, once, which gives the reference back:
 *
 *   static void done(void *c, int n) { weft_value v = weft_integer(n); weft_complete(c, &v, 1); }
 *   static int l_fetch(lua_State *L) {
 *     library_fetch(luaL_checkstring(L, 1), done, weft_completion_new(L));
 *     return 1;
 *   } */
static inline weft_completion* weft_completion_new(lua_State* L) {
  return weft_api_of(L)->completion_new(L);
}
/* What performing it returns; copied. By convention a failure is nil, a message, a short code.
 * WEFT_NO_MEMORY: it returns nothing; WEFT_CLOSED: nobody will see it. */
static inline int weft_complete(weft_completion* c, const weft_value* values, size_t count) {
  return c->api->complete(c, values, count);
}

/* ---- calls that block ---- */

/* Ends a C function: `return weft_blocking(L, work, arg, then)`. work(arg) runs on a pool thread,
 * outside the gate, and must not touch Lua; the calling fiber waits meanwhile, and is cancelled
 * only afterwards. Then then(L) runs, on the stack as it was left, with arg pushed as a light
 * userdata; what it returns are the results of the C function. arg lives that long, for instance in
 * a userdata among the arguments. Outside a fiber it blocks the thread, outside the gate.
 * On Lua 5.1 and LuaJIT the C function has to be pushed with weft_push_function, and `then` finds
 * arg alone on its stack. */
static inline int weft_blocking(lua_State* L, void (*work)(void*), void* arg, lua_CFunction then) {
  return weft_api_of(L)->blocking(L, work, arg, then);
}
/* lua_pushcfunction for C functions that end with weft_blocking: on 5.1 a Lua function around it.
 */
static inline void weft_push_function(lua_State* L, lua_CFunction f) {
  weft_api_of(L)->push_function(L, f);
}

/* Leaves the gate, runs work(arg) on this thread, and enters again: others use the state
 * meanwhile, the other fibers of the calling thread do not get on. work must not touch Lua; it may
 * enter another state. */
static inline void weft_leave_for(lua_State* L, void (*work)(void*), void* arg) {
  weft_api_of(L)->leave_for(L, work, arg);
}

/* ---- a main loop of the program's own: weft.embed's functions, outside any fiber ---- */

/* A descriptor for the loop to watch: readable when a thread waits, a timer is due or the kernel
 * has something for a fiber. The same at every call; neither read nor closed by the loop. -1: the
 * backend has none (select), or the process has no more. */
static inline int weft_event_fd(lua_State* L) { return weft_api_of(L)->event_fd(L); }
/* One turn, which waits at most `timeout` for something to do: lets waiting threads in, runs what
 * is ready, takes what the kernel has. Whether anything ran. *deadline (or NULL): when the next
 * timer is due, in CLOCK_MONOTONIC's nanoseconds; WEFT_FOREVER: there is none. Raises the failure
 * of a fiber. */
static inline int weft_step(lua_State* L, int64_t timeout, int64_t* deadline) {
  return weft_api_of(L)->step(L, timeout, deadline);
}
/* Waits until there is something to do. 1: there is; 0: not within the time; -1: as weft_event_fd.
 * Nobody is let in meanwhile. */
static inline int weft_wait_events(lua_State* L, int64_t timeout) {
  return weft_api_of(L)->wait_events(L, timeout);
}
/* Lets native threads in until one has been, or a handler has run: 1; 0: none within the time.
 * Raises the failure of a fiber. */
static inline int weft_yield(lua_State* L, int64_t timeout) {
  return weft_api_of(L)->yield(L, timeout);
}

/* ---- making values ---- */

static inline weft_value weft_nil(void) {
  weft_value v;
  memset(&v, 0, sizeof v);
  return v;
}
static inline weft_value weft_boolean(int boolean) {
  weft_value v = weft_nil();
  v.type = WEFT_BOOLEAN;
  v.as.boolean = boolean;
  return v;
}
static inline weft_value weft_integer(int64_t integer) {
  weft_value v = weft_nil();
  v.type = WEFT_INTEGER;
  v.as.integer = integer;
  return v;
}
static inline weft_value weft_number(double number) {
  weft_value v = weft_nil();
  v.type = WEFT_NUMBER;
  v.as.number = number;
  return v;
}
static inline weft_value weft_bytes(const void* data, size_t size) {
  weft_value v = weft_nil();
  v.type = WEFT_BYTES;
  v.as.bytes.data = (const char*)data;
  v.as.bytes.size = size;
  return v;
}
static inline weft_value weft_string(const char* text) { return weft_bytes(text, strlen(text)); }
static inline weft_value weft_pointer(void* pointer) {
  weft_value v = weft_nil();
  v.type = WEFT_POINTER;
  v.as.pointer = pointer;
  return v;
}

#ifdef __cplusplus
}
#endif

#endif
