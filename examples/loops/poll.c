/* SPDX-License-Identifier: MIT
 * Lua with weft inside a plain loop around poll(2), which has a descriptor of its own to watch. */
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lua_side.h"

static int open_timer(void) {
  const struct itimerspec each_millisecond = {{0, 1000000}, {0, 1000000}};
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  timerfd_settime(timer, 0, &each_millisecond, NULL);
  return timer;
}

int main(int argc, char** argv) {
  lua_side side;
  struct pollfd watched[2];
  uint64_t expired, own = 0;
  if (argc != 2) return fprintf(stderr, "usage: poll SCRIPT\n"), 2;
  lua_side_open(&side, argv[1]);
  watched[0].fd = side.fd;
  watched[1].fd = open_timer();
  watched[0].events = watched[1].events = POLLIN;
  while (!side.over) {
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[0].revents) lua_side_step(&side);
    if (watched[1].revents && read(watched[1].fd, &expired, sizeof expired) > 0) own += expired;
  }
  close(watched[1].fd);
  lua_side_close(&side);
  printf("poll: its own timer %s\n", own > 0 ? "too" : "never"); /* --> poll: its own timer too */
  return 0;
}
