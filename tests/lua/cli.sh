#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The `weft` command as its user sees it. Usage: tests/lua/cli.sh [path of weft]
# (default: $WEFT, or build/release/bin/weft). Prints what failed and one line of counts.

set -u
cd "$(dirname "$0")/../.." || exit 2
weft=${1:-${WEFT:-build/release/bin/weft}}
weft=$(readlink -f "$weft") || exit 2
[ -x "$weft" ] || { echo "cli.sh: no weft at $weft" >&2; exit 2; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2

passed=0 failed=0 skipped=0
name=

ok() { passed=$((passed + 1)); }
fail() {
  failed=$((failed + 1))
  echo "FAIL cli: $name: $*"
  echo "  code $code, out: $(head -c 600 out)"
  echo "  err: $(head -c 1200 err)"
}
skip() { skipped=$((skipped + 1)); echo "skip cli: $name: $*"; }

# run NAME args...: runs weft with the args; leaves out, err and $code.
run() {
  name=$1
  shift
  timeout -k 2 120 "$weft" "$@" > out 2> err < "${stdin:-/dev/null}"
  code=$?
}

code_is() { [ "$code" = "$1" ] && ok || fail "want exit code $1"; }
out_is() { [ "$(cat out)" = "$1" ] && ok || fail "want on stdout: $1"; }
out_has() { grep -qF -- "$1" out && ok || fail "want on stdout: $1"; }
out_lacks() { grep -qF -- "$1" out && fail "not wanted on stdout: $1" || ok; }
err_is() { [ "$(cat err)" = "$1" ] && ok || fail "want on stderr: $1"; }
err_has() { grep -qF -- "$1" err && ok || fail "want on stderr: $1"; }
err_lacks() { grep -qF -- "$1" err && fail "not wanted on stderr: $1" || ok; }

# ---------------------------------------------------------------- run

cat > hello.lua <<'LUA'
local weft = require "weft"
weft.sleep(0.001)
print("hello from " .. (weft.self() and "a fiber" or "nowhere"))
LUA
run "the main chunk is a fiber" run hello.lua
code_is 0; out_is "hello from a fiber"; err_is ""

cat > args.lua <<'LUA'
print(#arg, arg[0], arg[1], arg[2], arg[3], ...)
local i = 0
while arg[i - 1] do i = i - 1 end
print(i < 0, type(arg[i]))
LUA
run "arg and ... as in the stock interpreter" run args.lua one "two words" -3
code_is 0; out_has "$(printf '3\targs.lua\tone\ttwo words\t-3\tone\ttwo words\t-3')"; out_has "$(printf 'true\tstring')"

run "options after the program are the program's" run args.lua --help -e --lua
code_is 0; out_has "$(printf '3\targs.lua\t--help\t-e\t--lua')"

cat > children.lua <<'LUA'
local weft = require "weft"
for i = 1, 3 do weft.spawn(function() weft.sleep(0.005 * i) io.write(i, " ") end) end
io.write("main ")
LUA
run "it waits for the children" run children.lua
code_is 0; out_is "main 1 2 3 "

cat > nested.lua <<'LUA'
local weft = require "weft"
print(weft.run(function() weft.sleep(0.001) return "the same program" end))
LUA
run "weft.run in it is a scope" run nested.lua
code_is 0; out_is "the same program"

cat > globals.lua <<'LUA'
local known = {}
for name in ([[_G _VERSION arg assert bit bit32 collectgarbage coroutine debug dofile error gcinfo getfenv
  getmetatable io ipairs jit load loadfile loadstring math module newproxy next os package pairs pcall print
  rawequal rawget rawlen rawset require select setfenv setmetatable string table tonumber tostring type unpack
  utf8 warn xpcall]]):gmatch("%S+") do known[name] = true end
for name in pairs(_G) do if not known[name] then print("injected", name) end end
print(package.loaded.weft == nil)
LUA
run "no global is injected" run globals.lua
code_is 0; out_lacks injected

printf '#!/usr/bin/env -S weft run\nprint("after a shebang")\n' > shebang.lua
run "a shebang line" run shebang.lua
code_is 0; out_is "after a shebang"

printf 'return 5' > returns.lua
run "what the chunk returns is nobody's business" run returns.lua
code_is 0; out_is ""

# ---------------------------------------------------------------- errors

cat > fails.lua <<'LUA'
local function inner() error("it failed here") end
inner()
LUA
run "an error: code 1 and a traceback on stderr" run fails.lua
code_is 1; out_is ""; err_has "fails.lua:1: it failed here"; err_has "stack traceback"; err_has "inner"

cat > child_fails.lua <<'LUA'
local weft = require "weft"
local function doomed() error("child failed") end
weft.spawn(function() doomed() end):name("unlucky")
weft.sleep(10)
LUA
run "an error in a child names the fiber and the line of its spawn" run child_fails.lua
code_is 1; err_has "child_fails.lua:2: child failed"; err_has unlucky; err_has "child_fails.lua:3"; err_has doomed

printf 'error(setmetatable({}, { __tostring = function() return "an object failed" end }))' > object.lua
run "an error object with __tostring" run object.lua
code_is 1; err_has "an object failed"

printf 'error({})' > table.lua
run "an error object without" run table.lua
code_is 1; err_has "table"

printf 'local x = = 1' > syntax.lua
run "a syntax error" run syntax.lua
code_is 1; err_has "syntax.lua:1:"; err_has "="

run "no such file" run nowhere.lua
code_is 1; err_has "nowhere.lua"

run "no file named" run
[ "$code" != 0 ] && ok || fail "want an exit code other than 0"

run "an unknown option" --no-such-option
[ "$code" != 0 ] && ok || fail "want an exit code other than 0"
err_has "--no-such-option"

run "an unknown command" frobnicate
[ "$code" != 0 ] && ok || fail "want an exit code other than 0"
err_has frobnicate

cat > deadlock.lua <<'LUA'
local weft = require "weft"
weft.spawn(function() weft.channel():get() end):name("stuck reader")
weft.channel():get()
LUA
run "a deadlock" run deadlock.lua
code_is 1; err_has deadlock; err_has "stuck reader"

# ---------------------------------------------------------------- exit

cat > exit3.lua <<'LUA'
local weft = require "weft"
weft.spawn(function() weft.sleep(60) end)
weft.spawn(function() io.write("bye") os.exit(3) end)
weft.sleep(60)
LUA
run "os.exit(3) in a fiber" run exit3.lua
code_is 3; out_is bye; err_is ""

printf 'require("weft").spawn(function() require("weft").sleep(60) end) os.exit(true, true)' > exit0.lua
run "os.exit(true, true) with a fiber asleep" run exit0.lua
code_is 0; err_is ""

# ---------------------------------------------------------------- -e, -, stdin

run "-e" -e 'local weft = require "weft" weft.sleep(0.001) print("in a fiber", weft.self() ~= nil)'
code_is 0; out_is "$(printf 'in a fiber\ttrue')"

run "-e twice" -e 'x = 1' -e 'print(x + 1)'
code_is 0; out_is 2

run "-e fails" -e 'error("one-liner")'
code_is 1; err_has one-liner

run "-e waits for its fibers" -e 'local w = require "weft" w.spawn(function() w.sleep(0.01) print("late") end)'
code_is 0; out_is late

run "-e without text" -e
[ "$code" != 0 ] && ok || fail "want an exit code other than 0"

printf 'local weft = require "weft" weft.sleep(0.001) print("from stdin", ...)' > program
stdin=program run "- is stdin" run - a b
code_is 0; out_is "$(printf 'from stdin\ta\tb')"
stdin=program run "- without run" - a b
code_is 0; out_is "$(printf 'from stdin\ta\tb')"

# ---------------------------------------------------------------- REPL

cat > session <<'LUA'
1 + 1
x = 20
x * 2
= x + 1
local weft = require "weft" weft.sleep(0.001) print("slept")
error("a mistake")
nosuch.field
function f()
  return "several lines"
end
f()
"still " .. "alive"
weft = require "weft"
g = weft.spawn(function() error("fiber failed in the REPL") end)
weft.sleep(0.01)
"after the failed fiber"
ch = weft.channel(1)
ch:put("kept over lines")
ch:get()
LUA
stdin=session run "a REPL, fed by a file" -i
code_is 0
cat out err > both; cp both out
for text in 2 40 21 slept "a mistake" "several lines" "still alive" "fiber failed in the REPL" \
  "after the failed fiber" "kept over lines"; do out_has "$text"; done

if command -v script > /dev/null; then
  name="alone on a terminal it is a REPL"
  printf '20 + 22\nos.exit(6)\n' | timeout -k 2 120 script -qec "$weft" /dev/null > out 2> err
  code=$?
  code_is 6; out_has 42
fi

printf 'print("from", "a pipe")' > session
stdin=session run "alone with a file as stdin it runs that"
code_is 0; out_is "$(printf 'from\ta pipe')"

printf 'weft = require "weft"\nweft.channel():get()\n"after the deadlock"\n' > session
stdin=session run "a deadlock in the REPL does not end it" -i
cat out err > both; cp both out
out_has "after the deadlock"; out_has deadlock

printf 'os.exit(7)\n' > session
stdin=session run "os.exit in the REPL" -i
code_is 7

# ---------------------------------------------------------------- --version, --help, --lua

run "--version" --version
code_is 0; out_has weft
grep -q '[0-9]\.[0-9]' out && ok || fail "want a version number"

run "--help" --help
code_is 0
for text in run -e --lua --version; do out_has "$text"; done

run "-h" -h
code_is 0; out_has --lua

root=$(dirname "$(dirname "$weft")")
for v in 5.1 5.2 5.3 5.4 5.5 jit; do
  name="--lua $v"
  exe=$root/libexec/weft/weft-$v
  [ -x "$exe" ] || exe=$root/libexec/weft/weft-lua$v
  [ "$v" = jit ] && for n in jit luajit; do [ -x "$root/libexec/weft/weft-$n" ] && exe=$root/libexec/weft/weft-$n; done
  if [ ! -x "$exe" ]; then
    run "--lua $v" --lua "$v" -e 'print(1)'
    [ "$code" != 0 ] && ok || fail "want an error where this Lua is not built"
    err_has "$v"
    continue
  fi
  run "--lua $v" --lua "$v" -e 'require("weft").sleep(0.001) print(jit and "jit" or _VERSION)'
  code_is 0
  case $v in jit) out_is jit ;; *) out_is "Lua $v" ;; esac
  run "--lua $v run" --lua "$v" run args.lua x
  code_is 0; out_has "$(printf '1\targs.lua\tx')"
  run "--lua $v, an error" --lua "$v" run fails.lua
  code_is 1; err_has "it failed here"; err_has "stack traceback"
