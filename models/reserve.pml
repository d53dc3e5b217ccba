/* SPDX-License-Identifier: MIT */
/*
 * reserve.pml: places of a channel that are reserved first and filled later (include/weft/core/channel.hpp: try_reserve,
 * publish_reserve, put_reserved, unreserve, refill), a buffer of one place.  Each critical section is one atomic step,
 * as the channel's lock makes it; what changes outside the lock is a waiter's word, by a timer.  Two tasks reserve, perhaps
 * with a timer beside it, and put or give back; one sends, one receives twice, and somebody may close.  Checked: places
 * that hold a value or are reserved are never more than there are; no record is touched that has gone; a value arrives
 * once or is refused; in the end no place is lost, and nobody waits for what is there.
 */
#define CAPACITY 1
#define NOBODY   9
#define SENDER   2              /* 0 and 1 reserve */
#define GETTER   3

byte count, reserved;
bool closed;
bool waiting[4], won[4], refused[4], linked[4];
bool gone[2];                   /* its record, with the frame */
byte queue[3];                  /* of who wants to put or a place, oldest first */
byte queued;
bool getter_linked;
byte in_buffer = NOBODY;        /* whose value */
byte got[3];                    /* how often whose value has arrived */
byte sent, holding;
byte winner;

#define FULL (count + reserved >= CAPACITY)

inline push(w) { queue[queued] = w; queued++; linked[w] = true }
inline take_off(w) {
  if
  :: !linked[w]
  :: else ->
     if
     :: queue[0] == w -> queue[0] = queue[1]; queue[1] = queue[2]
     :: queue[0] != w && queue[1] == w -> queue[1] = queue[2]
     :: else
     fi;
     queued--;
     linked[w] = false
  fi
}

/* The oldest putter that still waits; it is completed and off the queue. */
inline win_putter() {
  winner = NOBODY;
  do
  :: queued > 0 && winner == NOBODY ->
     winner = queue[0];
     assert(winner == SENDER || !gone[winner]);
     take_off(winner);
     if
     :: waiting[winner] -> waiting[winner] = false; won[winner] = true
#ifdef BUG_serves_the_decided
     :: else
#else
     :: else -> winner = NOBODY
#endif
     fi
  :: else -> break
  od
}
/* A place has come free. */
inline refill() {
  win_putter();
  if
  :: winner == NOBODY
  :: winner == SENDER -> in_buffer = SENDER; count++
  :: else -> reserved++
  fi;
  winner = NOBODY
}
inline put_in_place(w) {
  if
  :: getter_linked -> getter_linked = false; waiting[GETTER] = false; won[GETTER] = true; got[w]++; refill()
  :: else -> in_buffer = w; count++
  fi
}

proctype Reserver(byte me) {
  bool mine;
  /* a try, then publish */
  atomic {
    if
    :: closed -> refused[me] = true
    :: !closed && !FULL -> reserved++; mine = true
    :: else -> waiting[me] = true; push(me)
    fi
  };
  if
  :: mine || refused[me]
  :: else ->
     if
     :: atomic { waiting[me] -> waiting[me] = false }       /* its timer is first */
     :: skip
     fi;
end_waits:
     !waiting[me];
#ifndef BUG_leaves_record
     atomic { take_off(me) };
#endif
     gone[me] = true;
     mine = won[me]
  fi;
  if
  :: mine ->
     atomic { holding++; assert(holding <= CAPACITY) };
     if
     :: atomic {                                   /* put_reserved */
          holding--;
          assert(reserved > 0);
          reserved--;
          if :: closed :: else -> sent++; put_in_place(me) fi
        }
     :: atomic {                                   /* unreserve */
          holding--;
          assert(reserved > 0);
          reserved--;
#ifndef BUG_keeps_the_place
          refill()
#endif
        }
     fi
  :: else
  fi;
  assert(count + reserved <= CAPACITY)
}

proctype Sender() {
  atomic {
    if
    :: closed -> refused[SENDER] = true
    :: !closed && getter_linked -> getter_linked = false; waiting[GETTER] = false; won[GETTER] = true; got[SENDER]++
    :: !closed && !getter_linked && !FULL -> in_buffer = SENDER; count++
    :: else -> waiting[SENDER] = true; push(SENDER)
    fi
  };
end_waits:
  !waiting[SENDER]
}

proctype Getter() {
  byte n, w;
  for (n : 0 .. 1) {
    atomic {
      won[GETTER] = false;
      if
      :: count > 0 -> got[in_buffer]++; in_buffer = NOBODY; count--; refill()
      :: count == 0 && linked[SENDER] -> take_off(SENDER); waiting[SENDER] = false; won[SENDER] = true; got[SENDER]++
#ifdef BUG_meets_who_wants_a_place
      :: count == 0 && !linked[SENDER] && queued > 0 -> w = queue[0]; take_off(w); waiting[w] = false; won[w] = true
#endif
      :: closed && count == 0 && !linked[SENDER] -> break
      :: else -> waiting[GETTER] = true; getter_linked = true
      fi
    };
end_waits:
    !waiting[GETTER]
  }
}

proctype Closer() {
  atomic {
    closed = true;
    do
    :: queued > 0 ->
       winner = queue[0];
       take_off(winner);
       if :: waiting[winner] -> waiting[winner] = false; refused[winner] = true :: else fi
    :: else -> break
    od;
    winner = NOBODY;
    if :: getter_linked -> getter_linked = false; waiting[GETTER] = false :: else fi
  }
}

init {
  byte w;
  atomic { run Reserver(0); run Reserver(1); run Sender(); run Getter() };
  if :: run Closer() :: skip fi;
  timeout;                      /* nothing moves any more */
  atomic {
    assert(holding == 0 && reserved == 0);
    for (w : 0 .. 2) { assert(!linked[w] || (waiting[w] && FULL && !closed)) };
    assert(!(getter_linked && (count > 0 || linked[SENDER] || closed)));
    for (w : 0 .. 2) { assert(got[w] <= 1) };
    assert(got[0] + got[1] + (in_buffer < SENDER -> 1 : 0) == sent);
    assert(got[SENDER] + (in_buffer == SENDER -> 1 : 0) + (linked[SENDER] -> 1 : 0) + (refused[SENDER] -> 1 : 0) == 1)
  }
}
