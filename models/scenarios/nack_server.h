/* SPDX-License-Identifier: MIT */
/* A server offers a reply or waits for the nack of the client who asked for it: exactly one of the two comes. */
#define NF 2
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, GET, 0); nacked(0, 0, 0, 1); \
  arm(0, 0, 1, TMR, 0); \
  arm(1, 0, 0, PUT, 0); arm(1, 0, 1, GET, 1); \
  run Timer(0); run Canceller(0);
#define EXPECT assert(!parked[0] && !parked[1] && (putch[2] == 0) == closed[1])
