/* SPDX-License-Identifier: MIT */
/*
 * crew.pml: workers that go to sleep while others make tasks ready (src/core/crew.cpp: rouse_one, go_to_work, search,
 * begin_park, end_park; worker::park, rouse).  An offer has no fence, so what a worker pushes may be seen late: its store
 * buffer is emptied at any time, by a lock that it takes, and for everybody by the membarrier of who parks.  A task may
 * spawn, and may block its worker for good; a message comes for worker 0.  The watcher's interval is longer than anything
 * else: `timeout`.  Checked: what the watcher finds is never more than the last task of a worker, but for what was still
 * in a store buffer when somebody handed on, which has no fence either; and no task is left for ever with a worker that is
 * blocked, unless all are.
 */
#define WORKERS 3
#define SPAWNS 2                /* altogether */
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
bool too_early;                 /* somebody handed on and did not see what was in a store buffer */
byte spawns, blocks;

#define LOCK(w)   atomic { !lock -> lock = true; ready[w] = ready[w] + late[w]; late[w] = 0 }
#define UNLOCK    lock = false
#define TO_SPARE  (ready[0] > 1 || ready[1] > 1 || ready[2] > 1)
#define LATE      (late[0] + late[1] + late[2] > 0)
#define LEFT(w)   (blocked[w] && ready[w] > 0)

inline rouse(w) { atomic { if :: park[w] == PARKED -> park[w] = NOTIFIED :: else fi } }

/* Rather one that does not watch. */
inline rouse_one(here) {
  if
  :: n_searching != 0
  :: else ->
     if
     :: here < 2 && watching
     :: else ->
        LOCK(me);
        d_step {
          i = 0; who = WORKERS;
          do
          :: i == WORKERS -> break
          :: i < WORKERS ->
             if
             :: parked[i] && (who == WORKERS || watcher[who]) -> who = i
             :: else
             fi;
             i++
          od;
          i = 0
        }
        if
        :: who < WORKERS ->
           parked[who] = false; roused[who] = true; n_parked--; n_searching++;
           rouse(who)
        :: else
        fi;
        who = 0;
        UNLOCK
     fi
  fi
}

inline end_park() {
  LOCK(me);
  if :: parked[me] -> n_parked-- :: else fi;
  if :: roused[me] -> n_searching-- :: else fi;
  if :: watcher[me] -> watching = false :: else fi;
  d_step {
    on_duty = on_duty || roused[me] || watcher[me];
    parked[me] = false; roused[me] = false; watcher[me] = false
  }
  UNLOCK
}

inline go_to_work() {
#ifndef BUG_leaves_its_post
  if
  :: on_duty ->
     on_duty = false;
     if
     :: atomic { n_parked != 0 -> here = (TO_SPARE -> 2 : 1); too_early = too_early || LATE };
        rouse_one(here)
     :: else
     fi
  :: else
  fi;
  here = 0
#else
  skip
#endif
}

/* Runs one task. */
inline run_one() {
  do
  :: atomic { spawns < SPAWNS -> spawns++; late[me]++ };
     if
     :: n_parked != 0 -> here = ready[me] + late[me]; rouse_one(here); here = 0
     :: else
     fi
  :: atomic { blocks < BLOCKS -> blocks++; blocked[me] = true };
     goto is_blocked
  :: break
  od
}

proctype Worker(byte me) {
  byte i, here, who;
  bool found, on_duty;
  do
  :: atomic { mail[me] -> mail[me] = false };
     go_to_work();
     run_one()
  :: !mail[me] && ready[me] + late[me] > 0 ->
     go_to_work();
     if
     :: atomic { late[me] > 0 -> late[me]-- }; run_one()
     :: atomic { late[me] == 0 && ready[me] > 0 -> ready[me]-- }; run_one()
     :: atomic { late[me] == 0 && ready[me] == 0 }        /* a thief was quicker */
     fi
  :: atomic { !mail[me] && ready[me] + late[me] == 0 -> on_duty = true; n_searching++; here = n_searching };
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
     atomic { n_searching--; i = 0; here = 0 };
     if
     :: found -> late[me]++
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
          for (i : 0 .. WORKERS - 1) { ready[i] = ready[i] + late[i]; late[i] = 0 };
          i = 0
        };
#endif
#ifndef BUG_no_last_look
        if
        :: TO_SPARE || mail[me] -> found = true
        :: else ->
           on_duty = false;
#endif
end_parked:
           if
           :: park[me] == NOTIFIED || mail[me]
           :: timeout && watcher[me] ->
              assert(too_early || !TO_SPARE);
              if
              :: LEFT(0) || LEFT(1) || LEFT(2)
              :: else -> goto is_over
              fi
           fi
#ifndef BUG_no_last_look
        fi
#endif
        ;
        end_park();
        park[me] = AWAKE;
        if
        :: found -> n_searching == 0 || mail[me]     /* it comes back until the other has looked */
        :: else
        fi
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
  :: atomic { late[2] > 0 -> ready[2]++; late[2]-- }
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
