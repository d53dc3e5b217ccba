#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the C++ examples and checks what they print; builds them once more against an installed weft,
# and a project that has weft as a subdirectory.
#
#   tests/cpp/run.sh [--quick] [build directory]        (default build/release; --quick: builds nothing)

set -u
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
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT

patience=600  # seconds: what takes longer hangs
passed=0 failed=0
ok() { passed=$((passed + 1)); }
fail() {  # NAME why [file ...]
  failed=$((failed + 1))
  echo "FAIL cpp: $1: $2"
  shift 2
  for f in "$@"; do [ -s "$f" ] && head -c 2000 "$f" | sed "s/^/  $(basename "$f"): /"; done
}
same() {  # NAME want got
  if cmp -s "$2" "$3"; then ok; else
    fail "$1" "the output differs"
    diff "$2" "$3" | head -20 | sed 's/^/  /'
  fi
}
run() {  # NAME program args...: leaves $dir/out
  local name=$1
  shift
  if timeout -k 2 $patience "$@" > "$dir/out" 2> "$dir/err" < /dev/null && [ ! -s "$dir/err" ]; then ok; else
    fail "$name" "exit code $?, or text on stderr" "$dir/out" "$dir/err"
    return 1
  fi
}

# `--> text` in a program is a line that it prints.
says_itself() {  # where the programs are
  local file name
  for file in examples/cpp/*.cpp; do
    name=$(basename "$file" .cpp)
    sed -n 's/.*--> //p' "$file" > "$dir/want"
    [ -s "$dir/want" ] || continue
    if [[ $name = embed_* && ! -x $1/$name ]]; then
      echo "skip cpp: $name: it needs Lua 5.4"
      continue
    fi
    if [[ $name = *_asio && ! -x $1/$name ]]; then
      echo "skip cpp: $name: it needs asio"
      continue
    fi
    run "$name" "$1/$name" && same "$name" "$dir/want" "$dir/out"
  done
}

# Server and client, in two processes.
echoes() {
  local port n
  : > "$dir/log"
  "$1/echo_server" > "$dir/log" 2> "$dir/log.err" < /dev/null &
  server=$!
  for n in $(seq 6000); do
    port=$(awk '/^listening/ { print $NF }' "$dir/log")
    [ -n "$port" ] && break
    sleep 0.05
  done
  if run echo_client "$1/echo_client" "$port" 50 20; then
    echo "50 clients, 20 messages each: all came back" > "$dir/want"
    same echo_client "$dir/want" "$dir/out"
  fi
  if kill -0 "$server" 2> /dev/null; then ok; else fail echo_server "it has died" "$dir/log.err"; fi
  kill "$server"
  wait "$server" 2> /dev/null
  server=
  # Nobody serves port 1.
  if timeout $patience "$1/echo_client" 1 1 1 > "$dir/out" 2> "$dir/err" < /dev/null; then
    fail echo_client "no error without a server"
  elif grep -qi refused "$dir/err"; then ok; else fail echo_client "want 'refused'" "$dir/err"; fi
}

says_itself "$build/examples"
echoes "$build/examples"

# Each ```cpp block of docs/*.md names a file in its fence line and is that file, or a part of it.
for doc in README.md docs/*.md; do
  rm -f "$dir"/block.*
  awk -v out="$dir/block." '
    /^```cpp/ { n++; file = out n; print $2 > file; open = 1; next }
    /^```/ && open { close(file); open = 0; next }
    open { print > file }
  ' "$doc"
  for block in "$dir"/block.*; do
    [ -f "$block" ] || continue
    file=$(head -1 "$block")
    if [ -z "$file" ] || [ ! -f "$file" ]; then
      fail "$doc" "a cpp block names no file: '$file'"
      continue
    fi
    tail -n +2 "$block" > "$dir/got"
    tail -n +2 "$file" > "$dir/want"  # the SPDX line need not be in the guide
    same "$doc: $file" "$dir/want" "$dir/got"
  done
done

# `build NAME source options...`: configures and builds in $dir/NAME
build() {
  local name=$1 source=$2
  shift 2
  if cmake -S "$source" -B "$dir/$name" -G Ninja -DCMAKE_BUILD_TYPE=Debug "$@" > "$dir/err" 2>&1 &&
    cmake --build "$dir/$name" -j2 > "$dir/err" 2>&1; then ok; else
    fail "$name" "it does not build" "$dir/err"
    return 1
  fi
}

if [ -z "$quick" ]; then
  if cmake --install "$build" --prefix "$dir/prefix" > "$dir/err" 2>&1; then ok; else
    fail install "cmake --install fails" "$dir/err"
  fi
  if [ -f "$dir/prefix/share/weft/types/weft.lua" ] && [ -f "$dir/prefix/share/weft/foreign/rust/Cargo.toml" ]; then ok; else
    fail install "no types or no crate in share/weft"
  fi
  if command -v go > /dev/null; then
    cp -r examples/foreign/go-upper "$dir" && sed -i "s|=> .*|=> $dir/prefix/share/weft/foreign/go|" "$dir/go-upper/go.mod"
    if (cd "$dir/go-upper" && go build -buildmode=c-shared -o libupper.so .) > "$dir/err" 2>&1; then ok; else
      fail "the installed Go package" "it does not build" "$dir/err"
    fi
  fi
  build find_package examples/cpp -DCMAKE_PREFIX_PATH="$dir/prefix" && says_itself "$dir/find_package/examples"
  if build add_subdirectory tests/cpp/consumer -DWEFT_SOURCE_DIR="$PWD"; then
    sed -n 's/.*--> //p' examples/cpp/hello.cpp > "$dir/want"
    run add_subdirectory "$dir/add_subdirectory/consumer" && same add_subdirectory "$dir/want" "$dir/out"
    sed -n 's/.*--> //p' examples/cpp/embed_lua.cpp > "$dir/want"
    run "a host of Lua" "$dir/add_subdirectory/host" && same "a host of Lua" "$dir/want" "$dir/out"
  fi
fi

# Chains of a million without optimisation, and without the flags that weft::weft brings.
if [ -z "$quick" ]; then
  yes "1000000 1000000 1000000" | head -2 > "$dir/want"
  for compiler in g++ clang++-19; do
    command -v "$compiler" > /dev/null || continue
    if "$compiler" -std=c++20 -O0 -Wall -Wextra -Werror -Iinclude tests/cpp/deep.cpp -o "$dir/deep" \
      -L"$build/lib" -lweft -Wl,-rpath,"$build/lib" -pthread 2> "$dir/err"; then
      run "deep ($compiler)" "$dir/deep" && same "deep ($compiler)" "$dir/want" "$dir/out"
    else fail "deep ($compiler)" "it does not build" "$dir/err"; fi
  done
fi

# What does not compile says why.
if [ -z "$quick" ]; then
  while read -r number text; do
    if g++ -std=c++20 -fsyntax-only -Iinclude -DCASE="$number" tests/cpp/refused.cpp 2> "$dir/err"; then
      if [ "$number" = 0 ]; then ok; else fail "refused.cpp $number" "it compiles"; fi
    elif grep 'error:' "$dir/err" | grep -qF "$text"; then ok; else
      fail "refused.cpp $number" "want the error: $text" "$dir/err"
    fi
  done < <(sed -n 's|^#.*if CASE == \([0-9]*\)  // says: \(.*\)|\1 \2|p' tests/cpp/refused.cpp)
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
