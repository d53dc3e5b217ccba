/* SPDX-License-Identifier: MIT
 * Lua with weft inside libuv's loop. */
#include <uv.h>

#include "lua_side.h"

static int own;

static void on_lua(uv_poll_t* poll, int status, int events) {
  lua_side* side = (lua_side*)poll->data;
  (void)status;
  (void)events;
  lua_side_step(side);
  if (side->over) uv_stop(poll->loop);
}

static void on_timer(uv_timer_t* timer) {
  (void)timer;
  ++own;
}

int main(int argc, char** argv) {
  lua_side side;
  uv_loop_t loop;
  uv_poll_t poll;
  uv_timer_t timer;
  if (argc != 2) return fprintf(stderr, "usage: uv SCRIPT\n"), 2;
  lua_side_open(&side, argv[1]);
  uv_loop_init(&loop);
  uv_poll_init(&loop, &poll, side.fd);
  poll.data = &side;
  uv_poll_start(&poll, UV_READABLE, on_lua);
  uv_timer_init(&loop, &timer);
  uv_timer_start(&timer, on_timer, 1, 1);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_close((uv_handle_t*)&poll, NULL);
  uv_close((uv_handle_t*)&timer, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  lua_side_close(&side);
  printf("libuv: its own timer %s\n", own > 0 ? "too" : "never"); /* --> libuv: its own timer too */
  return 0;
}
