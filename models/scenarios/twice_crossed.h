/* SPDX-License-Identifier: MIT */
/* Two fibers that each perform twice, crossed choices. */
#define NF 2
#define NC 2
#define NP 2
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(0, 1, 0, GET, 0); arm(0, 1, 1, PUT, 1); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); \
  arm(1, 1, 0, PUT, 0); arm(1, 1, 1, GET, 1);
#define EXPECT assert(!parked[0] && !parked[1])
