/* SPDX-License-Identifier: MIT
 *
 * foreign.h: the C ABI between weft and a library in another language (C, Go, Rust, Python, Java,
 * Node ...). A library makes a runtime: its init function starts threads of its own, which take
 * tasks from a queue and answer them. No function here calls into Lua, and each may be called from
 * any thread.
 *
 * What a library exports, one of these; the first that is there is called, on the thread of the
 * event loop, and has to return soon. 0: success. Another value: the load fails with it.
 *
 *   int weft_foreign_init(const weft_foreign *weft, weft_queue *queue, const char *config);
 *   int libffi_init(char *config, void *queue);                the names of lua-resty-ffi
 *   int lib_nonblocking_ffi_init(char *config, void *queue);   and of lua-resty-nonblocking-ffi
 *
 * config is NUL-terminated, or NULL; it is the library's to read (and to write to) for as long as
 * the process runs.
 *
 * Tasks. A weft_task* and a weft_queue* are tokens: never an address to look at. A task may be kept
 * for as long as one likes and answered out of order. Each task is to be answered once; one that
 * never is costs its caller's wait and a few hundred bytes.
 *
 * Ownership. A request belongs to weft: it may be read and written until the task is answered, and
 * is never freed by the library. The bytes of an answer come from malloc (or weft_allocate) and
 * belong to weft once respond has returned 0. An answer that is refused stays the library's.
 *
 * Unloading. When the queue has been closed and what was in it has been taken, every poll returns
 * NULL, in each polling thread, and for good: the queue's memory stays. Tasks that were taken
 * before may still be answered. The library stays mapped: init may be called again, with another
 * queue.
 */
#ifndef WEFT_FOREIGN_H
#define WEFT_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define WEFT_FOREIGN_API __declspec(dllexport)
#else
#define WEFT_FOREIGN_API __attribute__((visibility("default")))
#endif

/* Grows when members are appended to weft_foreign; what is there never changes. */
#define WEFT_FOREIGN_VERSION 1

typedef struct weft_queue weft_queue; /* where a runtime's tasks come from */
typedef struct weft_task weft_task;   /* one request, to be answered once */

/* The host's functions, handed to init; valid for as long as the process runs. `size` is the
 * host's sizeof: a library built for a later version looks at it before it uses what was appended.
 */
typedef struct weft_foreign {
  uint32_t size;
  uint32_t version;

  /* The next task; waits until there is one. NULL: the queue is closed and empty. Any number of
   * threads may poll one queue. A task whose caller has left is not handed out. */
  weft_task* (*poll)(weft_queue* queue);

  /* Up to `max` tasks at once: their number. Waits at most `timeout` nanoseconds for the first
   * (0: not at all, negative: for ever). 0: none came. -1: the queue is closed and empty. */
  int (*poll_many)(weft_queue* queue, weft_task** tasks, int max, int64_t timeout);

  /* The request, followed by a NUL that does not count; its length to *size unless that is NULL.
   * NULL with length 0: the caller gave none, or the task has been answered. */
  char* (*request)(weft_task* task, size_t* size);

  /* Answers the task. status: 0 success, anything else failure. data: NULL for nothing; with size
   * 0 a NUL-terminated string. Passing the request itself gives its bytes back.
   * 0: data belongs to weft, also when the caller has left meanwhile.
   * -1: refused, since the task has been answered before; a line on stderr says so. */
  int (*respond)(weft_task* task, int status, char* data, size_t size);

  /* The same with bytes that stay the caller's: they are copied before it returns. With size 0 an
   * empty answer. -1 also: not enough memory; the task has not been answered then. */
  int (*respond_copy)(weft_task* task, int status, const void* data, size_t size);

  /* Sends a part of an answer ahead; data as in respond. respond ends the answer, with the last
   * part or with NULL. Parts arrive in order. -1: refused, data stays the library's: the task has
   * been answered, or nobody is reading any more. Never waits: see unread_parts. */
  int (*respond_part)(weft_task* task, char* data, size_t size);

  /* How many parts have been sent and not been read yet, to slow down a fast library. -1: nobody
   * is reading any more. */
  int64_t (*unread_parts)(weft_task* task);

  /* Not 0: the caller has left (a time-out, a cancelled fiber), or the task has been answered: the
   * work may stop. It is still to be answered. */
  int (*task_cancelled)(weft_task* task);

  /* When the caller will leave: nanoseconds of CLOCK_MONOTONIC; INT64_MAX: never. */
  int64_t (*deadline)(weft_task* task);

  /* The malloc and free that answers are freed with. */
  void* (*allocate)(size_t size);
  void (*release)(void* block);

  /* In init: what load reports when init then returns an error. Copied; NUL-terminated. */
  void (*init_error)(weft_queue* queue, const char* message);

  /* The name that the caller wrote, "echo" of rt:echo(request); "" if there was none. Stays valid
   * for as long as the process runs. */
  const char* (*method)(weft_task* task);
} weft_foreign;

typedef int weft_foreign_init_function(const weft_foreign* weft, weft_queue* queue,
                                       const char* config);

/* The same functions by name, for a library that would rather link than be handed a struct.
 * libweft.so makes them visible before it loads the first library, wherever it was loaded itself.
 */
WEFT_FOREIGN_API const weft_foreign* weft_foreign_functions(void);
WEFT_FOREIGN_API weft_task* weft_task_poll(weft_queue* queue);
WEFT_FOREIGN_API int weft_task_poll_many(weft_queue* queue, weft_task** tasks, int max,
                                         int64_t timeout);
WEFT_FOREIGN_API char* weft_task_request(weft_task* task, size_t* size);
WEFT_FOREIGN_API int weft_task_respond(weft_task* task, int status, char* data, size_t size);
WEFT_FOREIGN_API int weft_task_respond_copy(weft_task* task, int status, const void* data,
                                            size_t size);
WEFT_FOREIGN_API int weft_task_respond_part(weft_task* task, char* data, size_t size);
WEFT_FOREIGN_API int64_t weft_task_unread_parts(weft_task* task);
WEFT_FOREIGN_API int weft_task_cancelled(weft_task* task);
WEFT_FOREIGN_API int64_t weft_task_deadline(weft_task* task);
WEFT_FOREIGN_API const char* weft_task_method(weft_task* task);

/* What libraries for lua-resty-nonblocking-ffi and for lua-resty-ffi call. An answer that is
 * refused is left alone. */
WEFT_FOREIGN_API void* ngx_http_lua_nonblocking_ffi_task_poll(void* queue);
WEFT_FOREIGN_API char* ngx_http_lua_nonblocking_ffi_get_req(void* task, int* size);
WEFT_FOREIGN_API void ngx_http_lua_nonblocking_ffi_respond(void* task, int status, char* data,
                                                           int size);
WEFT_FOREIGN_API void* ngx_http_lua_ffi_task_poll(void* queue);
WEFT_FOREIGN_API char* ngx_http_lua_ffi_get_req(void* task, int* size);
WEFT_FOREIGN_API void ngx_http_lua_ffi_respond(void* task, int status, char* data, int size);

#ifdef __cplusplus
}
#endif

#endif
