/* SPDX-License-Identifier: MIT */
/*
 * crew.pml: a worker that goes to sleep while another makes tasks ready (src/core/crew.cpp: rouse_one, search, begin_park,
 * end_park; worker::park, rouse).  An offer has no fence, so what a worker pushes may be seen late: its store buffer is
 * emptied at any time, by a lock that it takes, and for everybody by the membarrier of who parks.  A task may spawn, and
 * may block its worker for good; a message comes for worker 0.  The watcher's interval is longer than anything else:
 * `timeout`.  Checked: what the watcher finds is never more than the last task of a worker; and no task is left
 * for ever with a worker that is blocked, unless all are.
 */
#define WORKERS 2
#define SPAWNS 3                /* altogether */
#define BLOCKS 2

#define AWAKE    0
#define PARKED   1
#define NOTIFIED 2

byte ready[WORKERS];            /* in its deque, for all to see */
byte late[WORKERS];             /* in its store buffer */
byte park[WORKERS];
bool mail[WORKERS], blocked[WORKERS];
bool parked[WORKERS], roused[WORKERS], watcher[WORKERS];   /* under the lock */
byte n_parked, n_searching;
bool watching, lock;
byte spawns, blocks;

#define LOCK(w)   atomic { !lock -> lock = true; ready[w] = ready[w] + late[w]; late[w] = 0 }
#define UNLOCK    lock = false
#define TO_SPARE  (ready[0] > 1 || ready[1] > 1)
#define LEFT(w)   (blocked[w] && ready[w] > 0)

inline rouse(w) { atomic { if :: park[w] == PARKED -> park[w] = NOTIFIED :: else fi } }

inline rouse_one(here) {
  if
  :: n_searching != 0
  :: else ->
     if
     :: here < 2 && watching
     :: else ->
        LOCK(me);
        i = 0;
        do
        :: i < WORKERS && !parked[i] -> i++
        :: else -> break
        od;
        if
        :: i < WORKERS ->
           parked[i] = false; roused[i] = true; n_parked--; n_searching++;
           rouse(i)
        :: else
        fi;
        UNLOCK
     fi
  fi
}

inline end_park() {
  LOCK(me);
  if :: parked[me] -> n_parked-- :: else fi;
  if :: roused[me] -> n_searching-- :: else fi;
  if :: watcher[me] -> watching = false :: else fi;
  parked[me] = false; roused[me] = false; watcher[me] = false;
  UNLOCK
}

/* Runs one task. */
inline run_one() {
  do
  :: atomic { spawns < SPAWNS -> spawns++; late[me]++ };
     if
     :: n_parked != 0 -> here = ready[me] + late[me]; rouse_one(here)
     :: else
     fi
  :: atomic { blocks < BLOCKS -> blocks++; blocked[me] = true };
     goto is_blocked
  :: break
  od
}

proctype Worker(byte me) {
  byte i, here;
  bool found;
  do
  :: atomic { mail[me] -> mail[me] = false };
     run_one()
  :: atomic { !mail[me] && ready[me] + late[me] > 0 -> if :: late[me] > 0 -> late[me]-- :: else -> ready[me]-- fi };
     run_one()
  :: atomic { !mail[me] && ready[me] + late[me] == 0 -> n_searching++; here = n_searching };
     found = false;
     if
     :: here == 1 ->
        i = 0;
        do
        :: i == WORKERS || found -> break
        :: atomic { i < WORKERS && !found && i != me && ready[i] > 1 -> ready[i]--; found = true }
        :: i < WORKERS && !found && (i == me || ready[i] <= 1) -> i++
        od;
        i = 0;
        do                                          /* take_stuck */
        :: i == WORKERS || found -> break
        :: atomic { i < WORKERS && !found && i != me && blocked[i] && ready[i] > 0 -> ready[i]--; found = true }
        :: i < WORKERS && !found && (i == me || !blocked[i] || ready[i] == 0) -> i++
        od
     :: else
     fi;
     n_searching--;
     if
     :: found ->
        if :: n_parked != 0 && TO_SPARE -> rouse_one(2) :: else fi;
        late[me]++
     :: else ->
        park[me] = PARKED;
        LOCK(me);
        parked[me] = true;
        n_parked++;
        if
        :: !watching && n_parked < WORKERS -> watching = true; watcher[me] = true
        :: else
        fi;
        UNLOCK;
#ifndef BUG_no_barrier
        atomic {
          for (i : 0 .. WORKERS - 1) { ready[i] = ready[i] + late[i]; late[i] = 0 }
        };
#endif
#ifndef BUG_no_last_look
        if
        :: TO_SPARE || mail[me]
        :: else ->
#endif
end_parked:
           if
           :: park[me] == NOTIFIED || mail[me]
           :: timeout && watcher[me] ->
              assert(ready[0] <= 1 && ready[1] <= 1);
              if
              :: LEFT(0) || LEFT(1)
              :: else -> goto is_over
              fi
           fi
#ifndef BUG_no_last_look
        fi
#endif
        ;
        end_park();
        park[me] = AWAKE
     fi
  od;
is_blocked:
end_blocked:
  false;
is_over:
end_over:
  false
}

proctype Buffers() {
  byte w;
end_all:
  do
  :: atomic { late[0] > 0 -> ready[0]++; late[0]-- }
  :: atomic { late[1] > 0 -> ready[1]++; late[1]-- }
  :: atomic {
       timeout && !watching ->
       for (w : 0 .. WORKERS - 1) { assert(!blocked[w] || ready[w] == 0 || n_parked == 0) }
     };
     break
  od
}

init {
  byte w;
  atomic {
    ready[WORKERS - 1] = 1;
    for (w : 0 .. WORKERS - 1) { run Worker(w) };
    run Buffers()
  };
  atomic { mail[0] = true };
  rouse(0)
}
