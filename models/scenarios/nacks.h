/* SPDX-License-Identifier: MIT */
/* A client chooses between a reply (nack 2), another channel (nack 3) and a timer (nack 4); servers race, and it may be cancelled. */
#define NF 3
#define NC 5
#define NP 1
#define NA 3
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, GET, 0); nacked(0, 0, 0, 2); \
  arm(0, 0, 1, GET, 1); nacked(0, 0, 1, 3); \
  arm(0, 0, 2, TMR, 0); nacked(0, 0, 2, 4); \
  arm(1, 0, 0, PUT, 0); \
  arm(2, 0, 0, PUT, 1); \
  run Timer(0); run Canceller(0);
#define EXPECT assert(!parked[0])
