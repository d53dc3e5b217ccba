/* SPDX-License-Identifier: MIT */
/* One side of a rendezvous is cancelled while a third fiber could take its place. */
#define NF 3
#define NC 1
#define NP 1
#define NA 1
#define QL 3
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); \
  arm(1, 0, 0, GET, 0); \
  arm(2, 0, 0, GET, 0); \
  run Canceller(1);
#define EXPECT assert(!parked[0] && !parked[1])
