/* SPDX-License-Identifier: MIT */
/* A choice of a get and a timer, against a put. */
#define NF 2
#define NC 1
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, GET, 0); arm(0, 0, 1, TMR, 0); \
  arm(1, 0, 0, PUT, 0); \
  run Timer(0);
#define EXPECT assert(!parked[0])
