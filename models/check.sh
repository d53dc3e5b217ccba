#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the suspension protocol with spin.
#
#   check.sh                every scenario
#   check.sh NAME...        these scenarios
#   check.sh --mutants      every broken variant must be caught
#
# One line a scenario: states, errors of the safety search (assertions, deadlocks), errors
# of the search for cycles.  JOBS=n runs n at once (default 2).  Needs spin, cc, cpp.
# Exits with 1 if a scenario fails or a mutant survives.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export here
self=$here/check.sh  # also when started as `sh check.sh`
work=${WORK:-$(mktemp -d)}
export work
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT

# name of the broken variant, a scenario that exposes it, the search that does
mutants='
no_second_look         put_get               safety
own_first              crossed               cycles
own_first_hold         crossed               safety
stop_at_c              half_published_event  safety
stop_at_c              half_published_pure   safety
continue_at_s          crossed               safety
no_retract             timer                 safety
no_generation          twice                 safety
generation_apart       twice                 safety
match_self             self                  safety
cancel_looked_early    cancel_alone          safety
no_wait_on_c           cancel_both           safety
close_not_looked       close                 safety
nack_winner            nack_server           safety
nack_published_only    nack_server           safety
cancel_across_workers  local                 safety
mixed_as_plain         local_mixed           safety
no_wait_for_release    join                  safety
clear_at_once          join                  safety
rests_too_early        rest                  safety
never_asks             rest                  safety
wakes_unlocked         scope_end             safety
any_order              claim_all             safety
gives_up_at_c          claim_all             safety
looks_before_settling  home                  safety
leaves_attached        home                  safety
looks_at_top_first     deque                 safety
takes_the_last         deque                 safety
serves_the_decided     reserve               safety
leaves_record          reserve               safety
keeps_the_place        reserve               safety
meets_who_wants_a_place  reserve             safety
no_barrier             crew                  safety
no_last_look           crew                  safety
leaves_its_post        crew                  safety
publishes_before_it_suspends  publish        safety
wakes_when_decided     publish               safety
no_look                publish               safety
posts_unseen           posting               safety
parks_unlooked         posting               safety
'

# A correct variant that the design may choose: it must pass.
variants='
never_stop             half_published_event
never_stop             cancel_both
'

# search DIR SCENARIO DEFINES safety|cycles [first]: leaves DIR/out
search() {
  # A model of its own, or a scenario of weft.pml.
  model="$here/$2.pml"
  [ -f "$model" ] || model="-include $here/scenarios/$2.h $here/weft.pml"
  [ -f "$here/$2.pml" ] || [ -f "$here/scenarios/$2.h" ] || { echo "check.sh: no scenario $2" >&2; exit 2; }
  mkdir -p "$1" && cd "$1" || exit 2
  cpp $3 $model > m.pml &&
  spin -a m.pml > spin.out 2>&1 || { cat spin.out; exit 2; }
  case $4 in
    safety) flags=-DSAFETY; args= ;;
    cycles) flags=-DNP; args=-l; [ -n "$3" ] && args='-l -f' ;;   # broken ones: fair cycles only
  esac
  cc -O2 -w -DCOLLAPSE -DMEMLIM=3500 $flags -o pan pan.c || exit 2
  ./pan -m1000000 $args > out 2>&1
  grep -q 'max search depth too small\|out of memory\|reached -DMEMLIM\|Search not completed' out &&
    ! grep -q 'errors: [1-9]' out && echo 'errors: incomplete search' >> out
  rm -f pan pan.?
}
errors() { [ -f "$1" ] && sed -n 's/.*errors: *\([^ ]*\).*/\1/p' "$1" | tail -1; }
states() { [ -f "$1" ] && sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$1" | head -1; }

one() {
  d=$work/$1
  (search "$d.s" "$1" "" safety)
  (search "$d.c" "$1" "" cycles)
  s=$(errors "$d.s/out") c=$(errors "$d.c/out")
  verdict=ok; [ "$s" = 0 ] && [ "$c" = 0 ] || verdict=FAILED
  printf '%-26s %9s states  errors %s  cycles %s  %s\n' "$1" "$(states "$d.s/out")" "$s" "$c" $verdict
}

mutant() {
  d=$work/$1.$2
  (search "$d" "$2" "-DBUG_$1" "$3")
  n=$(errors "$d/out") verdict=SURVIVED
  [ "$n" = 1 ] && verdict=caught
  printf '%-22s %-22s %-9s %s\n' "$1" "$2" $verdict "$(sed -n 's/^pan:1: //p' "$d/out" | cut -c1-60)"
}

variant() {
  d=$work/$1.$2
  (search "$d" "$2" "-DVARY_$1" safety)
  n=$(errors "$d/out") verdict=FAILED
  [ "$n" = 0 ] && verdict=passes
  printf '%-22s %-22s %s\n' "$1" "$2" $verdict
}

case ${1:-} in
  --one)     one "$2"; exit ;;
  --mutant)  mutant "$2" "$3" "$4"; exit ;;
  --variant) variant "$2" "$3"; exit ;;
esac

mkdir -p "$work" || exit 2
export WORK="$work"
log=$work/log
run() { xargs -P "${JOBS:-2}" "$@" | tee "$log"; }

if [ "${1:-}" = --mutants ]; then
  echo "$mutants" | grep . | run -L 1 sh "$self" --mutant
  cp "$log" "$log.m"
  echo "$variants" | grep . | run -L 1 sh "$self" --variant
  grep -q caught "$log.m" && ! grep -q SURVIVED "$log.m" && ! grep -q FAILED "$log"
else
  [ $# -gt 0 ] || set -- $(cd "$here/scenarios" && ls -S *.h | sed 's/\.h$//') join rest scope_end claim_all home deque posting reserve crew publish
  printf '%s\n' "$@" | run -L 1 sh "$self" --one
  grep -q 'ok$' "$log" && ! grep -q FAILED "$log"
fi
