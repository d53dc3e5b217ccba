/* SPDX-License-Identifier: MIT */
/*
 * scope_end.pml: the end of a scope of tasks on several workers (src/core/task_scope.cpp: adopt,
 * count_down, leave, ended).  Three children in two shards with a count each; `open` counts shards that are not empty,
 * and the body, under the end lock.  Children spawn children, into either shard.  The closer may be
 * interrupted by a cancellation once, and waits again.  Checked: the scope ends once, when nothing is
 * left; the closer is not left waiting; nobody touches the scope once it is gone.
 */
byte live[2];
byte open = 1;
bool closer, gone, waiting, woken, lock;
byte alive;                     /* ghost: children that have not ended */
byte spawned;
#define MOST 3

#define LOCK   atomic { assert(!gone); !lock -> lock = true }
#define UNLOCK atomic { assert(!gone); lock = false }

inline adopt(s) {
  atomic { assert(!gone); alive++; spawned++; live[s]++; old = live[s] - 1 };
  if :: old == 0 -> LOCK; open++; UNLOCK :: else fi
}

proctype Child(byte s) {
  byte old, other;
  do
  :: atomic { spawned < MOST -> if :: other = 0 :: other = 1 fi };
     adopt(other);
     run Child(other)
  :: break
  od;
  atomic { assert(!gone); alive--; live[s]--; old = live[s] + 1 };
  if
  :: old == 1 ->
     LOCK;
     open--;
#ifdef BUG_wakes_unlocked
     if :: open == 0 && closer -> UNLOCK; assert(!gone); atomic { waiting -> waiting = false; woken = true } :: else -> UNLOCK fi
#else
     if
     :: open == 0 && closer -> if :: atomic { waiting -> waiting = false; woken = true } :: !waiting fi
     :: else
     fi;
     UNLOCK                     /* the last touch */
#endif
  :: else
  fi
}

proctype Canceller() {
  atomic { if :: waiting -> waiting = false; woken = true :: else fi }
}

proctype Body() {
  byte old; bool over;
  adopt(0);
  run Child(0);
  waiting = true;
  LOCK; closer = true; open--; UNLOCK;
  run Canceller();
again:
  LOCK; over = (open == 0); UNLOCK;
  if
  :: over ->
     if
     :: atomic { waiting -> waiting = false }
     :: atomic { !waiting -> woken -> woken = false }
     fi;
     LOCK; UNLOCK;
     goto end
  :: else -> atomic { woken -> woken = false };
     LOCK; over = (open == 0); UNLOCK;
     if :: over -> goto end :: else -> waiting = true; goto again fi
  fi;
end:
  assert(alive == 0);
  gone = true
}
init { run Body(); (_nr_pr == 1); assert(gone) }
