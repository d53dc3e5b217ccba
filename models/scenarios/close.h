/* SPDX-License-Identifier: MIT */
/* A channel is closed while a putter and a getter meet on it. */
#define NF 2
#define NC 1
#define NP 1
#define NA 1
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); \
  arm(1, 0, 0, GET, 0); \
  run Closer(0);
#define EXPECT assert(!parked[0] && !parked[1])
