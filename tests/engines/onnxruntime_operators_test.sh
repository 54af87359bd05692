#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operators that the official tests touch lightly, on random problems: ONNX Runtime from PyPI
# makes test folders, which must pass here. Its Fourier transforms of lengths that are no powers of
# two are the less exact ones, hence the tolerance of theirs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$1 venv=$2
trap 'rm -rf "$work"' EXIT
install_peers "$venv" onnxruntime onnx numpy
"$venv/bin/python" -W ignore "$root/tests/engines/onnxruntime_operators_peer.py" "$work"
for device in "" --reference; do
  "$bin/slipway" model test $device --atol 1e-5 "$work/other" | grep -v ^pass || fail "other operators"
  "$bin/slipway" model test $device --atol 1e-3 "$work/fourier" | grep -v ^pass || fail "transforms"
done
