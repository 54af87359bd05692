#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The project's module `onnxruntime` and PyPI's, side by side: outputs on real models, what is
# refused and how, and the official runner of backend tests over both.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$1 venv=$2
trap 'rm -rf "$work"' EXIT
install_peers "$venv" onnxruntime onnx numpy ml_dtypes
ours=$(cd "$bin/.." && pwd)/lib/slipway/python/onnxruntime
[ -d "$ours" ] || fail "$ours is not built"
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
peer=$root/tests/engines/onnxruntime_module_peer.py
models=$root/../shared/models
cd "$work"
"$venv/bin/python" "$peer" record "$work/theirs" "$models" 2>/dev/null >/dev/null ||
  fail "ONNX Runtime does not run here"
PYTHONPATH=$ours "$venv/bin/python" "$peer" record "$work/ours" "$models" 2>"$work/log" >/dev/null ||
  fail "the module does not run: $(tail -n 3 "$work/log")"
"$venv/bin/python" "$peer" compare "$work/theirs" "$work/ours"
surface=$root/tests/engines/onnxruntime_surface_peer.py
"$venv/bin/python" "$surface" record "$work/theirs.names"
PYTHONPATH=$ours "$venv/bin/python" "$surface" record "$work/ours.names"
"$venv/bin/python" "$surface" compare "$work/theirs.names" "$work/ours.names"
if [ -f "$models/exported/index.json" ]; then
  PYTHONPATH=$ours "$venv/bin/python" "$peer" exported "$models/exported" "$bin/slipway"
fi
runner=$root/tests/engines/onnx_backend_peer.py
"$venv/bin/python" "$runner" run "$work/theirs.json" >/dev/null 2>&1
PYTHONPATH=$ours "$venv/bin/python" "$runner" run "$work/ours.json" >/dev/null 2>"$work/log" ||
  fail "the backend runner ended: $(tail -n 3 "$work/log")"
"$venv/bin/python" "$runner" compare "$work/theirs.json" "$work/ours.json"
