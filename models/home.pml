/* SPDX-License-Identifier: MIT */
/*
 * home.pml: the home of a descriptor (include/weft/core/home.hpp, src/core/home.cpp,
 * src/io/homed_socket.cpp).  Two workers run a task each, which performs on it twice: it settles the
 * descriptor, or moves to its home.  Between performs the home may give it up, or to the other worker, where the
 * task then goes (one visit too many: known_to, and settle for another worker).  Somebody who is no
 * worker, or a task, closes it.  Checked: only one worker at a time is in it, and it is that at which it is attached;
 * it is closed once, and nobody is in it then or later; every close is done in the end.
 */
byte home;                      /* 0: none; a worker */
bool lock, closing;
byte attached;                  /* at which worker */
byte closed;
bool busy[3];                   /* a worker runs one thing at a time */
bool message[3];                /* a close in its inbox */
byte inside;
byte left;                      /* tasks that have not ended */

#define LOCK   atomic { !lock -> lock = true }
#define UNLOCK lock = false
#define ON(w)  atomic { !busy[w] -> busy[w] = true }
#define OFF(w) busy[w] = false

/* Whoever is in it. */
inline touch(w) {
  atomic { assert(inside == 0 && closed == 0 && (attached == 0 || attached == w)); inside++ };
  attached = w;
  inside--
}
inline shut() {
  atomic { assert(inside == 0 && closed == 0); inside++ };
  attached = 0;
  atomic { closed++; inside-- }
}

proctype Task(byte at) {
  byte performs = 0;
  byte where;
  ON(at);
again:
  if
  :: performs == 2 -> goto end
  :: else
  fi;
  if :: closing -> goto end :: else fi;
  /* place_of: known_to, then settle */
  LOCK;
  where = home;
  if :: where == 0 -> home = at; where = at :: else fi;
  UNLOCK;
  if
  :: where != at -> OFF(at); at = where; ON(at); goto again   /* it may have left meanwhile */
  :: else
  fi;
#ifndef BUG_looks_before_settling
  if :: closing -> goto end :: else fi;    /* whoever closes sees this home from now on */
#endif
  touch(at);
  performs++;
  if
  :: home == at && attached == at ->                        /* leave: nobody waits there */
#ifndef BUG_leaves_attached
     attached = 0;
#endif
     LOCK; home = 0; UNLOCK;
     if
     :: skip
     :: LOCK;
        if :: home == 0 -> home = 3 - at :: else fi;        /* settle(origin) */
        UNLOCK;
        OFF(at); at = 3 - at; ON(at)
     fi
  :: skip
  fi;
  goto again;
end:
  left--;
  OFF(at)
}

/* The loop of a worker, as far as it takes a close from its inbox. */
proctype Inbox(byte w) {
  do
  :: atomic { message[w] && !busy[w] -> message[w] = false; busy[w] = true };
     shut();
     OFF(w)
  :: atomic { left == 0 && closed && !message[w] } -> break
  od
}

/* by: a worker whose task closes it, or 0. */
proctype Closer(byte by) {
  byte where;
  if :: by != 0 -> ON(by) :: else fi;
  closing = true;
  LOCK;
  if :: by != 0 && home == 0 -> home = by :: else fi;       /* settle */
  where = home;
  if :: where != by && where != 0 -> message[where] = true :: else fi;
  UNLOCK;
  if :: where == 0 || where == by -> shut() :: else fi;
  if :: by != 0 -> OFF(by) :: else fi
}

init {
  atomic {
    left = 2;
    run Inbox(1); run Inbox(2);
    run Task(1); run Task(2);
    if :: run Closer(0) :: run Closer(1) fi
  };
  (_nr_pr == 1);
  assert(closed == 1 && inside == 0)
}
