#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs every example and every program that the guides quote, for real, and checks what they print.
#
#   tests/examples/run.sh [--quick] [build directory]        (default build/release)
#
# Each is run by the weft command and by each stock Lua that the build has a module for
# (with --quick: weft and one Lua). WEFT_RUNNER="command" runs that one alone.

set -u
native=  # where the guides' Lua modules in C are
cd "$(dirname "$0")/../.." || exit 2
quick= build=build/release
for a in "$@"; do
  case $a in
    --quick) quick=yes ;;
    -*) echo "run.sh: unknown option $a" >&2; exit 2 ;;
    *) build=$a ;;
  esac
done
build=$(readlink -f "$build") || exit 2

export LUA_PATH="$build/share/lua/?.lua;$build/share/lua/?/init.lua;;"
dir=$(mktemp -d)
patience=600  # seconds: what takes longer hangs
# An address of our own: no other process is given a port there that we have given back.
own=127.$((RANDOM % 200 + 20)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
python3 -c "import socket; socket.socket().bind(('$own', 0))" 2> /dev/null || own=127.0.0.1
servers=()
stop_servers() {
  for pid in "${servers[@]}"; do kill "$pid" 2> /dev/null; wait "$pid" 2> /dev/null; done
  servers=()
}
trap 'stop_servers; rm -rf "$dir"' EXIT

passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); }
fail() {  # NAME why [file ...]
  failed=$((failed + 1))
  echo "FAIL examples: $1 ($label): $2"
  shift 2
  for f in "$@"; do [ -s "$f" ] && head -c 2000 "$f" | sed "s/^/  $(basename "$f"): /"; done
}
skip() { skipped=$((skipped + 1)); echo "skip examples: $1 ($label): $2"; }

# same NAME want got: two files
same() {
  if cmp -s "$2" "$3"; then ok; else
    fail "$1" "the output differs"
    diff "$2" "$3" | head -20 | sed 's/^/  /'
  fi
}

# run NAME program args...: leaves $dir/out and $dir/err, fails on a code other than 0
run() {
  local name=$1
  shift
  if timeout -k 2 $patience $runner "$@" > "$dir/out" 2> "$dir/err" < /dev/null; then
    if [ -s "$dir/err" ]; then fail "$name" "text on stderr" "$dir/err"; return 1; fi
    ok
  else
    fail "$name" "exit code $?" "$dir/out" "$dir/err"
    return 1
  fi
}

# serve NAME program args...: starts a server, waits for its first line, sets $port and $pid
serve() {
  local name=$1 log=$dir/$1.log until=$((SECONDS + patience))
  shift
  : > "$log"
  $runner "$@" > "$log" 2> "$log.err" < /dev/null &
  pid=$!
  servers+=("$pid")
  while [ $SECONDS -lt $until ] && ! grep -q listening "$log"; do
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.05
  done
  port=$(awk '/^listening on/ { print $NF; exit }' "$log")
  if [ -z "$port" ]; then fail "$name" "it does not listen" "$log" "$log.err"; return 1; fi
  ok
}

alive() {  # NAME pid
  if kill -0 "$2" 2> /dev/null; then ok; else fail "$1" "the server has died" "$dir/$1.log.err"; fi
}

# ---------------------------------------------------------------- the guides' programs

