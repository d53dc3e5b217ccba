/* SPDX-License-Identifier: MIT */
/* Crossed choices, published in opposite order: A{put 0, get 1}, B{put 1, get 0}. */
#define NF 2
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0);
#define EXPECT assert(!parked[0] && !parked[1])
