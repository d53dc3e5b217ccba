/* SPDX-License-Identifier: MIT */
/* Worker 0: two mixed suspensions cross over a local channel 0 and a shared channel 1.
 * Worker 1: a third gets from the shared one; one of the two has a timer, one is cancelled. */
#define NF 3
#define NC 2
#define NP 1
#define NA 3
#define QL 4
#define NW 2
#define HOME(f) ((f) == 2)
#ifdef BUG_mixed_as_plain
#define PLAIN(f) ((f) != 2)
#else
#define PLAIN(f) false
#endif
#define LOCAL(c) ((c) == 0)
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); arm(0, 0, 2, TMR, 0); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); \
  arm(2, 0, 0, GET, 1); \
  run Timer(0); run Canceller(1);
#define EXPECT assert(!parked[0] && !parked[1])
