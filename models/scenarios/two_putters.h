/* SPDX-License-Identifier: MIT */
/* Two putters on two channels, one chooser that gets from either. */
#define NF 3
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); \
  arm(1, 0, 0, PUT, 1); \
  arm(2, 0, 0, GET, 0); arm(2, 0, 1, GET, 1);
#define EXPECT assert(!parked[2] && parked[0] + parked[1] == 1)
