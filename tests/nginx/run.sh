#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts a real nginx, unpatched, and asks it: foreign libraries by each way that their answers can be brought.
#   tests/nginx/run.sh [--quick] [build directory]        (default build/release)
# With --quick: the event way alone, and no reloads.
set -u
cd "$(dirname "$0")/../.." || exit 2
quick= build=build/release
for a in "$@"; do
  case $a in
    --quick) quick=yes ;;
    *) build=$a ;;
  esac
done
build=$(readlink -f "$build") || exit 2

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); echo "FAIL nginx: $1"; shift; for f in "$@"; do grep -vE '\[notice\]' "$f" | head -n 12 | cut -c 1-300 | sed 's/^/  /'; done; }
skip() { skipped=$((skipped + 1)); echo "skip nginx: $1"; }
finish() { echo "$passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; exit; }

root=$(tests/nginx/fetch.sh) || { skip "no nginx"; finish; }
dir=$(mktemp -d)
given=$(LD_LIBRARY_PATH=$(echo "$root"/{usr/,}lib/*-linux-gnu | tr ' ' :) "$root/usr/sbin/nginx" -V 2>&1 |
  sed -n 's/^configure arguments: //p')
if src/nginx/module/build.sh --configure "$given" "$dir/module.so" > "$dir/log" 2>&1 && [ -s "$dir/module.so" ]; then
  ok
else
  fail "ngx_weft_module.so with the arguments of nginx -V" "$dir/log"
fi
if src/nginx/module/build.sh --configure --no-such-thing "$dir/none.so" > "$dir/log" 2>&1; then
  fail "a configure that fails is no failure of build.sh" "$dir/log"
else
  ok
fi
chmod 755 "$dir" # the workers are somebody else, if we are root
stop_all() { for f in "$dir"/*/nginx.pid; do [ ! -e "$f" ] || kill "$(cat "$f")"; done; }
trap 'stop_all 2> /dev/null; rm -rf "$dir"' EXIT
export NGINX_ROOT=$root BUILD=$build LD_LIBRARY_PATH=$dir

c_library() { "${CC:-cc}" -O1 -shared -fPIC -I include "$1" -o "$dir/lib$2.so" -lpthread || fail "$1 does not compile"; }
c_library examples/nginx/sleeper.c sleeper
c_library tests/nginx/library.c nginxtest
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/certificate.pem" -days 2 -subj /CN=test \
  2> /dev/null || fail "openssl makes no certificate"

languages=()
if command -v go > /dev/null; then
  (cd examples/foreign/go-echo && GOTOOLCHAIN=local GOPROXY=off go build -buildmode=c-shared -o "$dir/libecho_go.so" .) && languages+=(go) ||
    fail "the library in Go does not compile"
else
  skip "Go: no go"
fi
# script LANGUAGE FILE: what that loader is to load
script() {
  if [ -e "$build/lib/weft/libweft-$1.so" ]; then
    cp "tests/nginx/$2" "$dir"
    languages+=("$1=$dir")
  else
    skip "$1: weft's loader is not built"
  fi
}
script python answers.py
script node answers.js
if [ -e "$build/lib/weft/weft.jar" ] && command -v javac > /dev/null; then
  javac --release 11 -d "$dir" tests/nginx/Answers.java && languages+=("java=$dir") || fail "Answers.java does not compile"
else
  skip "Java: weft's loader is not built, or no javac"
fi

patience=600 # seconds: what takes longer hangs
# start NAME [configuration]: sets $port, $tls_port, $folder and $master
start() {
  folder=$dir/$1
  # Ports that the kernel deals out to nobody, where somebody may be all the same: then others.
  for _ in $(seq 10); do
    port=$((RANDOM % 10000 * 2 + 10000)) tls_port=$((port + 1))
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$dir"/*.pem "$folder"
    echo "listen 127.0.0.1:$tls_port ssl;" > "$folder/listen_tls.conf"
    if examples/nginx/start.sh "$folder" "$port" ${2:+"$2"} > "$folder/out" 2>&1; then
      for _ in $(seq $((patience * 20))); do [ -s "$folder/nginx.pid" ] && break; sleep 0.05; done
      master=$(cat "$folder/nginx.pid")
      return
    fi
    grep -q 'Address already in use' "$folder/error.log" || break
  done
  fail "$1: nginx does not start" "$folder/out" "$folder/error.log"
  return 1
}
# Also one that nobody has waited for has ended.
has_ended() { ! kill -0 "$1" 2> /dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2> /dev/null; }
# Ends it as nginx's users do, and looks at what it has to say.
stop() {
  kill -QUIT "$master" 2> /dev/null
  for _ in $(seq $((patience * 20))); do has_ended "$master" && break; sleep 0.05; done
  if has_ended "$master"; then ok; else fail "$1: nginx does not end" "$folder/error.log"; fi
  rm -f "$folder/nginx.pid"
  if grep -E '\[(error|crit|alert|emerg)\]|exited (on signal|with code [^0])' "$folder/error.log" > "$folder/bad"; then
    fail "$1: nginx complains" "$folder/bad"
  else
    ok
  fi
}
# ask PROGRAM arguments...: a test in Lua, which prints its counts
ask() {
  LD_LIBRARY_PATH='' timeout -k 5 $patience "$build/bin/weft" run "$@" > "$dir/out" 2>&1
  local status=$?
  local good bad
  read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$dir/out")
  passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-0}))
  [ $status = 0 ] || fail "$*: exit code $status" "$dir/out" "$folder/error.log"
}

