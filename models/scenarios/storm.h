/* SPDX-License-Identifier: MIT */
/* Crossed choices, with everything else at once: a timer, an event, a cancel, a close. */
#define NF 2
#define NC 2
#define NP 1
#define NA 3
#define QL 2
#define NOTRY
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); arm(0, 0, 2, TMR, 0); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); arm(1, 0, 2, EVT, 0); \
  run Timer(0); run Source(1); run Canceller(0); run Closer(1);
#define EXPECT assert(!parked[0] && !parked[1])
