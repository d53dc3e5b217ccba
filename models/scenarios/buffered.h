/* SPDX-License-Identifier: MIT */
/* A channel of one place: two putters, and a getter that gets twice. */
#define NF 3
#define NC 1
#define NP 2
#define NA 1
#define QL 3
#define CAP 1
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); \
  arm(1, 0, 0, PUT, 0); \
  arm(2, 0, 0, GET, 0); \
  arm(2, 1, 0, GET, 0);
#define EXPECT assert(!parked[0] && !parked[1] && !parked[2])
