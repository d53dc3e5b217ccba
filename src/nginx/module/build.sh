#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles ngx_weft_module.so against the sources of the nginx that is to run it:
#   src/nginx/module/build.sh [--source DIR] [--configure "ARGUMENTS"] OUT
# DIR: nginx's sources, with their auto/ folder. By default what Debian's nginx-dev installs, else what
# tests/nginx/fetch.sh has fetched; without either, says so and makes nothing.
# ARGUMENTS: those that `nginx -V` prints; by default those of Debian's conf_flags.
# Does nothing when OUT is newer than its sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source='' arguments=''
while [ $# -gt 1 ]; do
  case $1 in
    --source) source=$2 ;;
    --configure) arguments=$2 ;;
    *) sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
out=$(realpath -m "${1:?OUT}")

fetched=$here/../../../build/nginx/root/usr
for place in /usr/share/nginx/src "$fetched/share/nginx/src"; do
  [ -n "$source" ] || [ ! -e "$place/configure" ] || source=$place
done
if [ -z "$source" ]; then
  echo "ngx_weft_module.so is not built: no nginx sources (nginx-dev)"
  exit 0
fi
[ ! "$out" -nt "$here/ngx_weft_module.cpp" ] || [ ! "$out" -nt "$here/ngx_weft_module.h" ] ||
  [ ! "$out" -nt "$source/src/core/nginx.h" ] || exit 0

# Its configure writes into its own folder, and needs the libraries that nginx was configured with.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -r "$source" "$scratch/nginx"
cd "$scratch/nginx"
if [ -n "$arguments" ]; then
  eval "given=($arguments)"
else
  # shellcheck disable=SC1091
  . ./conf_flags
  given=("${NGX_CONF_FLAGS[@]}")
fi
# Modules of their own change nothing in nginx itself, and what they need may not be there.
flags=()
for flag in "${given[@]}"; do
  case $flag in
    --with-*_module=dynamic | --add-dynamic-module=* | --with-cc-opt=* | --with-ld-opt=*) ;;
    *) flags+=("$flag") ;;
  esac
done
if ! ./configure "${flags[@]}" --builddir="$scratch/objs" \
  --with-cc-opt="-I$fetched/include" --with-ld-opt="$(printf -- '-L%s ' "$fetched"/lib/*/)" >"$scratch/log" 2>&1; then
  tail -3 "$scratch/log" >&2
  echo "ngx_weft_module.so is not built: nginx's configure fails" >&2
  [ -n "$arguments" ] || exit 0 # nobody has asked for it
  exit 1
fi
mkdir -p "$(dirname "$out")"
# Left undefined: what the running nginx exports. Stays mapped: a Lua VM that is closed unloads its libraries
# before it calls the last finalizers.
"${CXX:-c++}" -std=c++20 -O2 -g -shared -Wl,-z,nodelete -fPIC -fvisibility=hidden -Wall -Wextra \
  -isystem src/core -isystem src/event -isystem src/event/modules -isystem src/os/unix -isystem "$scratch/objs" \
  -isystem "$fetched/include" -I "$here" "$here/ngx_weft_module.cpp" -o "$out.new"
mv "$out.new" "$out"
