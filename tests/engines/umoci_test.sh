#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# umoci unpacks the image, and the server in there answers from the unpacked files.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need umoci curl
build_image "$1"
"$bin/slipway" image save digits:1 -f oci-dir "$work/layout" -q
tag=$(sed -n 's/.*"org.opencontainers.image.ref.name": *"\([^"]*\)".*/\1/p' "$work/layout/index.json")
umoci unpack --rootless --image "$work/layout:${tag:-1}" "$work/bundle"
files=$work/bundle/rootfs
port=$(free_port)
"$files/opt/slipway/lib/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$files/opt/slipway/lib" \
  "$files/opt/slipway/bin/slipway-serve" --config "$files/opt/slipway/serve.json" --root "$files" \
  --listen "127.0.0.1:$port" >"$work/serve.log" 2>&1 &
server=$!
at_exit() { kill "$server" 2>/dev/null || true; }
await "127.0.0.1:$port"
check_answers "127.0.0.1:$port"
