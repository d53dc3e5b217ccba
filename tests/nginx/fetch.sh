#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Puts Debian's nginx with the Lua module into build/nginx/root, installing nothing: its luajit2 would
# replace the luajit of this machine. Also nginx-dev's sources, that ngx_weft_module.so is compiled against.
# Prints the folder; says why on stderr, and fails, where it cannot be fetched.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD/build/nginx/root

packages=(nginx nginx-dev libnginx-mod-http-lua libnginx-mod-http-ndk
  libluajit2-5.1-2 lua-resty-core lua-resty-lrucache libpcre3 libpcre2-dev)

give_up() { echo "tests/nginx/fetch.sh: $1" >&2; exit 1; }
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else command -v sudo >/dev/null && sudo "$@"; fi
}

mkdir -p build/nginx
exec 9>build/nginx/.lock
flock 9
if [ ! -e "$root/.complete" ]; then
  command -v apt-get >/dev/null || give_up "this is not Debian"
  rm -rf build/nginx/debs "$root"
  mkdir -p build/nginx/debs "$root"
  cd build/nginx/debs
  # Lists that are too old name packages that have been replaced.
  # A network that is slow, or takes packets and answers none, is no failure.
  patient=(-qq -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30)
  get() { timeout 600 apt-get "${patient[@]}" -o APT::Sandbox::User=root download "${packages[@]}" >/dev/null; }
  get 2>/dev/null ||
    { as_root timeout 600 apt-get "${patient[@]}" -o DPkg::Lock::Timeout=600 update >/dev/null 2>&1; get; } ||
    give_up "its packages cannot be downloaded"
  for deb in *.deb; do dpkg -x "$deb" "$root"; done
  ! LD_LIBRARY_PATH=$(echo "$root"/{usr/,}lib/*-linux-gnu | tr ' ' :) ldd "$root"/usr/sbin/nginx \
    "$root"/usr/lib/nginx/modules/ngx_http_lua_module.so | grep 'not found' >&2 ||
    give_up "a library that nginx needs is not here"
  touch "$root/.complete"
fi
echo "$root"