# Each ```lua, ```python, ```java, ```js, ```c, ```go, ```rust, ```mod and ```toml block of docs/*.md names a file in its fence line and is that file.
label=docs
for doc in README.md docs/*.md; do
  case $doc in docs/architecture.md) continue ;; esac
  [ -f "$doc" ] || continue
  rm -f "$dir"/block.*
  awk -v out="$dir/block." '
    /^```(lua|python|java|js|(c|go|rust|mod|toml) )/ { n++; name = $2; file = out n; print name > file; open = 1; next }
    /^```/ && open { close(file); open = 0; next }
    open { print > file }
  ' "$doc"
  for block in "$dir"/block.*; do
    [ -f "$block" ] || continue
    file=$(head -1 "$block")
    if [ -z "$file" ] || [ ! -f "$file" ]; then
      fail "$doc" "a block names no file: '$file'"
      continue
    fi
    tail -n +2 "$block" > "$dir/got"
    # The SPDX line need not be in the guide.
    tail -n +2 "$file" > "$dir/want"
    if cmp -s "$dir/got" "$file"; then ok; elif cmp -s "$dir/got" "$dir/want"; then ok; else
      fail "$doc" "its block differs from $file"
      diff "$dir/want" "$dir/got" | head -10 | sed 's/^/  /'
    fi
  done
done
for file in examples/docs/*; do
  [ -f "$file" ] || continue
  if grep -qF "$file" README.md docs/*.md; then ok; else fail "$file" "no guide quotes it"; fi
done

# Where the guides' C library is.
export LD_LIBRARY_PATH=$build/lib/foreign${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# Where the classes of the guides' Java programs are.
if [ -e "$build/lib/weft/weft.jar" ]; then
  export CLASSPATH="$dir/classes"
  javac --release 11 -d "$CLASSPATH" -cp "$build/lib/weft/weft.jar" examples/docs/*.java || fail java "javac"
fi

# `--> text` in such a program is a line that it prints.
docs() {
  local file language
  for file in examples/docs/*.lua; do
    [ -f "$file" ] || continue
    if [ "$puc51" = yes ] && grep -q ":iter()" "$file"; then continue; fi
    case $label in weft*) grep -q "with lua5.4:" "$file" && continue ;; esac
    language=$(grep -oE 'foreign\.(python|java|node)' "$file" | head -1)
    if [ -n "$language" ] && [ ! -e "$build/lib/weft/libweft-${language#foreign.}.so" ]; then
      skip "$file" "libweft-${language#foreign.}.so was not built"
      continue
    fi
    if grep -q 'require "engine"' "$file" && [ ! -e "$native/engine.so" ]; then
      skip "$file" "$native/engine.so was not built"
      continue
    fi
    run "$file" "$file" || continue
    sed -n 's/.*--> //p' "$file" > "$dir/want"
    [ -s "$dir/want" ] && same "$file" "$dir/want" "$dir/out"
  done
}

# ---------------------------------------------------------------- the examples

examples() {
  local name text pid port echo_port echo_pid proxy_pid http_port

  run tour.lua examples/tour.lua && same tour.lua tests/examples/tour.expected "$dir/out"

  # These say themselves what they print.
  for name in cml_swap cml_clock cml_future cml_multicast barrier_base_op; do
    run $name.lua examples/$name.lua || continue
    sed -n 's/.*--> //p' examples/$name.lua > "$dir/want"
    same $name.lua "$dir/want" "$dir/out"
  done

  if run sieve.lua examples/sieve.lua 30; then
    printf '%s\n' 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97 101 103 107 109 113 \
      > "$dir/want"
    same sieve.lua "$dir/want" "$dir/out"
  fi
  run "sieve.lua 500" examples/sieve.lua 500 && { [ "$(tail -1 "$dir/out")" = 3571 ] && ok || fail sieve.lua "want 3571"; }

  # Word counts, against tr, sort and uniq.
  text=$dir/text
  for i in 1 2 3; do cat docs/*.md examples/*.lua LICENSE README.md 2> /dev/null; done > "$text"
  cat "$text" | LC_ALL=C tr 'A-Z' 'a-z' | LC_ALL=C tr -cs 'a-z' '\n' | grep . | LC_ALL=C sort | uniq -c \
    | LC_ALL=C sort -k1,1nr -k2,2 | head -5 | awk '{ printf "%8d  %s\n", $1, $2 }' > "$dir/want"
  if LC_ALL=C run pipeline.lua examples/pipeline.lua -n 5 "$text"; then
    head -5 "$dir/out" > "$dir/got"
    same pipeline.lua "$dir/want" "$dir/got"
  fi
  if LC_ALL=C run "pipeline.lua, three files" examples/pipeline.lua -n 0 "$text" "$text" /dev/null; then
    awk '{ print $1 }' "$dir/out" > "$dir/got"
    LC_ALL=C tr -cs 'A-Za-z' '\n' < "$text" | grep -c . | awk '{ print 2 * $1 }' > "$dir/want"
    same "pipeline.lua, three files" "$dir/want" "$dir/got"
  fi
  if timeout $patience $runner examples/pipeline.lua "$dir/nowhere" > "$dir/out" 2> "$dir/err" < /dev/null; then
    fail pipeline.lua "no error for a file that does not exist"
  elif grep -q nowhere "$dir/err"; then ok; else fail pipeline.lua "want the file's name" "$dir/err"; fi

  # Echo, in two processes.
  serve echo_server.lua examples/echo_server.lua "$own" 0 || return
  echo_pid=$pid echo_port=$port
  if run echo_client.lua examples/echo_client.lua "$own" "$echo_port" 50 20; then
    echo "50 clients, 20 messages each: all came back" > "$dir/want"
    same echo_client.lua "$dir/want" "$dir/out"
  fi
  alive echo_server.lua "$echo_pid"

  # The proxy in front of it. The client shuts its side down and still reads what comes back.
  serve proxy.lua examples/proxy.lua "$own" "$echo_port" || return
  proxy_pid=$pid
  run "echo_client.lua through proxy.lua" examples/echo_client.lua 127.0.0.1 "$port" 50 20
  run "half-close through proxy.lua" tests/examples/half_close.lua "$port" \
    && { grep -q '^8388608 bytes came back after the half-close$' "$dir/out" && ok \
      || fail "half-close through proxy.lua" "wrong output" "$dir/out"; }
  if command -v nc > /dev/null && nc -h 2>&1 | grep -q -- '-N'; then
    [ "$(printf 'through nc' | timeout $patience nc -N 127.0.0.1 "$port")" = "through nc" ] && ok \
      || fail proxy.lua "nc got something else"
  fi
  alive proxy.lua "$proxy_pid"

  # Back-pressure: 64 MiB wait in the writer, not in the proxy.
  serve slow_server.lua tests/examples/slow_server.lua || return
  serve proxy2.lua examples/proxy.lua 127.0.0.1 "$port" || return
  local before after
  before=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
  run "back-pressure through proxy.lua" tests/examples/fast_client.lua "$port" \
    && { grep -q '^held back, and 67108864 bytes arrived$' "$dir/out" && ok \
      || fail "back-pressure through proxy.lua" "wrong output" "$dir/out"; }
  after=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")
  [ $((after - before)) -lt 16384 ] && ok || fail proxy.lua "it grew by $((after - before)) KiB"

  # A target that is not there: the client is let go, the proxy goes on.
  kill "$echo_pid"
  wait "$echo_pid" 2> /dev/null
  port=$(awk '/^listening on/ { print $NF; exit }' "$dir/proxy.lua.log")
  timeout $patience $runner examples/echo_client.lua 127.0.0.1 "$port" 1 1 > "$dir/out" 2> "$dir/err" < /dev/null
  [ $? = 1 ] && ok || fail proxy.lua "want the client to fail when the target is gone" "$dir/out" "$dir/err"
  alive proxy.lua "$proxy_pid"
  stop_servers

  # Somebody else's server and client.
  if command -v python3 > /dev/null && command -v curl > /dev/null; then
    mkdir -p "$dir/www"
    head -c 5000000 /dev/urandom > "$dir/www/file"
    (cd "$dir/www" && exec python3 -u -m http.server --bind 127.0.0.1 0 > "$dir/http.log" 2> /dev/null) &
    servers+=("$!")
    for _ in $(seq 6000); do grep -q Serving "$dir/http.log" 2> /dev/null && break; sleep 0.05; done
    http_port=$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$dir/http.log" | head -1)
    serve proxy3.lua examples/proxy.lua 127.0.0.1 "$http_port" || return
    for _ in 1 2 3; do
      curl -s --max-time $patience -o "$dir/got" "http://127.0.0.1:$port/file"
      cmp -s "$dir/www/file" "$dir/got" && ok || fail proxy.lua "curl got another file from http.server"
    done
    alive proxy3.lua "$pid"
    stop_servers
  else
    skip proxy.lua "no python3 or no curl"
  fi

  # A server in use is ended by a signal, at once.
  serve echo_server.lua examples/echo_server.lua 127.0.0.1 0 || return
  kill "$pid"
  wait "$pid"
  [ $? = 143 ] && ok || fail echo_server.lua "want it to end on SIGTERM"
  servers=()

  # Refused: nobody serves port 1.
  if timeout $patience $runner examples/echo_client.lua 127.0.0.1 1 1 1 > "$dir/out" 2> "$dir/err" < /dev/null; then
    fail echo_client.lua "no error without a server"
  elif grep -qi refused "$dir/err"; then ok; else fail echo_client.lua "want 'refused'" "$dir/err"; fi
}

# lua-t's loop: the document's examples, and echo over TCP and UDP.
loop_examples() {
  local name
  for name in create device listing; do
    run loop/$name.lua examples/loop/$name.lua || continue
    sed -n 's/.*--> //p' examples/loop/$name.lua > "$dir/want"
    same loop/$name.lua "$dir/want" "$dir/out"
  done
  run loop/regular_file.lua examples/loop/regular_file.lua LICENSE \
    && { cat LICENSE; echo; } > "$dir/want" && same loop/regular_file.lua "$dir/want" "$dir/out"
  run loop/popen.lua examples/loop/popen.lua "sleep 0.02; echo one; echo two" \
    && printf 'one\ntwo\n' > "$dir/want" && same loop/popen.lua "$dir/want" "$dir/out"
  run loop/popen.lua examples/loop/popen.lua && { grep -q ':' "$dir/out" && ok || fail loop/popen.lua "want a date"; }

  serve loop-tcp-echo examples/loop/tcp_echo_server.lua 127.0.0.1 0 || return
  run loop/tcp_echo_client.lua examples/loop/tcp_echo_client.lua 127.0.0.1 "$port" 50 20 \
    && echo "50 clients, 20 messages each: all came back" > "$dir/want" \
    && same loop/tcp_echo_client.lua "$dir/want" "$dir/out"
  run "echo_client.lua to loop/tcp_echo_server.lua" examples/echo_client.lua 127.0.0.1 "$port" 50 20
  alive loop-tcp-echo "$pid"
  serve loop-udp-echo examples/loop/udp_echo_server.lua 127.0.0.1 0 || return
  run loop/udp_echo_client.lua examples/loop/udp_echo_client.lua 127.0.0.1 "$port" 100 \
    && echo "100 messages came back" > "$dir/want" && same loop/udp_echo_client.lua "$dir/want" "$dir/out"
  alive loop-udp-echo "$pid"
}

# LuaVortex's clients and server, and several interpreters in one process.
vortex_examples() {
  local pid port
  if [ ! -e "$native/vortex_engine.so" ]; then
    skip vortex "$native/vortex_engine.so was not built"
    return
  fi
  serve vortex-server examples/vortex/server.lua || return
  # A client with a main loop of its own owns the thread: it is no fiber.
  case $label in weft*) ;; *)
    run vortex/main_loop.lua examples/vortex/main_loop.lua "$port" \
      && printf 'reply %d: MESSAGE %d\n' 1 1 2 2 3 3 > "$dir/want" && echo "no busy waiting" >> "$dir/want" \
      && same vortex/main_loop.lua "$dir/want" "$dir/out" ;;
  esac
  run vortex/client.lua examples/vortex/client.lua "$port" quit \
    && printf 'Let other threads to enter..\nreply %d: THIS IS A TEST...\n' 1 2 3 > "$dir/want" \
    && same vortex/client.lua "$dir/want" "$dir/out"
  if wait "$pid" && [ "$(tail -1 "$dir/vortex-server.log")" = "the server ends" ]; then ok; else
    fail vortex/server.lua "it does not end as it should" "$dir/vortex-server.log" "$dir/vortex-server.log.err"
  fi
  servers=()
  [ -x "$build/examples/hosts-$label/interpreters" ] || return
  runner="$build/examples/hosts-$label/interpreters" run vortex/interpreters.c examples/vortex/interpreter.lua \
    && echo "4 interpreters, each in its handlers while the others were" > "$dir/want" \
    && same vortex/interpreters.c "$dir/want" "$dir/out"
}

# Lua inside the main loops of others (programs linked with liblua, so not for the weft command), and the reverse.
foreign_loops() {
  local source name host
  for source in examples/loops/*.c examples/loops/*.cpp; do
    name=$(basename "${source%.*}")
    host=$build/examples/hosts-$label/$name
    if [ ! -x "$host" ]; then
      [ "$label" != lua5.4 ] || skip "$source" "it was not built"
      continue
    fi
    SDL_VIDEODRIVER=dummy runner=$host run "$source" examples/loops/work.lua || continue
    { echo "slept 5 times, 5 echoes, 5 posts"; sed -n 's/.*--> \(.*[^ */]\).*/\1/p' "$source"; } > "$dir/want"
    same "$source" "$dir/want" "$dir/out"
  done
  if ! $runner tests/examples/has_cqueues.lua; then
    skip loops/cqueues.lua "no cqueues"
    return
  fi
  run loops/cqueues.lua examples/loops/cqueues.lua || return
  sed -n 's/.*--> //p' examples/loops/cqueues.lua > "$dir/want"
  same loops/cqueues.lua "$dir/want" "$dir/out"
}

all() {  # LABEL RUNNER
  label=$1 runner=$2
  puc51=$($runner tests/examples/is_puc51.lua 2> /dev/null)
  examples
  stop_servers
  loop_examples
  stop_servers
  vortex_examples
  stop_servers
  foreign_loops
  docs
}

if [ -n "${WEFT_RUNNER:-}" ]; then
  all "$WEFT_RUNNER" "$WEFT_RUNNER"
else
  [ -x "$build/bin/weft" ] || { echo "run.sh: no $build/bin/weft" >&2; exit 2; }
  native=$build/test-lib/5.4
  export LUA_CPATH="$native/?.so;;"
  all "weft run" "$build/bin/weft run"
  for lua in lua5.4 luajit lua5.1 lua5.2 lua5.3 lua5.5; do
    command -v $lua > /dev/null || continue
    v=${lua#lua}
    [ $lua = luajit ] && v=5.1
    ls "$build/lib/lua/$v/weft/"*.so > /dev/null 2>&1 || continue
    native=$build/test-lib/$v
    export LUA_CPATH="$build/lib/lua/$v/?.so;$native/?.so;;"
    all $lua $lua
    [ -n "$quick" ] && break
  done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
