/* SPDX-License-Identifier: MIT */
/*
 * weft.pml: the suspension protocol of weft, as a specification that spin can check.
 *
 * A fiber performs operations.  An operation is a choice of arms; an arm puts to a
 * channel, gets from one, waits for a timer (TMR) or for an event from another thread
 * (EVT).  Each perform goes through
 *
 *      try -> begin -> publish -> suspend -> (wake-up) -> retract -> retire -> nacks
 *
 * and is decided by one word, the `state` of its suspension, packed with a generation.
 *
 * Reading the granularity: every access to a shared word is a step of its own.  What is
 * wrapped in atomic or d_step is (a) one hardware read-modify-write, or (b) a change to a
 * list by the holder of its lock, which nobody else can see half done, or (c) local
 * bookkeeping and ghost variables (ncomp, putch, getch: they exist for the proof alone).
 * A spin loop is written as a blocking guard: `st[x] != C` waits as the loop would.
 *
 * A scenario (scenarios/NAME.h) defines NF fibers (and where they live, if not alone), NC channels, NP performs a fiber, NA
 * arms an operation, CAP places of buffer a channel (0: rendezvous), and SCENARIO, which
 * fills the tables and starts the other parties.  Mutants are switched on by -DBUG_name;
 * check.sh runs everything.
 *
 * Memory orders that the implementation needs are marked [mo].
 */

#ifndef CAP
#define CAP 0
#endif
#ifndef NW                      /* workers; without more ado, each fiber has one to itself */
#define NW NF
#define HOME(f) (f)
#endif
#ifndef PLAIN                   /* all arms of f local: its state is a plain word */
#define PLAIN(f) false
#define LOCAL(c) false          /* c is used on one worker only: it has no lock */
#endif
#ifndef EXPECT                  /* what else must hold when nothing moves any more */
#define EXPECT skip
#endif

/* state of a suspension */
#define W 0                     /* waiting: anybody may complete it */
#define C 1                     /* claimed: one completer is at work; may go back to W */
#define S 2                     /* synchronized: decided, for ever (idle suspensions too) */

/* kinds of arm; PUT and GET double as the index of a channel's two lists */
#define PUT 0
#define GET 1
#define TMR 2                   /* on the performer's own wheel: fires on its own worker */
#define EVT 3                   /* from another thread: reply, exit, completion of I/O */

#define UNSET     255           /* winner: not written yet */
#define CANCELLED 254           /* winner: no arm */
#define CLOSED    255           /* value: the arm won because its channel was closed */

/* outcome of looking at one partner */
#define NOTHING 0
#define WON     1               /* committed */
#define DEAD    2               /* the partner is decided already: drop its record */
#define DECIDED 3               /* I am decided already: stop looking */

/* A wait record is named by (fiber, perform, arm), so it tells its own generation. */
#define ID(f, p, a) (((f) * NP + (p)) * NA + (a))
#define NID         (NF * NP * NA)
#define FIBER(id)   ((id) / (NP * NA))
#define PERF(id)    (((id) / NA) % NP)
#define ARM(id)     ((id) % NA)
#define GEN(id)     (2 * PERF(id) + 1)    /* odd while in use, even once retired */
#define MSG(f, p)   ((f) * NP + (p) + 1)  /* the message of a fiber's p-th perform */

/* ---- the operations: constant once the scenario has filled them in ---- */
byte kind[NID], chn[NID];
byte nack[NID];                 /* 1 + channel closed as this arm's nack, 0 for none */
byte narm[NF * NP];
byte nperf[NF];

/* ---- suspensions, one a fiber ---- */
bit  flip;                      /* address order: by number, or the other way round */
byte st[NF];                    /* { gen, st } is ONE atomic word */
byte gen[NF];
byte winner[NF], val[NF];       /* plain: written by the completer between S and wake-up */
byte inbox[NF];                 /* at home: 0, or the generation that is woken */
bit  parked[NF];
bit  cancel[NF];                /* sticky request */
byte armed[NF];                 /* home's wheel: 1 + id of the armed timer */
byte token[NF];                 /* remote source: 1 + id that it will complete */

bit  cpu[NW];                   /* a worker does one thing at a time: a fiber, a timer, a message */

