/* SPDX-License-Identifier: MIT */
/*
 * claim_all.pml: the ordered claim over n parties (include/weft/core/claim.hpp: claim_all), as the last
 * arrival at a barrier makes it.  Three performers wait there, each with a timer beside it in a choice; two of them
 * offer to each other as well, on a channel whose lock is another one (claim).  Checked: all of the
 * party are decided by the meeting or none is; each is decided once; no claim is left behind; the meeting fails
 * only for the sake of one that is decided otherwise; nothing waits in a circle.
 */
#define W 0
#define C 1
#define S 2
#define N 3
byte state[N];
byte winner[N];                 /* 1 the meeting, 2 the channel, 3 a timer */
bool met, given_up;
byte dropped;                   /* whose record the meeting took off */

/* CAS W -> to, waiting while it is C; `no` is where a decided one leads */
#define TAKE(i, to, no) \
  atomic { state[i] != C -> if :: state[i] == W -> state[i] = to :: else -> goto no fi }

proctype All() {
  byte i = 0, at;
  do
  :: i < N ->
#ifdef BUG_any_order
     at = N - 1 - i;
#else
     at = i;
#endif
#ifdef BUG_gives_up_at_c
     atomic { if :: state[at] == W -> state[at] = C :: else -> goto undo fi };
#else
     TAKE(at, C, undo);
#endif
     i++
  :: else -> break
  od;
  met = true;
  i = 0;
  do
  :: i < N -> atomic { assert(state[i] == C && winner[i] == 0); winner[i] = 1; state[i] = S }; i++
  :: else -> goto end
  od;
undo:
  given_up = true;
  dropped = at;
  do
  :: i > 0 ->
     i--;
#ifdef BUG_any_order
     state[N - 1 - i] = W
#else
     state[i] = W
#endif
  :: else -> break
  od;
end: skip
}

/* The ordered claim of two: 1 and 2. */
proctype Pair() {
  TAKE(1, C, end);
  TAKE(2, S, undo);
  winner[1] = 2; winner[2] = 2;
  state[1] = S;
  goto end;
undo:
  state[1] = W;
end: skip
}

proctype Timer(byte i) {
  TAKE(i, S, end);
  assert(winner[i] == 0);
  winner[i] = 3;
end: skip
}

init {
  byte i = 0;
  atomic {
    run All();
    run Pair();
    if :: run Timer(0) :: skip fi;
    if :: run Timer(1) :: skip fi;
    if :: run Timer(2) :: skip fi
  };
  (_nr_pr == 1);
  do
  :: i < N ->
     assert(state[i] != C && (state[i] == S) == (winner[i] != 0) && (winner[i] == 1) == met);
     i++
  :: else -> break
  od;
  assert((winner[1] == 2) == (winner[2] == 2));
  assert(met || given_up);
  assert(met || state[dropped] == S)
}
