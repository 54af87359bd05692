#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ONNX Runtime, from PyPI, agrees with `slipway model run` on mnist and on the digit sample.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$1 venv=$2
trap 'rm -rf "$work"' EXIT
install_peers "$venv" onnxruntime numpy
"$venv/bin/python" "$root/tests/engines/onnxruntime_peer.py" "$bin/slipway" "$digits/digits.onnx"
mnist=$root/../shared/models/mnist.onnx
[ -f "$mnist" ] || skip "the digit sample agrees; ../shared/models/mnist.onnx is not there"
"$venv/bin/python" "$root/tests/engines/onnxruntime_peer.py" "$bin/slipway" "$mnist"