/* ---- channels: all of it behind the channel's lock ---- */
#define LIST(c, k) ((c) * 2 + (k))
bit  mutex[NC];
byte q[NC * 2 * QL];            /* FIFO lists of wait records, intrusive in weft */
byte qn[NC * 2];
bit  closed[NC];
bit  linked[NID];               /* written under the lock; the owner may read it without */
#if CAP > 0
chan buf[NC] = [CAP] of { byte };
#endif

/* ---- ghosts ---- */
byte ncomp[NF];                 /* completions of the perform in progress */
byte putch[NF * NP + 1];        /* message -> 1 + channel, as its putter saw it */
byte getch[NF * NP + 1];        /* message -> 1 + channel, as its getter saw it */

/* Whoever reads or writes somebody's suspension must find it alive. */
#define TOUCH(f, g) assert(gen[f] == (g))

inline completed(f) { assert(ncomp[f] == 0); ncomp[f]++ }

/* A worker's thread. Fibers of one worker never interleave; they change places when one
 * suspends or ends, never within an operation. */
inline enter(f_) { atomic { !cpu[HOME(f_)] -> cpu[HOME(f_)] = 1 } }
inline leave(f_) { atomic { assert(cpu[HOME(f_)]); cpu[HOME(f_)] = 0 } }

/* A local channel's lock is nothing but a proof that none is needed.
 * [mo] lock: acquire; unlock: release. */
inline lock(c)   { atomic { LOCAL(c) || mutex[c] == 0 -> assert(!mutex[c]); mutex[c] = 1 } }
inline unlock(c) { atomic { assert(mutex[c]); mutex[c] = 0 } }

inline link(l_, id_) {
  d_step { assert(!linked[id_] && qn[l_] < QL); q[(l_) * QL + qn[l_]] = id_; qn[l_]++; linked[id_] = 1 }
}

/* O(1) in weft: the record is a node of a doubly linked list.
 * [mo] linked := false is a release store and the last touch of the record. */
byte ux;                        /* scratch of d_steps: always 0 between them */
inline unlink(l_, id_) {
  d_step {
    assert(linked[id_]); ux = 0;
    do :: q[(l_) * QL + ux] != id_ -> ux++; assert(ux < qn[l_]) :: else -> break od;
    do
    :: ux + 1 < qn[l_] -> q[(l_) * QL + ux] = q[(l_) * QL + ux + 1]; ux++
    :: else -> q[(l_) * QL + ux] = 0; break
    od;
    qn[l_]--; linked[id_] = 0; ux = 0
  }
}

/*
 * One-party completion: CAS { g, W } -> { g, S }; wait while C, since C may go back to W.
 * Used for timers, events, close, buffers, and for a partner when I am not published.
 * [mo] acq_rel on success, acquire on failure.
 */
inline complete(f_, g_, ok_) {
#ifdef BUG_no_generation
  if
  :: atomic { st[f_] == W -> st[f_] = S; completed(f_); ok_ = 1 }
  :: atomic { st[f_] == S -> ok_ = 0 }
  fi
#else
#ifdef BUG_generation_apart     /* generation read first, state changed after */
  if
  :: gen[f_] == g_ ->
     if
     :: atomic { st[f_] == W -> st[f_] = S; completed(f_); ok_ = 1 }
     :: atomic { st[f_] == S -> ok_ = 0 }
     fi
  :: atomic { gen[f_] != g_ -> ok_ = 0 }
  fi
#else
  if
  :: PLAIN(f_) && gen[f_] == g_ && st[f_] == W ->              /* a load, */
     d_step { st[f_] = S; completed(f_); ok_ = 1 }             /* a store: not one step */
  :: PLAIN(f_) && !(gen[f_] == g_ && st[f_] == W) -> ok_ = 0
  :: atomic { !PLAIN(f_) && gen[f_] == g_ && st[f_] == W -> st[f_] = S; completed(f_); ok_ = 1 }
  :: atomic { !PLAIN(f_) && (gen[f_] != g_ || st[f_] == S) -> ok_ = 0 }
#ifdef BUG_no_wait_on_c
  :: atomic { st[f_] == C -> ok_ = 0 }
#endif
  fi
#endif
#endif
}

