/* SPDX-License-Identifier: MIT */
/* The ring, where one chooser comes twice: records of its first perform must be gone. */
#define NF 3
#define NC 2
#define NP 2
#define NA 2
#define QL 3
#define NOTRY
#define SCENARIO \
  arm(0, 0, 0, PUT, 0); arm(0, 0, 1, GET, 1); \
  arm(0, 1, 0, PUT, 1); arm(0, 1, 1, GET, 0); \
  arm(1, 0, 0, PUT, 1); arm(1, 0, 1, GET, 0); \
  arm(2, 0, 0, GET, 1);
#define EXPECT skip
