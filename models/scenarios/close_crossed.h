/* SPDX-License-Identifier: MIT */
/* One channel of crossed choices is closed. */
#define NF 2
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); \
  run Closer(0);
#define EXPECT assert(!parked[0] && !parked[1])
