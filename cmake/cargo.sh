#!/bin/sh
# SPDX-License-Identifier: MIT
# cargo.sh CARGO TARGET NAME INTO: builds the crate in this folder and copies lib<NAME>.so to INTO. Where the
# crates that it needs cannot be had, it says so and leaves an empty file, which loads as no library.
cargo=$1 target=$2 name=$3 into=$4
PATH=${cargo%/*}:$PATH
mkdir -p "$into"
if ! "$cargo" fetch --quiet 2>/dev/null && ! "$cargo" fetch --quiet --offline; then
  echo "weft: $name: its crates cannot be fetched, skipped" >&2
  : >"$into/lib$name.so"
  exit 0
fi
"$cargo" build --offline --quiet --release --target-dir "$target" && cp "$target/release/lib$name.so" "$into/"
