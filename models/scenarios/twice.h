/* SPDX-License-Identifier: MIT */
/* A chooser performs twice in a row; a slow source of the first may strike at the second. */
#define NF 2
#define NC 2
#define NP 2
#define NA 2
#define QL 2
#define SCENARIO \
  arm(0, 0, 0, GET, 0); arm(0, 0, 1, EVT, 0); \
  arm(0, 1, 0, GET, 1); \
  arm(1, 0, 0, PUT, 0); \
  run Source(0);