/*
 * Two-party completion of two published suspensions: ordered claim.  Called under the
 * lock of the channel in whose list the partner's record is linked: that lock is what
 * keeps the partner's suspension alive, for it has to unlink there before it retires.
 * Takes no lock, runs no foreign code: C is the innermost thing that is ever held.
 * [mo] the CASes are acq_rel (acquire on failure); lo := S and lo := W are release stores.
 *
 * Only shared channels come here, so both are shared suspensions, never plain ones.
 */
inline claim(mine, peer_, g_, res_) {
#if defined(BUG_own_first) || defined(BUG_own_first_hold)
  d_step { lo = mine; hi = peer_ }
#else
  d_step {
    if
    :: (mine < peer_) != flip -> lo = mine; hi = peer_
    :: else                   -> lo = peer_; hi = mine
    fi
  }
#endif
  do
  :: atomic { st[lo] == W -> TOUCH(peer_, g_); st[lo] = C }
     if
     :: atomic { st[hi] == W -> TOUCH(peer_, g_); st[hi] = S; completed(hi) }
        atomic { assert(st[lo] == C); st[lo] = S; completed(lo); res_ = WON; break }
     :: atomic { st[hi] == S -> TOUCH(peer_, g_) }
        atomic { assert(st[lo] == C); st[lo] = W; res_ = (hi == mine -> DECIDED : DEAD); break }
#ifdef BUG_own_first            /* both claim, both see C, both retreat */
     :: atomic { st[hi] == C -> TOUCH(peer_, g_) }
        st[lo] = W
#endif
     fi
  :: atomic { st[lo] == S -> TOUCH(peer_, g_); res_ = (lo == mine -> DECIDED : DEAD); break }
  od
}

/* The completer's last two acts.  Until the wake-up is in the inbox the performer does not
 * move, whatever it may read in its state; after it, the completer never touches it again. */
inline deliver(f_, id_, v_) { d_step { TOUCH(f_, GEN(id_)); winner[f_] = id_; val[f_] = v_ } }

/* [mo] the push is a release, the pop an acquire: they carry winner and val across. */
inline wake(f_, g_) { d_step { TOUCH(f_, g_); assert(inbox[f_] == 0); inbox[f_] = g_ } }

/* ---- channels ---- */

/* Look for partners of arm `id` in list l, oldest first, and commit with the first that is
 * still waiting.  PUBLISHED says whether others can see me.  Leaves res, peer, r. */
#define NEXT_PARTNER d_step { r = q[l * QL + i]; peer = FIBER(r) }

/* Hand message over between me (arm id) and the partner's record r; both are S. */
inline rendezvous() {
  d_step {
    TOUCH(peer, GEN(r));
    winner[peer] = r;
    if
    :: k == PUT -> val[peer] = MSG(me, p); myval = 0
    :: else     -> val[peer] = 0;          myval = MSG(peer, PERF(r))
    fi;
    mywin = id; wk = r + 1
  }
}

#if CAP > 0
/* A place has come free: the oldest putter that is still waiting moves its message in.
 * It is completed alone (one party), so this is the same whether or not I was published. */
inline refill() {
  d_step { l = LIST(c, PUT) }
  do
  :: qn[l] > 0 && wk == 0 ->
     d_step { r = q[l * QL]; peer = FIBER(r) }
     complete(peer, GEN(r), ok);
     if
     :: ok   -> deliver(peer, r, 0); d_step { buf[c]!MSG(peer, PERF(r)); wk = r + 1; ok = 0 }
     :: else -> skip
     fi;
     unlink(l, r)
  :: else -> break
  od
}
#endif

/* Close a channel: every waiter is completed alone, by the arm that waits there. A nack is
 * such a channel, of which nobody but close ever satisfies the getters. */
inline close(c_) {
  lock(c_);
  d_step { assert(!closed[c_]); closed[c_] = 1; i = 0 }
  do
  :: i < 2 && qn[LIST(c_, i)] > 0 ->
     d_step { r = q[LIST(c_, i) * QL]; peer = FIBER(r) }
     complete(peer, GEN(r), ok);
     unlink(LIST(c_, i), r);
     if
     :: ok   -> deliver(peer, r, CLOSED); wake(peer, GEN(r)); ok = 0
     :: else -> skip
     fi
  :: i < 2 && qn[LIST(c_, i)] == 0 -> i++
  :: i >= 2 -> break
  od;
  unlock(c_);
  d_step { i = 0; r = 0; peer = 0 }
}

