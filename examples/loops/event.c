/* SPDX-License-Identifier: MIT
 * Lua with weft inside libevent's loop. */
#include <event2/event.h>

#include "lua_side.h"

static struct event_base* base;
static int own;

static void on_lua(evutil_socket_t fd, short what, void* side) {
  (void)fd;
  (void)what;
  lua_side_step((lua_side*)side);
  if (((lua_side*)side)->over) event_base_loopbreak(base);
}

static void on_timer(evutil_socket_t fd, short what, void* unused) {
  (void)fd;
  (void)what;
  (void)unused;
  ++own;
}

int main(int argc, char** argv) {
  const struct timeval millisecond = {0, 1000};
  lua_side side;
  struct event *watch, *timer;
  if (argc != 2) return fprintf(stderr, "usage: event SCRIPT\n"), 2;
  lua_side_open(&side, argv[1]);
  base = event_base_new();
  watch = event_new(base, side.fd, EV_READ | EV_PERSIST, on_lua, &side);
  timer = event_new(base, -1, EV_PERSIST, on_timer, NULL);
  event_add(watch, NULL);
  event_add(timer, &millisecond);
  event_base_dispatch(base);
  event_free(watch);
  event_free(timer);
  event_base_free(base);
  lua_side_close(&side);
  /* --> libevent: its own timer too */
  printf("libevent: its own timer %s\n", own > 0 ? "too" : "never");
  return 0;
}
