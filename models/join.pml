/* SPDX-License-Identifier: MIT */
/*
 * join.pml: the life of a spawned task between its end and its handle
 * (include/weft/core/coroutine.hpp: `life`; src/core/coroutine.cpp: end, begin_join, end_join,
 * drop_handle).  Every access to `life` is one atomic step, as the implementation's.
 *
 * The holder may join, with a timer beside the join in a choice, and then drops the handle, or drops
 * it at once.  Checked: the result is read only when it is there; the joiner is woken once; its record
 * is not touched once it has gone; nobody touches a freed frame, and it is freed exactly once; a
 * failure is told exactly once, to the joiner or to the scope.
 */
#define COMPLETE 1
#define JOINING  2
#define INTEREST 4
#define RELEASED 8

#define SET(b)   atomic { assert(!freed); before = life; life = life | b }
#define CLEAR(b) atomic { assert(!freed); before = life; life = life & (255 - (b)) }

byte life = INTEREST;
bool result, freed;
byte told;                      /* how often the failure was told */

/* the joiner's suspension */
bool waiting, record;
byte wakes;
byte winner;                    /* 1: the join, 2: the timer */

inline decide(who, mine) {
  atomic {
    mine = waiting;
    if :: waiting -> waiting = false; winner = who :: else fi
  }
}

proctype End() {
  byte before; bool mine;
  result = true;
  SET(COMPLETE);
  if
  :: before & JOINING ->
     assert(record);            /* it is still there to be read */
     decide(1, mine);
     assert(record);
     if :: mine -> wakes++ :: else fi
  :: else
  fi;
  if :: !(before & INTEREST) -> told++ :: else fi;   /* the scope's */
  SET(RELEASED);
  if :: !(before & INTEREST) -> atomic { assert(!freed); freed = true } :: else fi
}

proctype Timer() {
  bool mine;
  (waiting || winner != 0);
  decide(2, mine);
  if :: mine -> wakes++ :: else fi
}

proctype Holder(bool joins) {
  byte before; bool mine, joined;
  if
  :: !joins -> skip
  :: joins ->
     atomic { waiting = true; record = true };
     run Timer();
     SET(JOINING);
     if
     :: before & COMPLETE ->
        CLEAR(JOINING);
        decide(1, mine);
        if :: mine -> skip :: else -> wakes > 0 fi   /* somebody else's wake-up is on its way */
     :: else ->
        wakes > 0;
        CLEAR(JOINING);
#ifndef BUG_no_wait_for_release
        if :: before & COMPLETE -> (life & RELEASED) :: else fi
#endif
     fi;
     record = false;
     if :: winner == 1 -> assert(result); joined = true; told++ :: else fi
  fi;
  /* drop_handle */
#ifdef BUG_clear_at_once
  CLEAR(INTEREST);
#else
  atomic { assert(!freed); before = life; if :: !(life & COMPLETE) -> life = life & (255 - INTEREST) :: else fi };
  if
  :: !(before & COMPLETE) -> goto dropped
  :: else
  fi;
  if :: !joined -> told++ :: else fi;
  CLEAR(INTEREST);
#endif
  if :: before & RELEASED -> atomic { assert(!freed); freed = true } :: else fi;
dropped: skip
}

init {
  atomic {
    run End();
    if :: run Holder(true) :: run Holder(false) fi
  };
  (_nr_pr == 1);
  assert(freed && told == 1 && wakes <= 1 && !record)
}
