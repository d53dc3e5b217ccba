/* SPDX-License-Identifier: MIT */
/*
 * deque.pml: the deque of runnable tasks (include/weft/core/deque.hpp), sequentially consistent, as its orders and
 * the exchange in pop make it.  The owner pushes and pops at the bottom, two thieves steal at the top.  Checked:
 * each task is taken once, and none is lost.
 */
#define MOST 4
byte slot[MOST];                /* the task, numbered from 1 */
byte top, bottom;
byte taken[MOST + 1];
bool over;

#define TAKEN(x) atomic { assert(taken[x] == 0); taken[x]++ }

proctype Owner() {
  byte pushed = 0, b, t, x;
  do
  :: pushed < MOST ->
     pushed++;
     b = bottom;
     slot[b] = pushed;
     bottom = b + 1
  :: bottom > 0 ->
     b = bottom - 1;
     if :: b < top -> goto progress_none :: else fi;
#ifdef BUG_looks_at_top_first
     t = top;
     bottom = b;
#else
     bottom = b;
     t = top;
#endif
     if
     :: t < b -> x = slot[b]; TAKEN(x)
     :: t == b ->
#ifdef BUG_takes_the_last
        x = slot[b]; TAKEN(x); top = t + 1;
#else
        if
        :: atomic { top == t -> top = t + 1 }; x = slot[b]; TAKEN(x)
        :: top != t
        fi;
#endif
        bottom = b + 1
     :: t > b -> bottom = b + 1
     fi;
progress_none:
     skip
  :: pushed == MOST -> break
  od;
  over = true
}

proctype Thief() {
  byte t, x;
  do
  :: (top < bottom || over);
     t = top;
     if
     :: t < bottom ->
        x = slot[t];
        if
        :: atomic { top == t -> top = t + 1 }; TAKEN(x)
        :: top != t
        fi
     :: else -> if :: over && top >= bottom -> break :: else fi
     fi
  od
}

init {
  byte i = 1;
  atomic { run Owner(); run Thief(); run Thief() };
  (_nr_pr == 1);
  do
  :: i <= MOST -> assert(taken[i] == 1); i++
  :: else -> break
  od
}
