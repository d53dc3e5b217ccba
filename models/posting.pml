/* SPDX-License-Identifier: MIT */
/*
 * posting.pml: threads that are no workers wake the last tasks of a worker (src/core/worker.cpp: post,
 * rouse, ~worker).  As soon as a task is in the inbox it may run, and its runtime end, while the poster
 * still looks whether to ring.  Checked: nobody touches a worker that is gone; one that has parked is
 * woken.
 */
#define POSTERS 2
mtype = { awake, parked, notified };
mtype park = awake;
byte inbox, ran, posting;
bool bell, gone;

#define ALIVE assert(!gone)

proctype Poster() {
  mtype seen;
#ifndef BUG_posts_unseen
  atomic { ALIVE; posting++ };
#endif
  atomic { ALIVE; inbox++ };
  atomic { ALIVE; seen = park };
  if
  :: seen == parked ->
     atomic { ALIVE; if :: park == parked -> park = notified :: else -> seen = awake fi };
     if
     :: seen == parked -> atomic { ALIVE; bell = true }
     :: else
     fi
  :: else
  fi;
#ifndef BUG_posts_unseen
  atomic { ALIVE; posting-- }
#endif
}

proctype Worker() {
  do
  :: ran == POSTERS -> break
  :: ran < POSTERS && inbox > 0 -> atomic { ran = ran + inbox; inbox = 0 }
  :: ran < POSTERS && inbox == 0 ->
     park = parked;
#ifndef BUG_parks_unlooked
     if
     :: inbox > 0
     :: inbox == 0 -> atomic { bell -> bell = false }
     fi;
#else
     atomic { bell -> bell = false };
#endif
     park = awake
  od;
#ifndef BUG_posts_unseen
  posting == 0;
#endif
  gone = true
}

init {
  atomic { run Worker(); run Poster(); run Poster() };
  (_nr_pr == 1);
  assert(gone && ran == POSTERS)
}