# try NAME WAY: all of it
try() {
  export WEFT_TEST_WAY=$2
  WORKERS=1 start "$1" tests/nginx/nginx.conf || return
  ask tests/nginx/test.lua "$port" "$2" "${languages[@]}"
  [ "$(curl -sk --max-time $patience "https://127.0.0.1:$tls_port/")" = "in the handshake" ] && ok ||
    fail "$1: want a call in ssl_certificate_by_lua" "$folder/error.log"
  stop "$1"
  [ -z "$quick" ] || return
  WORKERS=2 start "$1-reload" tests/nginx/nginx.conf || return
  ask tests/nginx/reload.lua "$port" "$2" "$master"
  stop "$1-reload"
}

module=$build/lib/weft/ngx_weft_module.so
src/nginx/module/build.sh "$module" > "$dir/built" || fail "ngx_weft_module.so does not compile"
if [ -e "$module" ]; then
  try event event
  [ -n "$quick" ] || WEFT_MODULE=$module try load_module event
else
  skip "$(cat "$dir/built")"
fi
[ -n "$quick" ] && [ -e "$module" ] || try socket socket

# One that was compiled for another nginx is refused, and the socket used.
refuse() {  # NAME WHY build.sh's arguments...
  local name=$1 why=$2 other=$dir/$1.so
  shift 2
  src/nginx/module/build.sh "$@" "$other" > "$dir/built" 2>&1
  [ -e "$other" ] || { fail "$name: it is not built" "$dir/built"; return; }
  export WEFT_TEST_WAY=auto WEFT_TEST_MODULE=$other
  start "$name" tests/nginx/nginx.conf || return
  [ "$(curl -s --max-time $patience "http://127.0.0.1:$port/way")" = socket ] && ok || fail "$name: want the socket"
  [ "$(curl -s --max-time $patience "http://127.0.0.1:$port/ask?echo%20hello")" = "true hello" ] && ok || fail "$name: want an echo"
  grep -q "warn.*not by an eventfd.*$why" "$folder/error.log" && ok || fail "$name: want '$why'" "$folder/error.log"
  stop "$name"
  unset WEFT_TEST_MODULE
}
if [ -e "$module" ] && [ -z "$quick" ]; then
  cp -r "$root/usr/share/nginx/src" "$dir/source"
  sed -i 's/^#define nginx_version .*/#define nginx_version 1021000/' "$dir/source/src/core/nginx.h"
  refuse version "compiled for nginx 1021000, and this is" --source "$dir/source"
  refuse signature "configured otherwise" --configure "--with-threads"
fi

# The example as it stands.
if start example; then
  [ "$(curl -s --max-time $patience "http://127.0.0.1:$port/")" = "slept 50 ms" ] && ok || fail "example: want slept 50 ms"
  stop example
fi

finish
