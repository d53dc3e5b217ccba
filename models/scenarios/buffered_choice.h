/* SPDX-License-Identifier: MIT */
/* Channels of one place: a chooser of two gets, a putter that puts twice, cancel of the putter, close. */
#define NF 2
#define NC 2
#define NP 2
#define NA 2
#define QL 3
#define CAP 1
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); \
  arm(0, 1, 0, PUT, 0); arm(0, 1, 1, PUT, 1); \
  arm(1, 0, 0, GET, 1); arm(1, 0, 1, GET, 0); \
  run Canceller(0); run Closer(1);
#define EXPECT assert(!parked[0] && !parked[1])
