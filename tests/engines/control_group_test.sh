#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The memory that a control group allows is what a model may have: of version 2, as a container sees it,
# and of version 1. The files are made up and put in the kernel's place in a namespace of this
# test's own; as root.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$(cd "$1" && pwd)
trap 'rm -rf "$work"' EXIT
cd "$work"

# within FILE=TEXT... -- COMMAND...: with these files at /sys/fs/cgroup.
within() {
  rm -rf groups
  mkdir groups
  while [ "$1" != -- ]; do
    mkdir -p "groups/$(dirname "${1%%=*}")"
    printf '%s\n' "${1#*=}" >"groups/${1%%=*}"
    shift
  done
  shift
  unshare -m bash -c 'mount --make-rprivate / && mount --bind groups /sys/fs/cgroup && exec "$@"' - "$@"
}
within memory.max=max -- true 2>/dev/null || skip "no files can be put at /sys/fs/cgroup (as root, and not in a chroot)"
refused() {
  local status=0
  "$@" timeout 20 "$bin/slipway-serve" "$digits/digits.onnx" --listen "unix:$work/socket" >serve.log 2>&1 || status=$?
  [ "$status" = 3 ] || { cat serve.log >&2; fail "$*: slipway-serve ended with $status"; }
  grep -qi memory serve.log || { cat serve.log >&2; fail "$*: it is not the memory"; }
}
refused within memory.max=10000 --
refused within memory/memory.limit_in_bytes=10000 --
within memory.max=max -- "$bin/slipway" model check "$digits/digits.onnx" >check.log || fail "a group without a bound of memory"
echo "bounds of control groups of both versions hold for the memory of models"
