#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Times builds of an image with Python and numpy, and says their sizes: cold (empty state folder),
# warm (another package, base there), nothing changed. With --docker, beside `docker build` of the
# same from BASE, an image with Python and pip that Docker has or can pull
# (python:3.11-slim-bookworm if not given); pip in it trusts whom this machine trusts, and asks
# PIP_INDEX_URL where that is set. Sizes: compressed as by a registry, and on the disk.
# Usage: bash tests/bench/python_image.sh BUILD/bin [--docker [BASE]]
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
"$bin/slipway" up -q >log
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
[ "${2:-}" = --docker ] || exit 0
docker info >/dev/null 2>&1 || { echo "docker build: skipped, docker does not answer"; exit 0; }
base=${3:-python:3.11-slim-bookworm}
authorities=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
dockerfile() {
  printf 'FROM %s\n' "$base"
  if [ -r "$authorities" ]; then
    cp "$authorities" context/authorities.crt
    printf 'COPY authorities.crt /tmp/authorities.crt\nENV PIP_CERT=/tmp/authorities.crt\n'
  fi
  printf 'ARG PIP_INDEX_URL\nARG PIP_BREAK_SYSTEM_PACKAGES=1\n'
  printf 'RUN python3 -m pip install --no-cache-dir %s\nCOPY score.py /var/azureml-app/\n' "$1"
}
docker_build() {
  local label=$1 packages=$2 start end
  shift 2
  mkdir -p context
  cp score.py context/
  dockerfile "$packages" >context/Dockerfile
  start=$(date +%s%N)
  docker build --network host ${PIP_INDEX_URL:+--build-arg PIP_INDEX_URL} "$@" -q -t slipway-bench context >docker.log 2>&1 ||
    { tail -5 docker.log >&2; echo "docker build: failed"; exit 1; }
  end=$(date +%s%N)
  printf '%-28s %8.2f s  %6.1f MB, unpacked %6.1f MB\n' "$label" "$(awk "BEGIN {print ($end - $start) / 1e9}")" \
    "$(docker save slipway-bench | gzip -6 | wc -c | awk '{print $1 / 1e6}')" \
    "$(docker image inspect -f '{{.Size}}' slipway-bench | awk '{print $1 / 1e6}')"
}
docker image inspect "$base" >/dev/null 2>&1 || docker pull -q "$base" >/dev/null 2>&1 ||
  { echo "docker build: skipped, the base $base is not there and cannot be pulled"; exit 0; }
docker_build "docker build, cold" numpy --no-cache
docker_build "docker build, another package" "numpy six"
docker_build "docker build, no change" "numpy six"
docker rmi -f slipway-bench >/dev/null 2>&1 || true
