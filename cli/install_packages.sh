# SPDX-License-Identifier: Apache-2.0
# Sourced by cli/quickstart.sh and tests/run.sh: installs what packages.txt lists and is missing.

# The same sources in another folder are the same to ccache.
CCACHE_BASEDIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CCACHE_BASEDIR CCACHE_NOHASHDIR=true

say() { printf '\n== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  [ $# -lt 2 ] || printf 'fix: %s\n' "$2" >&2
  exit 1
}

# install_packages USE...: the packages of packages.txt for these uses.
install_packages() {
  local list missing=() name use known
  list="$(dirname "${BASH_SOURCE[0]}")/packages.txt"
  command -v dpkg-query >/dev/null || die "this is not Debian: no dpkg-query" \
    "install what $list names by other means and run cmake yourself"
  known=$(dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' 2>/dev/null | awk '$2 == "ii" { print $1 }')
  while read -r name use _; do
    case "$name" in '' | '#'*) continue ;; esac
    [[ " $* " == *" $use "* ]] || continue
    grep -qxF "$name" <<<"$known" || missing+=("$name")
  done <"$list"
  [ ${#missing[@]} -gt 0 ] || return 0

  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "packages are missing and this is neither root nor is there sudo" \
      "as root: apt-get install --no-install-recommends ${missing[*]}"
    root=(sudo)
  fi
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
  "${apt[@]}" update || die "apt-get update failed" "check the network and /etc/apt/sources.list"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get install failed" "read the lines above; this needs Debian 12 (bookworm)"
}

# jobs_for_build: one a core, fewer where memory is short (a compiler may want 1 GiB).
jobs_for_build() {
  local cores memory_gib
  cores=$(nproc)
  memory_gib=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null)
  [ -n "$memory_gib" ] && [ "$memory_gib" -gt 0 ] || memory_gib=1
  echo $((cores < memory_gib ? cores : memory_gib))
}

# configure FOLDER OPTION...: runs cmake where the folder is not configured that way yet.
configure() {
  local folder=$1 option
  shift
  if [ -f "$folder/build.ninja" ]; then
    local stale=
    for option in "$@"; do
      grep -qE "^${option%%=*}:[A-Z]+=${option#*=}\$" <(sed 's/^/-D/' "$folder/CMakeCache.txt") || stale=1
    done
    [ -n "$stale" ] || return 0
  fi
  say "Configuring $folder"
  cmake -S "$root" -B "$folder" -G Ninja "$@" || die "cmake failed" "read the lines above"
}
