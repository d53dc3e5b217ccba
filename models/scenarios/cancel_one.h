/* SPDX-License-Identifier: MIT */
/* Cancel of one side races a rendezvous. */
#define NF 2
#define NC 1
#define NP 1
#define NA 1
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); \
  arm(1, 0, 0, GET, 0); \
  run Canceller(0);
#define EXPECT assert(!parked[0] && (putch[1] > 0) == !parked[1])
