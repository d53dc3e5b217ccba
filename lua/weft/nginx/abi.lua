-- SPDX-License-Identifier: MIT
-- The C side of weft.nginx, through LuaJIT's ffi: src/nginx/bridge.h and src/nginx/module/ngx_weft_module.h,
-- where what it does is written.
local ffi = require "ffi"
require "weft.core" -- maps libweft.so

ffi.cdef [[
typedef struct weft_nginx weft_nginx;
typedef struct weft_nginx_library weft_nginx_library;
typedef struct weft_nginx_call {
  uint32_t number;
  int32_t status;
  char *answer;
  size_t answer_size;
  void *semaphore;
  int32_t done;
} weft_nginx_call;

weft_nginx *weft_nginx_open(void);
void weft_nginx_close(weft_nginx *bridge);
int weft_nginx_eventfd(weft_nginx *bridge);
int weft_nginx_listen(weft_nginx *bridge, char *path, size_t size);
int weft_nginx_accept(weft_nginx *bridge);
void weft_nginx_ring(weft_nginx *bridge);
const char *weft_nginx_folder(void);

typedef struct weft_nginx_loaded {
  weft_nginx_library *library;
  const char *code;
  int32_t status;
  char message[1000];
} weft_nginx_loaded;
void weft_nginx_load(weft_nginx *bridge, const char *file, const char *config, size_t max_queue, int is_global,
                     weft_nginx_loaded *made);
void weft_nginx_unload(weft_nginx_library *library);
const char *weft_nginx_name(const char *name);

weft_nginx_call *weft_nginx_call_new(weft_nginx *bridge, uint32_t number);
int weft_nginx_post(weft_nginx_call *call, weft_nginx_library *library, const char *name, const char *data,
                    size_t size, double timeout);
void weft_nginx_leave(weft_nginx_call *call);
int weft_nginx_take(weft_nginx *bridge, weft_nginx_call **calls, int max);
int weft_nginx_take_semaphores(void *bridge, void **semaphores, int max);
int weft_nginx_settle(void *bridge);

typedef struct ngx_weft_source {
  int fd;
  void *host;
  int (*take)(void *host, void **semaphores, int max);
  int (*settle)(void *host);
  int (*post)(void *semaphore, int n);
  void *watch;
} ngx_weft_source;
unsigned ngx_weft_version(void);
const char *ngx_weft_attach(ngx_weft_source *source);
void ngx_weft_detach(ngx_weft_source *source);

char *strerror(int error);
]]

return ffi.load "libweft.so.0" -- what weft.core needs, by its soname
