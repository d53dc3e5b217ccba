/* SPDX-License-Identifier: MIT
 * bridge.h: foreign libraries called from an event loop that is nginx's. What lua/weft/nginx.lua
 * calls through LuaJIT's ffi, which repeats these declarations. It names nothing of nginx: a call
 * carries a semaphore of the Lua module as an opaque pointer.
 *
 * All of it is to be called on the worker's event loop, in the process that opened the bridge, and
 * none of it waits. Answers arrive on other threads: whoever brings the first rings the bell, once
 * for many answers; the event loop, which watches it, then takes those that are done. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "weft/config.hpp"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_nginx weft_nginx;                 /* one a Lua VM */
typedef struct weft_nginx_library weft_nginx_library; /* a runtime that a library has started */

/* What load has made. */
typedef struct weft_nginx_loaded {
  weft_nginx_library* library; /* NULL: it has failed, and what follows says why */
  const char* code;            /* as weft.foreign.load's */
  int32_t status;              /* what init has returned */
  char message[1000];
} weft_nginx_loaded;

/* Opens a shared object and starts a runtime of it: its init is called on this thread. max_queue:
 * of tasks that it has not polled. is_global: its symbols are for all that is loaded later. */
WEFT_API void weft_nginx_load(weft_nginx* bridge, const char* file, const char* config,
                              size_t max_queue, int is_global, weft_nginx_loaded* made);
/* What has been posted is still handed out; then the library's polls return NULL. Nothing can be
 * posted. */
WEFT_API void weft_nginx_unload(weft_nginx_library* library);
/* The name at an address that stays for good, for post. NULL: not enough memory, or of them more
 * than a MiB. */
WEFT_API const char* weft_nginx_name(const char* name);

/* A call: from post until leave, then to be posted again. */
typedef struct weft_nginx_call {
  uint32_t number; /* the caller's */
  int32_t status;  /* what the library answered, once it is done: 0 is success */
  char* answer;    /* or NULL; until leave */
  size_t answer_size;
  void* semaphore; /* the caller's */
  int32_t done;    /* 1: it has been taken */
} weft_nginx_call;

/* NULL: not enough memory. */
WEFT_API weft_nginx* weft_nginx_open(void);
/* Unloads its libraries, ends its calls and frees all that it has handed out. */
WEFT_API void weft_nginx_close(weft_nginx* bridge);

/* The bell is an eventfd, readable when it rings: the descriptor, which stays the bridge's; or
 * -errno. */
WEFT_API int weft_nginx_eventfd(weft_nginx* bridge);
/* The bell is a Unix socket, on which a byte arrives when it rings. listen writes a path that leads
 * there, to be connected to; then accept takes the connection, if it comes from this process, and
 * the path away. 0 or errno. */
WEFT_API int weft_nginx_listen(weft_nginx* bridge, char* path, size_t size);
WEFT_API int weft_nginx_accept(weft_nginx* bridge);
/* Any thread. */
WEFT_API void weft_nginx_ring(weft_nginx* bridge);
/* The folder that libweft.so lies in; valid for good. */
WEFT_API const char* weft_nginx_folder(void);

/* The bridge's, for as long as it is open. NULL: not enough memory. */
WEFT_API weft_nginx_call* weft_nginx_call_new(weft_nginx* bridge, uint32_t number);

enum { weft_nginx_posted, weft_nginx_full, weft_nginx_unloaded, weft_nginx_no_memory };
/* Asks by a lasting name; the bytes, NULL for none, are copied. timeout: what the library is told,
 * in seconds; 0: none. */
WEFT_API int weft_nginx_post(weft_nginx_call* call, weft_nginx_library* library, const char* name,
                             const char* data, size_t size, double timeout);
/* Ends a call: the answer is freed; if there is none yet, the library is told that nobody waits. */
WEFT_API void weft_nginx_leave(weft_nginx_call* call);

/* A turn of the event loop, when the bell rings: take until there are fewer than max, wake those
 * calls' coroutines, let them go on, settle; and again if that says so. take: up to max calls that
 * are done, each once. */
WEFT_API int weft_nginx_take(weft_nginx* bridge, weft_nginx_call** calls, int max);
/* The same, their semaphores alone. For ngx_weft_source. */
WEFT_API int weft_nginx_take_semaphores(void* bridge, void** semaphores, int max);
/* Wakes the libraries that have been asked since take (otherwise post does), and looks for a moment
 * whether more calls are done. 1: yes. 0: not yet, the bell is going to ring. It also says 0, and
 * rings, when others of the loop have waited for long enough. */
WEFT_API int weft_nginx_settle(void* bridge);

#ifdef __cplusplus
}
#endif
