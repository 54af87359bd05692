# SPDX-License-Identifier: Apache-2.0
# Sourced by tests of this folder, after lib.sh: CPythons of other Debian suites, without root.

# pythons_at FOLDER: where they are kept from one run to the next; $place.
pythons_at() {
  mkdir -p "$1"
  place=$(cd "$1" && pwd)
}

# debian_pythons SUITE: unpacks that suite's CPythons, each into $place/SUITE-VERSION with everything
# it loads: a root file system of its own. `python` in it runs it here, with the newer of its C library
# and this machine's. Says why where they cannot be had.
debian_pythons() {
  command -v apt-get >/dev/null && [ "$(uname -m)" = x86_64 ] || return 0
  mkdir -p "$place/apt-$1"
  unpack_pythons "$1" || echo "the CPythons of Debian $1 cannot be had: $(tail -n 1 "$place/apt-$1/out" 2>/dev/null)"
}
unpack_pythons() {
  local suite=$1 apt=$place/apt-$1 uri version tree packages
  uri=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 '/debian/$') || return 1
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,log}
  : >"$apt/status"
  echo "deb $uri $suite main" >"$apt/sources.list"
  local options=(-q -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
    -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::Log=$apt/log"
    -o Debug::NoLocking=1 -o Acquire::Languages=none -o APT::Install-Recommends=false -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >"$apt/out" 2>&1 || return 1
  for version in $(apt-cache "${options[@]}" search --names-only '^libpython3\.[0-9]+-stdlib$' |
    sed -n 's/^libpython\(3\.[0-9]*\)-stdlib .*/\1/p'); do
    tree=$place/$suite-$version
    [ ! -x "$tree/python" ] || continue
    packages=("python$version-minimal" "libpython$version-stdlib")
    # A part of the standard library that pip needs, and that Debian had as a package of its own.
    [ "$version" != 3.9 ] || packages+=(python3-distutils)
    rm -f "$apt"/cache/archives/*.deb
    apt-get "${options[@]}" install -y --download-only "${packages[@]}" >"$apt/out" 2>&1 || return 1
    rm -rf "$tree"
    mkdir "$tree"
    for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done
    finish_root "$tree" "$version"
  done
}
# finish_root TREE VERSION: what installing would have made: links of the merged /usr, python3.
finish_root() {
  local tree=$1 version=$2 name here=/lib/x86_64-linux-gnu path loader
  for name in bin lib lib64 sbin; do
    [ -e "$tree/$name" ] || [ ! -d "$tree/usr/$name" ] || ln -s "usr/$name" "$tree/$name"
  done
  [ -e "$tree/usr/bin/python3" ] || ln -s "python$version" "$tree/usr/bin/python3"
  path=$tree/usr$here:$tree$here
  if newer "$tree"; then
    loader=$(loader_of "$tree")
    path=$path:$here:/usr$here
  else
    loader=$(readlink -f /lib64/ld-linux-x86-64.so.2) path=$here:/usr$here:$path
  fi
  printf '#!/bin/sh\nexport PYTHONHOME=%s/usr\nexec %s --argv0 "$0" --library-path %s %s/usr/bin/python%s "$@"\n' \
    "$tree" "$(readlink -f "$loader")" "$path" "$tree" "$version" >"$tree/python"
  chmod +x "$tree/python"
}
loader_of() { find -L "$1/usr/lib" "$1/lib" -path '*/x86_64-linux-gnu/ld-linux-x86-64.so.2' 2>/dev/null | head -n 1; }
# version_of LOADER: of the C library beside it.
version_of() { grep -aoE 'GNU C Library \([^)]*GLIBC [0-9.]+' "$(dirname "$(readlink -f "$1")")/libc.so.6" | sed 's/.* //'; }
# newer TREE: whether its C library is newer than this machine's.
newer() {
  local ours theirs
  ours=$(version_of /lib64/ld-linux-x86-64.so.2)
  theirs=$(version_of "$(loader_of "$1")")
  [ "$ours" != "$theirs" ] && [ "$(printf '%s\n' "$ours" "$theirs" | sort -V | tail -n 1)" = "$theirs" ]
}