#if CAP > 0
#define CAN_TAKE  (k == GET && len(buf[c]) > 0)
#define CAN_STORE (k == PUT && !closed[c] && len(buf[c]) < CAP)
#else
#define CAN_TAKE  false
#define CAN_STORE false
#endif
#ifdef BUG_close_not_looked
#define CLOSED_TO_ME false
#else
#define CLOSED_TO_ME (closed[c] && (k == PUT || qn[l] == 0))
#endif
#define MY_ARM    d_step { id = ID(me, p, a); k = kind[id]; c = chn[id]; l = LIST(c, 1 - k) }
#define TIDY      d_step { i = 0; r = 0; peer = 0; lo = 0; hi = 0; l = 0; ok = 0; id = 0; k = 0; c = 0 }

proctype Fiber(byte me) {
  byte p, a, n, id, k, c, l, i, r, peer, lo, hi, res, wk;
  byte mywin, myval;            /* the outcome when I completed it myself */
  bit ok, waited;
#ifdef BUG_nack_published_only
  byte npub;
#endif

  enter(me);
next_perform:
  if
  :: p == nperf[me] -> goto done
  :: else
  fi;
  d_step { mywin = UNSET; myval = 0; res = NOTHING; waited = 0; n = 0; wk = 0 }

  /* -- try: all of the rendezvous now, or nothing.  I am not published, so only the
   *    partner's word is in play. -- */
#ifndef NOTRY
  if                            /* a random rotation */
  :: a = 0
  :: narm[me * NP + p] > 1 -> a = 1
  :: narm[me * NP + p] > 2 -> a = 2
  fi;
  do
  :: n < narm[me * NP + p] && res != WON ->
     MY_ARM;
     if
     :: k <= GET ->
        lock(c);
        if
        :: k == PUT && closed[c] -> d_step { mywin = id; myval = CLOSED; res = WON }
#if CAP > 0
        :: CAN_TAKE -> d_step { buf[c]?myval; mywin = id; res = WON }
           refill()
#endif
        :: else ->
           do
           :: i < qn[l] && res != WON ->
              NEXT_PARTNER;
              complete(peer, GEN(r), ok);
              unlink(l, r);     /* committed or dead: out it goes either way */
              if
              :: ok   -> rendezvous(); d_step { ok = 0; res = WON }
              :: else -> skip
              fi
           :: else -> break
           od;
           if
#if CAP > 0
           :: res != WON && CAN_STORE -> d_step { buf[c]!MSG(me, p); mywin = id; res = WON }
#endif
           :: res != WON && closed[c] -> d_step { mywin = id; myval = CLOSED; res = WON }
           :: res == WON || !(closed[c] || CAN_STORE) -> skip
           fi
        fi;
        unlock(c);
        if
        :: wk -> wake(FIBER(wk - 1), GEN(wk - 1)); wk = 0
        :: else
        fi
     :: else -> skip            /* timers and events are not ready yet */
     fi;
     TIDY;
     d_step { n++; a = (a + 1) % narm[me * NP + p] }
  :: else -> break
  od;
  n = 0; a = 0;
  if
  :: res == WON -> goto retire
  :: else
  fi;
#endif

  /* -- begin: from here on a canceller can see that I wait.
   * [mo] The store of W and the load of the request, and on the other side the store of
   * the request and the load of the word, are the store-load pattern: all four seq_cst. -- */
#ifdef BUG_cancel_looked_early
  if
  :: cancel[me] -> d_step { mywin = CANCELLED }
     goto retire
  :: else
  fi;
#endif
  d_step { gen[me] = 2 * p + 1; st[me] = W; ncomp[me] = 0; winner[me] = UNSET; val[me] = 0; waited = 1 }
#ifndef BUG_cancel_looked_early
  if
  :: cancel[me] ->
     complete(me, 2 * p + 1, ok);
     if
     :: ok   -> d_step { mywin = CANCELLED; ok = 0 }
        goto retract
     :: else -> goto suspend    /* the canceller was quicker; its wake-up is on the way */
     fi
  :: else
  fi;
#endif

  /* -- publish: leave a record, then look again, in one critical section a channel -- */
  d_step { a = 0 }
  do
  :: a < narm[me * NP + p] ->
     /* Decided already?  An economy only: claim would find out. [mo] relaxed.
      * C must NOT stop us: it may go back to W, and the later arms would be missing. */
     if
#ifdef BUG_stop_at_c
     :: st[me] != W -> break
     :: st[me] == W
#else
#ifndef VARY_never_stop
     :: st[me] == S -> break
#endif
     :: else
#endif
     fi;
     MY_ARM;
#ifdef BUG_nack_published_only
     npub = a + 1;
#endif
     if
     :: k == TMR -> armed[me] = id + 1
     :: k == EVT -> token[me] = id + 1
     :: k <= GET ->
        lock(c);
        link(LIST(c, k), id);
#ifndef BUG_no_second_look
        if
        :: LOCAL(c) -> skip     /* nothing else ran here since the try: no need to look */
        :: !LOCAL(c) && (CAN_TAKE || CLOSED_TO_ME) ->
           /* the channel satisfies me without a partner */
           complete(me, 2 * p + 1, ok);
           if
           :: !ok -> res = DECIDED
           :: ok && CAN_TAKE ->
#if CAP > 0
              d_step { buf[c]?myval; mywin = id; res = WON; ok = 0 }
              refill()
#else
              assert(false)
#endif
           :: ok && !CAN_TAKE -> d_step { mywin = id; myval = CLOSED; res = WON; ok = 0 }
           fi
        :: else ->
#ifndef BUG_mixed_as_plain
           assert(!PLAIN(me));
#endif
           do
           :: i < qn[l] && res != WON && res != DECIDED ->
              NEXT_PARTNER;
              if
#ifndef BUG_match_self
              :: peer == me -> i++        /* never with myself */
#endif
              :: else ->
                 claim(me, peer, GEN(r), res);
                 if
                 :: res == WON     -> unlink(l, r); rendezvous()
                 :: res == DEAD    -> unlink(l, r)
                 :: res == DECIDED -> skip
                 fi
              fi
           :: else -> break
           od;
           if
#if CAP > 0
           :: res != WON && res != DECIDED && CAN_STORE ->
              complete(me, 2 * p + 1, ok);
              if
              :: ok   -> d_step { buf[c]!MSG(me, p); mywin = id; res = WON; ok = 0 }
              :: else -> res = DECIDED
              fi
#endif
           :: else -> skip
           fi
        fi;
        if
        :: res == WON -> unlink(LIST(c, k), id)
        :: else
        fi;
#endif
        unlock(c);
        if
        :: wk -> wake(FIBER(wk - 1), GEN(wk - 1)); wk = 0
        :: else
        fi
     fi;
     TIDY;
     a++;
     if
     :: res == WON -> goto retract       /* completed by my own hand: no wake-up comes */
#ifndef VARY_never_stop
     :: res == DECIDED -> break          /* completed by another: its wake-up comes */
#endif
     :: else -> res = NOTHING
     fi
  :: else -> break
  od;

  /* -- suspend: S decides, the wake-up releases.  Even a performer that has read S waits
   *    for the wake-up: winner and val are written before it, and the completer still
   *    needs the suspension until then. -- */
suspend:
  skip;
  TIDY;
#ifdef BUG_continue_at_s
  if
  :: st[me] == S -> goto take
  :: else
  fi;
#endif
  d_step { parked[me] = 1; a = 0; res = NOTHING; cpu[HOME(me)] = 0 }
end_parked:
  atomic { inbox[me] && !cpu[HOME(me)] -> cpu[HOME(me)] = 1; assert(inbox[me] == 2 * p + 1); inbox[me] = 0; parked[me] = 0 }
#ifdef BUG_continue_at_s
take:
  skip;
#endif
  d_step { mywin = winner[me]; myval = val[me]; winner[me] = UNSET; val[me] = 0 }

  /* -- retract the losers, on my own worker, before anything else -- */
retract:
  skip;
  d_step { a = 0; res = NOTHING; ok = 0 }
  do
  :: a < narm[me * NP + p] ->
     MY_ARM;
     if
     :: k == TMR -> armed[me] = 0
     :: k == EVT -> token[me] = 0       /* the source may hold it already: the generation */
     :: k <= GET ->
#ifndef BUG_no_retract
        if
        :: linked[id] ->                /* [mo] acquire; false: somebody dropped it for good */
           lock(c);
           if
           :: linked[id] -> unlink(LIST(c, k), id)
           :: else
           fi;
           unlock(c)
        :: else
        fi
#endif
        skip
     fi;
     TIDY;
     a++
  :: else -> break
  od;

  /* -- retire: the suspension's memory is free for the next perform -- */
retire:
  skip;
  d_step {
    a = 0; n = 0; i = 0;
    do                                   /* nothing of mine is left in any list */
    :: i < NC * 2 ->
       n = 0;
       do :: n < qn[i] -> assert(FIBER(q[i * QL + n]) != me); n++ :: else -> break od;
       i++
    :: else -> break
    od;
    i = 0; n = 0;
    if
    :: waited -> assert(st[me] == S && ncomp[me] == 1); gen[me] = 2 * p + 2
    :: else
    fi;
    assert(inbox[me] == 0);
    assert(mywin != UNSET);
    if
    :: mywin == CANCELLED -> assert(cancel[me])
    :: else ->
       assert(FIBER(mywin) == me && PERF(mywin) == p);   /* an arm of this very perform */
       if
       :: myval == CLOSED -> assert(closed[chn[mywin]])
       :: myval != CLOSED && kind[mywin] == PUT ->
          assert(putch[MSG(me, p)] == 0); putch[MSG(me, p)] = 1 + chn[mywin]
       :: myval != CLOSED && kind[mywin] == GET ->
          assert(myval && (myval - 1) / NP != me);       /* never my own message */
          assert(getch[myval] == 0); getch[myval] = 1 + chn[mywin]
       :: else
       fi
    fi
  }

  /* -- nacks: of all arms but the winner, published or not -- */
#if defined(BUG_nack_winner)
#define LOST true
#elif defined(BUG_nack_published_only)
#define LOST (mywin != ID(me, p, a) && a < npub)
#else
#define LOST (mywin != ID(me, p, a))
#endif
  do
  :: a < narm[me * NP + p] ->
     if
     :: nack[ID(me, p, a)] && LOST -> close(nack[ID(me, p, a)] - 1)
     :: else
     fi;
     a++
  :: else -> break
  od;
  a = 0;
  d_step {
    do
    :: a < narm[me * NP + p] ->
       assert(!nack[ID(me, p, a)] || closed[nack[ID(me, p, a)] - 1] == (mywin != ID(me, p, a))); a++
    :: else -> break
    od;
    a = 0; mywin = 0; myval = 0; res = 0; waited = 0; p++
  }
  goto next_perform;
done:
  leave(me)
}

