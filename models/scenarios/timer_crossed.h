/* SPDX-License-Identifier: MIT */
/* Crossed choices, each with a timer besides. */
#define NF 2
#define NC 2
#define NP 1
#define NA 3
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); arm(0, 0, 2, TMR, 0); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); arm(1, 0, 2, TMR, 0); \
  run Timer(0); run Timer(1);
#define EXPECT assert(!parked[0] && !parked[1])
