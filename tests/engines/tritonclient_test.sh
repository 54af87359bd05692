#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tritonclient, from PyPI, speaks the Open Inference Protocol with slipway-serve.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap 'rm -rf "$work"' EXIT
install_peers "$2" "tritonclient[http]" numpy
"$2/bin/python" "$root/tests/engines/tritonclient_peer.py" "$1/slipway-serve"
