#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Times builds of an image with Python and numpy, and says their sizes: cold (empty state folder),
# warm (another package, base there), nothing changed. With --docker, beside `docker build` of the
# same. Usage: bash tests/bench/python_image.sh BUILD/bin [--docker]
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
export SLIPWAY_STATE=$work/state
trap '"$bin/slipway" down -q >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
cd "$work"
printf 'def init():\n    import numpy\n\n\ndef run(data):\n    return data\n' >score.py
printf 'dependencies:\n- pip:\n  - numpy\n' >numpy.yml
printf 'dependencies:\n- pip:\n  - numpy\n  - six\n' >more.yml
"$bin/slipway" up -q
"$bin/slipway" model register "$root/templates/digits/digits.onnx" --name digits -q >log
build() {
  local label=$1 start end
  shift
  start=$(date +%s%N)
  "$bin/slipway" image create bench --model digits --script score.py --preflight off "$@" -o json >image.json 2>log ||
    { cat log >&2; exit 1; }
  end=$(date +%s%N)
  printf '%-28s %8.2f s  %6.1f MB\n' "$label" "$(awk "BEGIN {print ($end - $start) / 1e9}")" \
    "$(sed -n 's/^  "size": \([0-9]*\),\{0,1\}$/\1/p' image.json | awk '{print $1 / 1e6}')"
}
build "cold" --conda numpy.yml
build "warm, another package" --conda more.yml
build "nothing changed" --conda more.yml
if [ "${2:-}" = --docker ]; then
  docker info >/dev/null 2>&1 || { echo "docker build: skipped, docker does not answer"; exit 0; }
  printf 'FROM python:3.11-slim-bookworm\nRUN pip install --no-cache-dir numpy\nCOPY score.py /var/azureml-app/\n' >Dockerfile
  for label in "docker build, cold" "docker build, no change"; do
    start=$(date +%s%N)
    docker build $([ "$label" = "docker build, cold" ] && echo --no-cache) -q -t slipway-bench . >/dev/null ||
      { echo "docker build: skipped, the base cannot be pulled"; exit 0; }
    end=$(date +%s%N)
    printf '%-28s %8.2f s  %6.1f MB (unpacked)\n' "$label" "$(awk "BEGIN {print ($end - $start) / 1e9}")" \
      "$(docker image inspect -f '{{.Size}}' slipway-bench | awk '{print $1 / 1e6}')"
  done
fi
