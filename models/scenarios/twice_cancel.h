/* SPDX-License-Identifier: MIT */
/* A chooser performs twice, with a slow source in both, and is cancelled at any time. */
#define NF 2
#define NC 2
#define NP 2
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, GET, 0); arm(0, 0, 1, EVT, 0); \
  arm(0, 1, 0, GET, 0); arm(0, 1, 1, GET, 1); \
  arm(1, 0, 0, PUT, 0); \
  run Source(0); run Canceller(0);
#define EXPECT assert(!parked[0])
