/* SPDX-License-Identifier: MIT */
/* The plain-word path.  Worker 0: A{get 0} and D{put 0} plain, channel 0 local; M{put 0, put 1}
 * mixed, channel 1 shared.  Worker 1: B{get 1}.  A is cancelled from elsewhere. */
#define NF 4
#define NC 2
#define NP 1
#define NA 2
#define QL 4
#define NW 2
#define HOME(f) ((f) == 2)
#ifdef BUG_mixed_as_plain
#define PLAIN(f) ((f) != 2)
#else
#define PLAIN(f) ((f) == 0 || (f) == 3)
#endif
#define LOCAL(c) ((c) == 0)
#define SCENARIO \
  arm(0, 0, 0, GET, 0); \
  arm(1, 0, 0, PUT, 0); arm(1, 0, 1, PUT, 1); \
  arm(2, 0, 0, GET, 1); \
  arm(3, 0, 0, PUT, 0); \
  run Canceller(0);
#define EXPECT assert(!parked[0])
