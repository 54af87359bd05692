#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The operators' table against the schemas of PyPI's package `onnx`: versions, attributes with
# their defaults, and the element types of every parameter; then the official node tests that the
# package makes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
bin=$1 venv=$2
trap 'rm -rf "$work"' EXIT
install_peers "$venv" onnx numpy ml_dtypes
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
peer=$root/tests/engines/onnx_schemas_peer.py
"$bin/slipway" ops -o json >"$work/ops.json"
"$venv/bin/python" "$peer" schemas "$work/ops.json"
"$venv/bin/python" "$peer" folders "$work/node"
for device in "" --reference; do
  # Folders that cannot pass are named by the peer, each with its reason.
  "$bin/slipway" model test $device "$work/node" >"$work/log" || true
  "$venv/bin/python" "$peer" outcomes "$work/log"
done
