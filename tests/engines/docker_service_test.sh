#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Target docker, whole, on a real engine: a workspace service deploys, answers with the bits of
# `slipway model run`, asks for keys, rolls under load without losing a request, finds its service
# again after it was killed, tells why a service failed, and leaves nothing behind.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
own_network "${BASH_SOURCE[0]}" "$@"
at_exit() {
  [ -z "${load:-}" ] || kill "$load" 2>/dev/null || true
  "$bin/slipway" down -q >/dev/null 2>&1 || true
  stop_dockerd
}
trap clean EXIT
bin=$1
start_dockerd
build_image "$1"

# api METHOD PATH [JSON]: what the workspace service answers.
api() {
  local address token
  address=$(sed 's/.*"address": *"\([^"]*\)".*/\1/' "$SLIPWAY_STATE/run/endpoint.json")
  token=$(cat "$SLIPWAY_STATE/admin.token")
  curl -sS --max-time 120 -X "$1" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    "$address/api/v1$2" ${3:+-d "$3"}
}
# field NAME: the text of that member in the JSON on standard input.
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
# settle JSON: waits for the operation that the answer names, and prints it.
settle() {
  local id state try
  id=$(field id <<<"$1")
  [ -n "$id" ] || fail "no operation: $1"
  for try in $(seq 300); do
    last=$(api GET "/operations/$id")
    state=$(field state <<<"$last")
    case "$state" in Succeeded | Failed | Canceled) return ;; esac
    sleep 0.2
  done
  fail "operation $id does not end: $last"
}
# must JSON: the same, and it succeeds.
must() {
  settle "$1"
  [ "$(field state <<<"$last")" = Succeeded ] || fail "$last"
}
containers() { curl -sS --unix-socket "$engine" "http://docker/containers/json?all=true"; }

services=/workspaces/default/services
docker="\"docker\": {\"host\": \"unix://$engine\", \"network\": \"$network\", \"read_only\": true}"
must "$(api POST $services "{\"name\": \"digits\", \"image\": \"digits:1\", \"target\": \"docker\",
  \"deployment\": {$docker, \"memory_gb\": 0.5, \"cpu_cores\": 1}}")"
uri=$(api GET $services/digits | field scoring_uri)
address=${uri#http://}
address=${address%/score}
check_answers "$address"
grep -q '"Memory":536870912' <<<"$(curl -sS --unix-socket "$engine" \
  "http://docker/containers/$(containers | field Id)/json")" || fail "the container's memory is not bounded"

# A roll under load: every request of eight that never stop is answered with 200.
callers=()
for caller in 1 2 3 4 5 6 7 8; do
  (
    trap 'exit 0' TERM
    while :; do
      # One connection for many requests: the next one may come at any moment of the roll.
      curl -sS --max-time 20 -o /dev/null -w '%{http_code}\n' "http://$address/score" \
        -d "@$digits/samples/digits_1.json" $(printf -- '--next -sS --max-time 20 -o /dev/null -w %%{http_code}\\n http://'"$address"'/score -d @'"$digits"'/samples/digits_1.json %.0s' $(seq 20)) 2>&1
    done
  ) >"$work/load.$caller" &
  callers+=($!)
done
load=${callers[*]}
"$bin/slipway" image create digits --model digits --tag second=1 -q >>"$work/log"
first=$(containers | field Id)
must "$(api PATCH $services/digits '{"image": "digits:2", "deployment": {"cpu_cores": 2}}')"
for try in $(seq 100); do
  now=$(containers)
  [ "$(grep -o '"Id"' <<<"$now" | wc -l)" = 1 ] && [ "$(field Id <<<"$now")" != "$first" ] && break
  sleep 0.2
done
[ "$(field Id <<<"$now")" != "$first" ] || fail "the old container is still there"
sleep 1
kill $load 2>/dev/null || true
wait "${callers[@]}" 2>/dev/null || true
load=
answered=$(cat "$work"/load.* | grep -c '^200$')
lost=$(cat "$work"/load.* | grep -vc '^200$' || true)
[ "$answered" -gt 100 ] || fail "only $answered requests were made"
[ "$lost" = 0 ] || fail "$lost of $((answered + lost)) requests were lost: $(cat "$work"/load.* | grep -v '^200$' | head -n 1)"
echo "$answered requests while the service rolled, none lost"

# Keys.
must "$(api PATCH $services/digits '{"deployment": {"auth_enabled": true}}')"
key=$(api GET $services/digits/keys | field primary)
[ -n "$key" ] || fail "there is no key"
status() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$@" "http://$address/score" -d "@$digits/samples/digits_0.json"; }
[ "$(status)" = 401 ] || fail "without a key: $(status)"
[ "$(status -H "Authorization: Bearer $key")" = 200 ] || fail "with the key: $(status -H "Authorization: Bearer $key")"

# The service outlives a workspace service that is killed.
kill -9 "$(sed 's/.*"pid": *\([0-9]*\).*/\1/' "$SLIPWAY_STATE/run/endpoint.json")"
[ "$(status -H "Authorization: Bearer $key")" = 200 ] || fail "it did not outlive slipwayd"
"$bin/slipway" up -q >/dev/null
[ "$(api GET $services/digits | field state)" = Healthy ] || fail "$(api GET $services/digits)"

# A failure ends in its cause, and the service goes on.
settle "$(api PATCH $services/digits '{"deployment": {"docker": {"network": "nowhere"}}}')"
[ "$(field error_code <<<"$last")" = Service.NetworkMissing ] || fail "no cause: $last"
[ -n "$(field fix <<<"$last")" ] || fail "no fix: $last"
[ "$(status -H "Authorization: Bearer $key")" = 200 ] || fail "it did not go on after a failed update"

"$bin/slipway" down -q
[ "$(curl -s --unix-socket "$engine" http://docker/containers/json | grep -c '"Id"')" = 0 ] || fail "slipway down left it running"
"$bin/slipway" up -q >/dev/null
await "$address"
must "$(api DELETE $services/digits)"
[ "$(containers)" = "[]" ] || fail "a container stayed: $(containers)"
images=$(curl -sS --unix-socket "$engine" "http://docker/images/json?all=true")
[ "$images" = "[]" ] || fail "an image stayed: $images"
echo "target docker, network $network: deployed, rolled, locked, killed, failed, suspended and removed"
