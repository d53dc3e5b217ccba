/* SPDX-License-Identifier: MIT */
/* A getter that nobody ever serves is cancelled. */
#define NF 1
#define NC 1
#define NP 1
#define NA 1
#define QL 1
#define SCENARIO \
  arm(0, 0, 0, GET, 0); \
  run Canceller(0);
#define EXPECT assert(!parked[0])
