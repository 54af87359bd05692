#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# azureml-inference-server-http, from PyPI, and slipway-serve run the same scripts and are asked the
# same: every difference is printed, and has its reason in runtime/server/differences.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap 'rm -rf "$work"' EXIT
venv=$2-inference-server
install_peers "$venv" azureml-inference-server-http inference-schema numpy
"$venv/bin/python" "$root/tests/engines/inference_server_peer.py" "$1/slipway-serve" "$root"
