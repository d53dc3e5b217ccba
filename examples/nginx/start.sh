#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Starts an nginx with the Lua module in a folder of its own:
#   examples/nginx/start.sh FOLDER PORT [CONFIGURATION]      stop it with: kill $(cat FOLDER/nginx.pid)
# CONFIGURATION is examples/nginx/nginx.conf if left out. From the environment:
#   WORKERS           their number (1)
#   NGINX_ROOT        where nginx is, as in the package: usr/sbin/nginx ... (/)
#   BUILD             weft's build (build/release)
#   WEFT_MODULE       an ngx_weft_module.so for load_module (none)
#   LD_LIBRARY_PATH   where libraries lie
set -euo pipefail
folder=$(realpath -m "$1") port=$2
here=$(cd "$(dirname "$0")" && pwd)
configuration=$(realpath "${3:-$here/nginx.conf}")
root=${NGINX_ROOT:-} build=$(realpath "${BUILD:-$here/../../build/release}")

mkdir -p "$folder"
{
  echo "worker_processes ${WORKERS:-1};"
  for module in ndk_http_module ngx_http_lua_module; do
    echo "load_module $root/usr/lib/nginx/modules/$module.so;"
  done
  [ -z "${WEFT_MODULE:-}" ] || echo "load_module $WEFT_MODULE;"
  echo "env LD_LIBRARY_PATH;"
} >"$folder/modules.conf"
{
  echo "lua_package_path '$build/share/lua/?.lua;$build/share/lua/?/init.lua;$root/usr/share/lua/5.1/?.lua;;';"
  echo "lua_package_cpath '$build/lib/lua/5.1/?.so;;';"
  for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $folder/$kind;"; done
} >"$folder/paths.conf"
echo "listen 127.0.0.1:$port backlog=1024;" >"$folder/listen.conf"
cp "$configuration" "$folder/nginx.conf"
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
[ -z "$root" ] || LD_LIBRARY_PATH+=:$(echo "$root"/{usr/,}lib/*-linux-gnu | tr ' ' :)
exec "$root/usr/sbin/nginx" -p "$folder" -c "$folder/nginx.conf" -e "$folder/error.log"
