/* SPDX-License-Identifier: MIT */
/* As half_published, with an event from another thread in place of the timer. */
#define NF 3
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, EVT, 0); arm(1, 0, 1, GET, 0); \
  arm(2, 0, 0, PUT, 1); \
  run Source(1);
#define EXPECT assert(!parked[1])
