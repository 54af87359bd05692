#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Docker loads the docker archive, and the server inside answers with the bits of `slipway model
# run`. The engine is one of the test's own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need docker
at_exit() { stop_dockerd; }
trap clean EXIT
bin=$1
start_dockerd
build_image "$1"
docker=(docker --host "unix://$engine")
"$bin/slipway" image save digits:1 -f docker-archive "$work/image.tar" -q
loaded=$("${docker[@]}" load -q -i "$work/image.tar")
image=${loaded##* }
[ "$("${docker[@]}" image inspect -f '{{.Architecture}}' "$image")" = amd64 ] ||
  fail "docker loads '$loaded', which is no amd64 image"
port=$(free_port)
"${docker[@]}" run -d --name digits --network host --read-only --cap-drop ALL \
  --security-opt no-new-privileges "$image" --listen "127.0.0.1:$port" >/dev/null
(await "127.0.0.1:$port") || fail "$("${docker[@]}" logs digits 2>&1 | tail -n 5)"
check_answers "127.0.0.1:$port"
"${docker[@]}" stop -t 10 digits >/dev/null
[ "$("${docker[@]}" inspect -f '{{.State.ExitCode}}' digits)" = 0 ] || fail "digits did not stop with 0"
"${docker[@]}" rm digits >/dev/null
"${docker[@]}" rmi "$image" >/dev/null
[ -z "$("${docker[@]}" ps -aq)$("${docker[@]}" images -q)" ] || fail "something stayed in the engine"
