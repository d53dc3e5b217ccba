/* SPDX-License-Identifier: MIT */
/* Three choosers in a ring over three channels: each puts to its own or gets from the next. */
#define NF 3
#define NC 3
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 2); \
  arm(2, 0, 0, PUT, 2); arm(2, 0, 1, GET, 0);
#define EXPECT assert(parked[0] + parked[1] + parked[2] == 1)
