/* SPDX-License-Identifier: MIT */
/*
 * publish.pml: when the shared arms of a fiber's wait are published (src/lua/shared.cpp: publish_shared, retract_shared,
 * wake_shared_fiber; src/lua/fiber.cpp).  The fiber yields, which a C call in between may refuse; only once it is
 * suspended does its worker publish, one arm after the other, each with a second look under its channel's lock (one
 * atomic step).  A timer of home's and a partner of each arm may complete it at any time.  Checked: a refused wait has
 * shown nothing; the fiber is resumed once for its wait, never while it runs; then no record of it is left, and
 * the partner that met it is the winner's; it does not wait for ever beside one that is there.
 */
#define ARMS  2
#define TIMER 8

bool waiting, suspended, refused, over, timer;
bool linked[ARMS], offered[ARMS], met[ARMS];
byte winner = 9;
byte ready, inbox, resumed;

inline complete(arm, mine) {
  mine = waiting;
  if :: waiting -> waiting = false; winner = arm :: else fi
}

/* One arm.  Ends with `stop` when the wait is decided. */
inline publish(arm) {
  atomic {
    linked[arm] = true;
#ifndef BUG_no_look
    if
    :: offered[arm] ->
       linked[arm] = false;
       complete(arm, mine);
       stop = true;
       if :: mine -> offered[arm] = false; met[arm] = true :: else fi
    :: else
    fi
#endif
  };
#ifdef BUG_wakes_when_decided
  if :: stop -> ready++ :: else fi
#else
  if :: stop && mine -> ready++ :: else fi   /* by itself: no other wake-up comes */
#endif
}

inline publish_all() {
  a = 0;
  do
  :: a < ARMS && !stop -> publish(a); a++
  :: else -> break
  od
}

proctype Home() {
  byte a; bool mine, stop;
  atomic { waiting = true; if :: timer = true :: skip fi };
#ifdef BUG_publishes_before_it_suspends
  publish_all();
#endif
  if
  :: refused = true; timer = false; goto out
  :: suspended = true
  fi;
#ifndef BUG_publishes_before_it_suspends
  publish_all();
#endif
end_waits:
  do
  :: atomic { timer -> timer = false; complete(TIMER, mine) };
     if :: mine -> ready++ :: else fi
  :: atomic { inbox > 0 -> inbox--; ready++ }
  :: atomic { ready > 0 -> ready--; resumed++; assert(suspended && !waiting && resumed == 1) };
     suspended = false;
     timer = false;
     atomic { linked[0] = false };
     atomic { linked[1] = false };
     break
  od;
out:
  over = true
}

proctype Partner(byte arm) {
  bool mine;
  if
  :: true ->
     atomic {
       if
       :: linked[arm] ->
          assert(!over && !refused);
          linked[arm] = false;
          complete(arm, mine);
          if :: mine -> met[arm] = true :: else -> offered[arm] = true fi
       :: else -> offered[arm] = true
       fi
     };
     if :: mine -> inbox++ :: else fi        /* the last touch */
  :: true                                    /* nobody comes */
  fi
}

init {
  atomic { run Home(); run Partner(0); run Partner(1) };
  timeout;                      /* nothing moves any more */
  if
  :: over ->
     assert(!linked[0] && !linked[1] && ready == 0 && inbox == 0);
     assert(refused -> !met[0] && !met[1] : resumed == 1)
  :: else -> assert(waiting && !offered[0] && !offered[1])
  fi;
  assert(met[0] == (winner == 0) && met[1] == (winner == 1))
}
