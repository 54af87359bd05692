#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# python_image.sh BIN [BASE]: times builds of an image with Python and numpy, and says their sizes:
# cold (empty state folder), warm (another package, the base there), nothing changed; the same by
# `docker build` from BASE; and a deployment of the digits model to its first right answer, as a
# process and on Docker. Sizes are compressed ones, as a registry has them. Exits with 1 if a target
# is missed.
#
# BASE has Python and pip. Without one: python:3.11-slim-bookworm where Docker has or can pull it,
# else a minimal Debian made here (debootstrap, as root). pip in it trusts whom this machine trusts,
# and asks PIP_INDEX_URL where that is set. The Docker Engine is one of this script's own.
set -euo pipefail
bin=$(cd "$1" && pwd)
source "$(dirname "${BASH_SOURCE[0]}")/../engines/lib.sh"
base=${2:-}
missed=0
export SLIPWAY_STATE=$work/state
unset SLIPWAY_ENDPOINT SLIPWAY_TOKEN SLIPWAY_WORKSPACE
at_exit() { stop_dockerd; }
trap clean EXIT
cd "$work"

# took COMMAND...: puts its seconds into $seconds; what it says is in the log.
took() {
  local start
  start=$(date +%s%N)
  "$@" >out 2>>log || { tail -n 5 log >&2; fail "$*"; }
  seconds=$(awk "BEGIN {print ($(date +%s%N) - $start) / 1e9}")
}
line() { printf '%-44s %8.2f s  %s\n' "$1" "$seconds" "${2:-}"; }
megabytes() { awk '{ printf "%.1f MB", $1 / 1e6 }'; }

printf 'def init():\n    import numpy\n\n\ndef run(data):\n    return data\n' >score.py
printf 'dependencies:\n- pip:\n  - numpy\n' >numpy.yml
printf 'dependencies:\n- pip:\n  - numpy\n  - six\n' >more.yml
"$bin/slipway" up -q >log
"$bin/slipway" model register "$digits/digits.onnx" --name digits -q >>log
build() {
  local size
  took "$bin/slipway" image create bench --model digits --script score.py --preflight off --conda "$2" -o json
  size=$(sed -n 's/^  "size": \([0-9]*\),\{0,1\}$/\1/p' out)
  line "$1" "$(megabytes <<<"$size") (target 250)"
  [ "$size" -lt 250000000 ] || missed=1
}
build "Python image, cold" numpy.yml
build "Python image, warm, another package" more.yml
build "Python image, nothing changed" more.yml

# deploy_and_ask NAME OPTION...: the digits model on the target of that name, and one request to it.
deploy_and_ask() {
  "$bin/slipway" deploy "$digits/digits.onnx" --name "$1" --target "$1" "${@:2}" -o json -q >service.json
  curl -sS --max-time 60 "$(sed -n 's/.*"scoring_uri": "\([^"]*\)".*/\1/p' service.json)" \
    -d "@$digits/samples/digits_7.json" >answer.json
}
# right: whether a digit that shows 7 was seen as one.
right() {
  python3 -c "import json, sys
scores = next(v for v in json.load(open('answer.json')).values() if isinstance(v, list))[0]
sys.exit(max(range(len(scores)), key=scores.__getitem__) != 7)" || fail "a wrong answer: $(cat answer.json)"
}
for round in first second; do
  took deploy_and_ask process
  right
  line "deploy to a right answer, process, $round"
  "$bin/slipway" service delete process -q >>log 2>&1
done

[ "$missed" = 0 ] || exit 1

# The rest needs an engine; without one this is all.
start_dockerd
export DOCKER_HOST=unix://$engine
printf 'docker:\n  host: unix://%s\n  network: %s\n' "$engine" "$network" >docker.yaml
for round in first second; do
  took deploy_and_ask docker --config docker.yaml
  right
  line "deploy to a right answer, docker, $round"
  "$bin/slipway" service delete docker -q >>log 2>&1
done

need docker
make_base() {
  base=python:3.11-slim-bookworm
  docker image inspect "$base" >>log 2>&1 || docker pull -q "$base" >>log 2>&1 || base=
  [ -z "$base" ] || return 0
  need debootstrap
  local uri
  uri=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 '/debian/$') || skip "no Debian to make a base of"
  debootstrap --variant=minbase --include=python3,python3-pip bookworm root "$uri" >>log 2>&1 || skip "debootstrap: $(tail -n 1 log)"
  base=slipway-bench-base
  tar -C root -c . | docker import - "$base" >>log 2>&1
}
[ -n "$base" ] || make_base
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
  local label=$1 packages=$2
  shift 2
  mkdir -p context
  cp score.py context/
  dockerfile "$packages" >context/Dockerfile
  took docker build --network host ${PIP_INDEX_URL:+--build-arg PIP_INDEX_URL} "$@" -q -t slipway-bench context
  line "$label" "$(docker save slipway-bench | gzip -6 | wc -c | megabytes)"
}
docker_build "docker build, cold, from $base" numpy --no-cache
docker_build "docker build, another package" "numpy six"
docker_build "docker build, nothing changed" "numpy six"
exit "$missed"
