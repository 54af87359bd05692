#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: bash tests/format.sh
# Names every place that clang-format would write otherwise. Ends with 77 where it is not installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if ! command -v clang-format-14 >/dev/null; then
  echo "skipped: clang-format-14 is not installed"
  exit 77
fi
find "$root"/{base,runtime,registry,imagebuilder,deployer,workspace,cli,tests} \
  \( -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0 |
  xargs -0 clang-format-14 --dry-run --Werror
