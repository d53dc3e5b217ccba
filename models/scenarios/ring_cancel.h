/* SPDX-License-Identifier: MIT */
/* The ring of three, straight to the waiting phase, with a cancel of one. */
#define NF 3
#define NC 3
#define NP 1
#define NA 2
#define QL 2
#define NOTRY
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 2); \
  arm(2, 0, 0, PUT, 2); arm(2, 0, 1, GET, 0); \
  run Canceller(1);
#define EXPECT assert(!parked[1] && parked[0] + parked[1] + parked[2] <= 1)