done

run "--lua with a version that does not exist" --lua 9.9 -e 'print(1)'
[ "$code" != 0 ] && ok || fail "want an exit code other than 0"
err_has 9.9

# ---------------------------------------------------------------- signals

# In a job of its own (set -m), since a shell's plain background job ignores SIGINT. "again": the signal before it, until
# the program has ended: two that come before it has taken the first are one.
interrupt() {  # NAME program signals...
  name=$1
  : > out
  set -m
  timeout --foreground -k 2 120 "$weft" run "$2" > out 2> err < /dev/null &
  local job=$! target sent
  set +m
  while kill -0 "$job" 2>&- && ! grep -q ready out; do sleep 0.05; done
  target=$(pgrep -P "$job" | head -1)
  shift 2
  for s in "$@"; do
    if [ "$s" = again ]; then
      while kill -"$sent" "${target:-$job}" 2> /dev/null; do sleep 0.3; done
    else
      sent=$s
      kill -"$s" "${target:-$job}" 2>> err
      sleep 0.3
    fi
  done
  wait "$job" 2> /dev/null
  code=$?
}

cat > waits.lua <<'LUA'
local weft = require "weft"
io.stdout:setvbuf("no")
weft.spawn(function()
  local ok, e = weft.pcall(weft.sleep, 60)
  print("child cancelled", not ok and weft.is_cancelled(e))
  error(e, 0)
end)
weft.yield()
print("ready")
weft.sleep(60)
print("not reached")
LUA
interrupt "Ctrl-C cancels the root scope, exit code 130" waits.lua INT
code_is 130; out_has "$(printf 'child cancelled\ttrue')"; out_lacks "not reached"

