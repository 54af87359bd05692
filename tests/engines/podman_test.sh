#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# podman runs the image from both archives, and the server inside answers with the bits of
# `slipway model run`. Storage is of the test's own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need podman runc curl
[ "$(id -u)" = 0 ] || skip "podman is tried as root"
build_image "$1"
# Its default store is on overlayfs, which does not stack on itself.
podman=(podman --root "$work/storage" --runroot "$work/podman" --storage-driver vfs
  --cgroup-manager cgroupfs --events-backend file --runtime runc)
at_exit() { "${podman[@]}" rm -fa >/dev/null 2>&1 || true; }
"${podman[@]}" info >/dev/null 2>"$work/info" || skip "podman does not work here: $(tail -n 1 "$work/info")"
files=$(ulimit -Hn)
for form in oci-archive docker-archive; do
  "$bin/slipway" image save digits:1 -f "$form" "$work/$form.tar" -q
  id=$("${podman[@]}" pull -q "$form:$work/$form.tar")
  port=$(free_port)
  "${podman[@]}" run -d --name "$form" --network host --ulimit "nofile=$files:$files" \
    --ulimit nproc=4096:4096 "$id" --listen "127.0.0.1:$port" >/dev/null
  await "127.0.0.1:$port" || "${podman[@]}" logs "$form"
  check_answers "127.0.0.1:$port"
  "${podman[@]}" stop -t 10 "$form" >/dev/null
  [ "$("${podman[@]}" inspect -f '{{.State.ExitCode}}' "$form")" = 0 ] || fail "$form did not stop with 0"
done
