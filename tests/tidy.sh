#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Looks for likely mistakes in the sources of the product, or in the FILEs given, with clang-tidy
# and the checks of .clang-tidy. Ends with 77 where clang-tidy cannot be had.
#
# It is PyPI's: it passes over what a file includes from elsewhere, where Debian's older one looks
# for mistakes there too, and so ends in a quarter of the time.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/cli/install_packages.sh"

version=23.1.4
folder=$root/build-tidy
venv=$folder/venv
install_packages build
# Without precompiled headers: those of GCC are nothing to clang, and so it also tells what a file
# uses and does not include.
configure "$folder" -DSLIPWAY_PRECOMPILED=OFF >/dev/null
ninja -C "$folder" build.ninja >/dev/null # files that came since
if ! "$venv/bin/clang-tidy" --version 2>/dev/null | grep -q "$version"; then
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q "clang-tidy==$version"; }; then
    echo "skipped: pip cannot install clang-tidy $version"
    exit 77
  fi
fi
if [ $# -eq 0 ]; then
  mapfile -t files < <(find "$root"/{base,runtime,registry,imagebuilder,deployer,workspace,cli} -name '*.cpp' | sort)
  set -- "${files[@]}"
fi
printf '%s\0' "$@" | xargs -0 -P "$(jobs_for_build)" -n 4 "$venv/bin/clang-tidy" --quiet -p "$folder"
