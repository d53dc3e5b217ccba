/* SPDX-License-Identifier: MIT
 * ngx_weft_module.so: an eventfd in nginx's own event loop, for calls of foreign libraries that are
 * done. It is compiled against one nginx build and refuses any other. Loaded by `load_module` or,
 * without a word in nginx.conf, by LuaJIT's ffi; lua/weft/nginx.lua does the latter and repeats
 * these declarations. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* All of it is touched by the worker's event loop alone. It lives from attach to detach. */
typedef struct ngx_weft_source {
  int fd;     /* an eventfd, readable when something is done; stays the caller's */
  void* host; /* handed to take and settle */
  /* Up to max semaphores whose calls are done now; fewer than max: there are no more. */
  int (*take)(void* host, void** semaphores, int max);
  /* Called when those who waited for them have gone on. 0: the descriptor will tell of more; else
   * take again. */
  int (*settle)(void* host);
  int (*post)(void* semaphore, int n); /* of the Lua module: ngx_http_lua_ffi_sema_post */
  void* watch;                         /* the module's own */
} ngx_weft_source;

/* The nginx version it was compiled for, as in ngx.config.nginx_version. Safe in any nginx. */
__attribute__((visibility("default"))) unsigned ngx_weft_version(void);
/* Watches the source from now on. In a worker, not in the master. NULL, or why it cannot. */
__attribute__((visibility("default"))) const char* ngx_weft_attach(ngx_weft_source* source);
/* Ends that. Does nothing for one that is not attached. */
__attribute__((visibility("default"))) void ngx_weft_detach(ngx_weft_source* source);

#ifdef __cplusplus
}
#endif
