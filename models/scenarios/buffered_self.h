/* SPDX-License-Identifier: MIT */
/* Channels of one place: crossed choices that also meet themselves. */
#define NF 2
#define NC 1
#define NP 1
#define NA 2
#define QL 4
#define CAP 1
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 0); \
  arm(1, 0, 0, GET, 0); arm(1, 0, 1, PUT, 0);
#define EXPECT assert(parked[0] + parked[1] <= 1)
