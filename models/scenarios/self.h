/* SPDX-License-Identifier: MIT */
/* A choice of put and get on one channel never matches itself; it waits for ever. */
#define NF 1
#define NC 1
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 0);
#define EXPECT assert(parked[0])
