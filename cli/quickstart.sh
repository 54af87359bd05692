#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh clone to a scored answer: installs what is missing, builds, starts a workspace, and
# takes templates/digits through register, image, service and score. Run it again whenever you like.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/cli/install_packages.sh"

usage() {
  cat <<TEXT
usage: bash cli/quickstart.sh [--state DIR]

Installs the Debian packages of cli/packages.txt that are missing (as root, or with sudo), builds
into build/, starts a workspace service with its state in DIR (build/quickstart), registers
templates/digits/digits.onnx, builds an image, starts a service and scores ten digits.
Nothing is written outside this folder and DIR, but for those packages.
TEXT
}

build=$root/build
state=$build/quickstart
while [ $# -gt 0 ]; do
  case "$1" in
    --state) [ $# -ge 2 ] || die "--state needs a folder"; state=$2; shift 2 ;;
    --state=*) state=${1#*=}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
done
[ -r /proc/self/stat ] || die "/proc is not mounted" "mount -t proc proc /proc"
started=$SECONDS

install_packages build
[ -f "$build/build.ninja" ] || configure "$build" -DSLIPWAY_TESTS=OFF
say "Building with $(jobs_for_build) jobs: minutes the first time, nothing to do after that"
ninja -C "$build" -j "$(jobs_for_build)" slipway slipwayd slipway-serve ||
  die "the build failed" "read the lines above"

mkdir -p "$state"
export SLIPWAY_STATE=$(cd "$state" && pwd)
unset SLIPWAY_ENDPOINT SLIPWAY_TOKEN SLIPWAY_WORKSPACE
# The local workspace service, and not one that a config file of some folder above may name.
cd "$SLIPWAY_STATE"
slipway=$build/bin/slipway
digits=$root/templates/digits
shown() { printf '$ slipway'; printf ' %s' "$@"; printf '\n'; "$slipway" "$@"; }
field() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -n 1; }

pid=$("$slipway" status -o json 2>/dev/null | field pid || true)
if [ -n "$pid" ] && [[ "$(readlink "/proc/$pid/exe" 2>/dev/null)" == *' (deleted)' ]]; then
  say "slipwayd was built anew: starting it again"
  shown down
fi
say "A workspace service"
shown up

say "The model"
model=$("$slipway" model show digits -o json 2>/dev/null || true)
if grep -q "$(sha256sum "$digits/digits.onnx" | cut -d ' ' -f 1)" <<<"$model"; then
  echo "registered already: $(field id <<<"$model")"
else
  shown model register "$digits/digits.onnx" --name digits --tag sample=digits --framework ONNX
fi

say "The image"
wanted=$("$slipway" image plan digits --model digits -o json 2>/dev/null | field digest || true)
image=$("$slipway" image show digits -o json 2>/dev/null || true)
if [ -n "$wanted" ] && [ "$(field digest <<<"$image")" = "$wanted" ]; then
  echo "built already: $(field id <<<"$image") $wanted"
else
  shown image create digits --model digits
  image=$("$slipway" image show digits -o json)
fi
image_id=$(field id <<<"$image")

say "The service"
service=$("$slipway" service show digits -o json 2>/dev/null || true)
for _ in $(seq 100); do # one that was stopped with the workspace service comes up again with it
  [ -n "$service" ] && [ "$(field state <<<"$service")" = Transitioning ] || break
  sleep 0.1
  service=$("$slipway" service show digits -o json)
done
if [ -z "$service" ]; then
  shown service create digits --image "$image_id" --target process
elif [ "$(field image <<<"$service")" = "$image_id" ] && [ "$(field state <<<"$service")" = Healthy ]; then
  echo "running already: $(field scoring_uri <<<"$service")"
else
  shown service update digits --image "$image_id"
fi

say "Ten digits it has never seen"
right=0
for sample in 0 1 2 3 4 5 6 7 8 9; do
  answer=$("$slipway" service run digits --data "@$digits/samples/digits_$sample.json" -o json)
  label=$(awk -v n="$sample" '/"label"/ { gsub(/[^0-9]/, ""); if (i++ == n) print }' "$digits/samples/labels.json")
  read -r guess probability < <(tr -d '[:space:]' <<<"$answer" | sed 's/.*\[\([^][]*\)\].*/\1/' |
    tr , '\n' | awk 'NR == 1 || $1 + 0 > best { best = $1 + 0; at = NR - 1 } END { print at, best }')
  verdict=wrong
  [ "$guess" != "$label" ] || { verdict=right; right=$((right + 1)); }
  printf '  digits_%s.json: answers %s (probability %.4f), is %s: %s\n' \
    "$sample" "$guess" "$probability" "$label" "$verdict"
done
# The model is wrong about one in ninety; more than two of ten means that something is broken.
[ "$right" -ge 8 ] || die "only $right of 10 digits right" "slipway service logs digits"

cat <<TEXT

$right of 10 right, after $((SECONDS - started)) s. The workspace service goes on running.
  export PATH=$build/bin:\$PATH SLIPWAY_STATE=$SLIPWAY_STATE
  slipway status                 what runs
  slipway deploy MODEL.onnx --name NAME
  slipway down                   stop it
TEXT
