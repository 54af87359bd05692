#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the README's two commands on a machine that has nothing: a Debian bookworm made with
# debootstrap (minbase, git and bash), in a chroot, from a clone of this repository's HEAD.
# Needs root and debootstrap. Prints how long each command took.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/cli/install_packages.sh"

usage() {
  cat <<TEXT
usage: bash tests/fresh_machine.sh [--folder DIR] [--mirror URL] [--only quickstart|tests]

  --folder DIR   where the machine is made (a temporary folder, removed at the end)
  --mirror URL   Debian mirror (debootstrap's own choice)
  --only WHAT    only that one of the two commands
TEXT
}

folder= mirror= only=
while [ $# -gt 0 ]; do
  case "$1" in
    --folder | --mirror | --only) [ $# -ge 2 ] || die "$1 needs a value"; declare "${1#--}=$2"; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
done
[ "$(id -u)" = 0 ] || die "this needs root, for chroot" "sudo bash tests/fresh_machine.sh"
command -v debootstrap >/dev/null || die "debootstrap is missing" "apt-get install debootstrap"
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf --one-file-system "$folder"' EXIT
fi
mkdir -p "$folder"
machine=$folder/machine

if [ ! -f "$machine/etc/debian_version" ]; then
  say "Making a Debian bookworm in $machine"
  debootstrap --variant=minbase --include=git,bash bookworm "$machine" ${mirror:+"$mirror"} >"$folder/debootstrap.log" ||
    die "debootstrap failed" "read $folder/debootstrap.log"
fi
rm -rf "$machine/root/slipway"
git clone -q "$root" "$machine/root/slipway"
cp /etc/resolv.conf "$machine/etc/resolv.conf"

# inside COMMAND: in a mount and process namespace of its own, which ends with it.
inside() {
  unshare --mount --pid --fork bash -euc '
    mount --rbind "$0" "$0"  # a root of its own, as a machine has
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    mount -t tmpfs tmpfs "$0/tmp"
    exec chroot "$0" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb bash -euc "$1"
  ' "$machine" "cd /root/slipway && $1"
}
timed() {
  local began=$SECONDS
  say "$1"
  inside "$1" || die "'$1' failed on a fresh machine"
  times+=("$(printf '%5d s  %s' $((SECONDS - began)) "$1")")
}

times=()
if [ "$only" != tests ]; then
  timed "bash cli/quickstart.sh"
  timed "bash cli/quickstart.sh"
fi
[ "$only" = quickstart ] || timed "bash tests/run.sh"
say "Seen on $(nproc) cores, $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo), $(date -u +%F)"
printf '%s\n' "${times[@]}"
