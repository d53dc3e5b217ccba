/* SPDX-License-Identifier: MIT */
/* As half_published, with another rendezvous in place of the timer: channels alone. */
#define NF 4
#define NC 3
#define NP 1
#define NA 2
#define QL 2
#define NOTRY
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, GET, 2); arm(1, 0, 1, GET, 0); \
  arm(2, 0, 0, PUT, 1); \
  arm(3, 0, 0, PUT, 2);
#define EXPECT assert(!parked[1])