/* ---- the other parties ---- */

/* A timer on the wheel of f's home: fired by that worker, so while f does not run. */
proctype Timer(byte f) {
  byte id; bit ok;
end:
  do
  :: atomic { armed[f] && !cpu[HOME(f)] -> cpu[HOME(f)] = 1; id = armed[f] - 1; armed[f] = 0 }
     complete(f, GEN(id), ok);
     if
     :: ok   -> deliver(f, id, 0); wake(f, GEN(id))
     :: else
     fi;
     d_step { ok = 0; id = 0; cpu[HOME(f)] = 0 }
  od
}

/* A source on another thread.  It takes the token at some time, completes at any later
 * time: perhaps long after the performer has lost interest and waits for something else. */
proctype Source(byte f) {
  byte id; bit ok;
end:
  do
  :: atomic { token[f] -> id = token[f] - 1; token[f] = 0 }
     complete(f, GEN(id), ok);
     if
     :: ok   -> deliver(f, id, 0); wake(f, GEN(id))
     :: else
     fi;
     d_step { ok = 0; id = 0 }
  od
}

/* Somebody cancels fiber f.  Sticky: a perform that is over by now is not undone, the next
 * one sees the request; so the generation need not be checked, only kept. */
proctype Canceller(byte f) {
  byte g; bit ok;
#ifndef BUG_cancel_across_workers
  if
  :: PLAIN(f) -> enter(f)       /* a message, that the home of f carries out */
  :: else
  fi;
#endif
  cancel[f] = 1;
  if
  :: PLAIN(f) && st[f] == W -> d_step { st[f] = S; completed(f); g = gen[f]; ok = 1 }
  :: atomic { !PLAIN(f) && st[f] == W -> st[f] = S; completed(f); g = gen[f]; ok = 1 }
  :: st[f] == S
#ifdef BUG_no_wait_on_c
  :: st[f] == C
#endif
  fi;
  if
  :: ok   -> d_step { TOUCH(f, g); winner[f] = CANCELLED }
     wake(f, g)
  :: else
  fi;
#ifndef BUG_cancel_across_workers
  if
  :: PLAIN(f) -> leave(f)
  :: else
  fi
#endif
  skip
}

