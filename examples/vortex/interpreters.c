/* SPDX-License-Identifier: MIT
 * interpreters SCRIPT: four Lua interpreters in one process, each on a thread of its own with a
 * lock of its own, each told of frames by an engine's threads. meet() returns when all four are in
 * it, so under one lock for all it would never return. C11. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { interpreters = 4 };

static pthread_barrier_t all_inside;

static int l_meet(lua_State* L) {
  (void)L;
  pthread_barrier_wait(&all_inside);
  return 0;
}

static void* interpret(void* script) {
  lua_State* L = luaL_newstate();
  int failed = 1;
  if (!L) return "no memory";
  luaL_openlibs(L);
  lua_register(L, "meet", l_meet);
  failed = luaL_loadfile(L, (const char*)script) != 0 || lua_pcall(L, 0, 0, 0) != 0;
  if (failed) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed ? "failed" : NULL;
}

int main(int argc, char** argv) {
  pthread_t threads[interpreters];
  int i, failures = 0;
  if (argc != 2) return fprintf(stderr, "usage: interpreters SCRIPT\n"), 2;
  pthread_barrier_init(&all_inside, NULL, interpreters);
  for (i = 0; i < interpreters; ++i)
    if (pthread_create(&threads[i], NULL, interpret, argv[1]) != 0) return perror("thread"), 1;
  for (i = 0; i < interpreters; ++i) {
    void* failure;
    pthread_join(threads[i], &failure);
    if (failure) ++failures;
  }
  pthread_barrier_destroy(&all_inside);
  if (failures > 0) return 1;
  printf("%d interpreters, each in its handlers while the others were\n", interpreters);
  return 0;
}