cat > stubborn.lua <<'LUA'
io.stdout:setvbuf("no")
print("ready")
while true do end
LUA
interrupt "Ctrl-C twice kills, even a busy loop" stubborn.lua INT INT again
[ "$code" = 130 ] && ok || fail "want exit code 130"

cat > server.lua <<'LUA'
local weft = require "weft"
io.stdout:setvbuf("no")
local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
weft.spawn(function() while true do assert(l:accept()) end end)
weft.yield()
print("ready")
LUA
interrupt "Ctrl-C on a server that waits in accept" server.lua INT
code_is 130

# ---------------------------------------------------------------- asleep

cat > asleep.lua <<'LUA'
local weft = require "weft"
local l = assert(weft.net.tcp.listen("127.0.0.1", 0))
weft.spawn(function() l:accept() end)
weft.spawn(function() weft.sleep(600) end)
weft.spawn(function() weft.channel():get() end)
weft.net.tcp.connect("localhost", 1) -- a helper thread has looked the name up
print "waits"
io.stdout:flush()
LUA

# What the kernel says of each thread's time on a core: it stands still while none of them runs, and so
# makes no system call.
runs_of() { cat /proc/"$1"/task/*/schedstat; }

# stays_asleep PID: for half a second, once it has got there.
stays_asleep() {
  local before
  for _ in {1..100}; do
    before=$(runs_of "$1")
    sleep 0.5
    [ "$before" = "$(runs_of "$1")" ] && return
  done
  return 1
}

for backend in io_uring epoll select; do
  name="an idle process makes no system call, with $backend"
  : > out
  WEFT_BACKEND=$backend "$weft" run asleep.lua > out 2> err < /dev/null &
  pid=$!
  while [ ! -s out ] && kill -0 $pid 2>&-; do sleep 0.05; done
  code=
  if grep -q "^weft: .*backend" err; then
    skip "no such backend here"
  elif ! [ -r /proc/$pid/task/$pid/schedstat ]; then
    [ -s out ] && skip "no schedstat in /proc" || fail "it has ended"
  else
    out_is waits
    stays_asleep $pid && ok || fail "a thread of it runs"
  fi
  kill -9 $pid 2>&-
  wait $pid 2>&-
done

# ---------------------------------------------------------------- installed elsewhere

name="started through a symbolic link from another directory"
mkdir -p bin
ln -sf "$weft" bin/weft
mkdir -p elsewhere
(cd elsewhere && timeout 120 ../bin/weft run ../hello.lua > ../out 2> ../err < /dev/null)
code=$?
code_is 0; out_is "hello from a fiber"

name="with no LUA_PATH and no LUA_CPATH"
env -u LUA_PATH -u LUA_CPATH timeout 120 "$weft" run hello.lua > out 2> err < /dev/null
code=$?
code_is 0; out_is "hello from a fiber"

printf 'return { answer = 42 }' > mymodule.lua
printf 'print(require("mymodule").answer)' > uses.lua
run "require finds modules in the current directory, as lua does" run uses.lua
code_is 0; out_is 42

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