proctype Closer(byte c) {
  byte i, r, peer; bit ok;
  close(c)
}

/* ---- what must hold when nothing moves any more ---- */
inline quiescence() {
  f = 0;
  do :: f < NW -> assert(!cpu[f]); f++ :: else -> break od;     /* nobody is stuck in the protocol */
  f = 0;
  do
  :: f < NF ->
     if
     :: parked[f] ->
        assert(!cancel[f]);                                     /* no cancellation is lost */
        a = 0;
        do
        :: a < narm[f * NP + (gen[f] - 1) / 2] ->
           x = ID(f, (gen[f] - 1) / 2, a);
           if
           :: kind[x] <= GET ->
              assert(!closed[chn[x]]);                          /* nor a close */
#if CAP > 0
              assert(kind[x] == GET -> len(buf[chn[x]]) == 0 : len(buf[chn[x]]) == CAP);
#endif
              g = 0;
              do
              :: g < NF ->
                 b = 0;
                 do
                 :: parked[g] && g != f && b < narm[g * NP + (gen[g] - 1) / 2] ->
                    y = ID(g, (gen[g] - 1) / 2, b);
                    assert(!(kind[y] <= GET && kind[y] != kind[x] && chn[y] == chn[x]));
                    b++
                 :: else -> break
                 od;
                 g++
              :: else -> break
              od
           :: else -> assert(false)                             /* timers and events do come */
           fi;
           a++
        :: else -> break
        od
     :: else
     fi;
     f++
  :: else -> break
  od;
  m = 1;
  do                                                            /* both sides agree */
  :: m <= NF * NP ->
#if CAP > 0
     inbuf = 0; c = 0;
     do
     :: c < NC -> inbuf = inbuf + (buf[c]??[eval(m)] -> 1 : 0); c++
     :: else -> break
     od;
     assert(inbuf == 0 -> putch[m] == getch[m] : inbuf == 1 && putch[m] && !getch[m]);
#else
     assert(putch[m] == getch[m]);
#endif
     m++
  :: else -> break
  od;
  f = 0;
  do                                                            /* no record without a waiter */
  :: f < NID -> assert(!linked[f] || (parked[FIBER(f)] && gen[FIBER(f)] == GEN(f))); f++
  :: else -> break
  od;
  f = 0;
  do :: f < NC -> assert(!mutex[f]); f++ :: else -> break od
}

#define arm(f, p, a, k, c) kind[ID(f, p, a)] = k; chn[ID(f, p, a)] = c; narm[(f) * NP + (p)] = (a) + 1; nperf[f] = (p) + 1
#define nacked(f, p, a, c) nack[ID(f, p, a)] = 1 + (c)

init {
  byte f, g, a, b, x, y, m, c, inbuf;
  atomic {
    do :: f < NF -> st[f] = S; winner[f] = UNSET; f++ :: else -> break od;
    f = 0;
    if :: flip = 0 :: flip = 1 fi;
    SCENARIO
    do :: f < NF -> run Fiber(f); f++ :: else -> break od;
    f = 0
  }
  timeout;
  d_step { quiescence(); EXPECT }
}
