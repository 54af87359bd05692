#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares what a shared library exports with the functions its header declares.
#   c_exports.sh LIBRARY HEADER
set -eu
declared=$(grep -o 'slipway_[a-z0-9_]*(' "$2" | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$1" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort -u)
[ -n "$exported" ] || { echo "$1 exports nothing"; exit 1; }
if [ "$declared" != "$exported" ]; then
  echo "declared and exported functions differ:"
  printf '%s\n' "$declared" > "${TMPDIR:-/tmp}/slipway_declared.$$"
  printf '%s\n' "$exported" | diff "${TMPDIR:-/tmp}/slipway_declared.$$" - || true
  rm -f "${TMPDIR:-/tmp}/slipway_declared.$$"
  exit 1
fi
