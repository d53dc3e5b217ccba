/* SPDX-License-Identifier: MIT */
/* Cancel of both sides races crossed choices. */
#define NF 2
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); \
  run Canceller(0); run Canceller(1);
#define EXPECT assert(!parked[0] && !parked[1])
