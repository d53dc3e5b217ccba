/* SPDX-License-Identifier: MIT */
/* A chooser is claimed while it is publishing, the claim fails (its partner is decided by a timer), and a third fiber needs an arm that was not published yet. */
#define NF 3
#define NC 2
#define NP 1
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(1, 0, 0, TMR, 0); arm(1, 0, 1, GET, 0); \
  arm(2, 0, 0, PUT, 1); \
  run Timer(1);
#define EXPECT assert(!parked[1])
