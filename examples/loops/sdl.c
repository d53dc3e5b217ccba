/* SPDX-License-Identifier: MIT
 * Lua with weft inside SDL's loop. SDL waits for its own events alone, so a thread watches the
 * descriptor and pushes one; it looks again once that has been handled. */
#define SDL_MAIN_HANDLED
#include <SDL.h>
#include <poll.h>

#include "lua_side.h"

static Uint32 lua_event;
static SDL_sem* handled;
static SDL_atomic_t ending;

static int watch(void* side) {
  struct pollfd watched;
  watched.fd = ((lua_side*)side)->fd;
  watched.events = POLLIN;
  while (!SDL_AtomicGet(&ending)) {
    SDL_Event event;
    if (poll(&watched, 1, 100) <= 0) continue;
    SDL_zero(event);
    event.type = lua_event;
    if (SDL_PushEvent(&event) == 1) SDL_SemWait(handled);
  }
  return 0;
}

static Uint32 on_timer(Uint32 interval, void* own) {
  SDL_AtomicAdd((SDL_atomic_t*)own, 1);
  return interval;
}

/* Until the script is over and SDL's timer, a thread of its own, has come too. */
static void run_loop(lua_side* side, SDL_atomic_t* own) {
  SDL_Event event;
  while (!side->over && SDL_WaitEvent(&event)) {
    if (event.type != lua_event) continue;
    lua_side_step(side);
    SDL_SemPost(handled);
  }
  while (SDL_AtomicGet(own) == 0) SDL_Delay(1);
}

int main(int argc, char** argv) {
  lua_side side;
  SDL_atomic_t own = {0};
  SDL_Thread* watcher;
  if (argc != 2) return fprintf(stderr, "usage: sdl SCRIPT\n"), 2;
  if (SDL_Init(SDL_INIT_EVENTS | SDL_INIT_TIMER) != 0)
    return fprintf(stderr, "%s\n", SDL_GetError()), 1;
  lua_event = SDL_RegisterEvents(1);
  handled = SDL_CreateSemaphore(0);
  lua_side_open(&side, argv[1]);
  watcher = SDL_CreateThread(watch, "lua", &side);
  SDL_AddTimer(1, on_timer, &own);
  run_loop(&side, &own);
  SDL_AtomicSet(&ending, 1);
  SDL_SemPost(handled);
  SDL_WaitThread(watcher, NULL);
  lua_side_close(&side);
  SDL_DestroySemaphore(handled);
  SDL_Quit();
  /* --> SDL: its own timer too */
  printf("SDL: its own timer %s\n", SDL_AtomicGet(&own) > 0 ? "too" : "never");
  return 0;
}
