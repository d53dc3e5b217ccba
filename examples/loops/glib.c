/* SPDX-License-Identifier: MIT
 * Lua with weft inside GLib's main loop, which is GTK's too. */
#include <glib-unix.h>

#include "lua_side.h"

static GMainLoop* loop;
static int own;

static gboolean on_lua(gint fd, GIOCondition condition, gpointer side) {
  (void)fd;
  (void)condition;
  lua_side_step((lua_side*)side);
  if (((lua_side*)side)->over) g_main_loop_quit(loop);
  return G_SOURCE_CONTINUE;
}

static gboolean on_timer(gpointer unused) {
  (void)unused;
  ++own;
  return G_SOURCE_CONTINUE;
}

int main(int argc, char** argv) {
  lua_side side;
  guint watch, timer;
  if (argc != 2) return fprintf(stderr, "usage: glib SCRIPT\n"), 2;
  lua_side_open(&side, argv[1]);
  loop = g_main_loop_new(NULL, FALSE);
  watch = g_unix_fd_add(side.fd, G_IO_IN, on_lua, &side);
  timer = g_timeout_add(1, on_timer, NULL);
  g_main_loop_run(loop);
  g_source_remove(watch);
  g_source_remove(timer);
  g_main_loop_unref(loop);
  lua_side_close(&side);
  printf("glib: its own timer %s\n", own > 0 ? "too" : "never"); /* --> glib: its own timer too */
  return 0;
}
