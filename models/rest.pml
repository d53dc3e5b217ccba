/* SPDX-License-Identifier: MIT */
/*
 * rest.pml: who resumes a task that another worker has completed (src/core/coroutine.cpp:
 * coroutine::run, wake).  Home publishes the wait while it still runs the task; it sets
 * `resting` when it has left it.  A waker that finds it at rest takes it along; else it posts it to
 * home's inbox.  Checked: it is resumed once for each wait, never while a worker is still in it.
 */
bool waiting, resting, inside, inbox;
byte resumed, performs;
#define PERFORMS 3

inline enter() { atomic { assert(!inside); inside = true; resting = false } }

/* A worker runs the task until it has parked. */
inline go() {
  enter();
  resumed++;
  if
  :: performs < PERFORMS ->
     performs++;
     waiting = true;            /* begin and publish: anybody may complete it from here on */
#ifdef BUG_rests_too_early
     resting = true;
     inside = false
#else
     inside = false;            /* the frame has suspended */
     resting = true
#endif
  :: else -> inside = false; done = true
  fi
}
bool done;

proctype Home() {
  go();
  do
  :: inbox -> inbox = false; go()
  :: done -> break
  od
}
proctype Waker() {
  bool mine;
  do
  :: atomic { waiting -> waiting = false };
     if
     :: resting -> go()
#ifdef BUG_never_asks
     :: !resting -> go()
#else
     :: !resting -> inbox = true
#endif
     fi
  :: done -> break
  od
}
init {
  atomic { run Home(); run Waker() };
  (_nr_pr == 1);
  assert(resumed == PERFORMS + 1)
}
