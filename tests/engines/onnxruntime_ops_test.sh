#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operators of ai.onnx.ml and com.microsoft, and those of ai.onnx that the official tests touch
# lightly, on random problems: PyPI's ONNX Runtime and the project's module give the same answers.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$1 venv=$2
trap 'rm -rf "$work"' EXIT
install_peers "$venv" onnxruntime onnx numpy ml_dtypes
ours=$(cd "$bin/.." && pwd)/lib/slipway/python/onnxruntime
[ -d "$ours" ] || fail "$ours is not built"
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
peer=$root/tests/engines/onnxruntime_ops_peer.py
"$venv/bin/python" "$peer" record "$work/theirs" 2>"$work/log" ||
  fail "ONNX Runtime does not run here: $(tail -n 3 "$work/log")"
PYTHONPATH=$ours "$venv/bin/python" "$peer" record "$work/ours" 2>"$work/log" ||
  fail "the module does not run: $(tail -n 3 "$work/log")"
"$venv/bin/python" "$peer" compare "$work/theirs" "$work/ours"
