#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# scoring.sh BIN PEERS: answers a second of one script behind slipway-serve and behind
# azureml-inference-server-http, of the digits model without a script (every server as it comes), and
# what the server adds to a bare inference. Exits with 1 if a target is missed. BIN holds slipway-serve, slipway and scoring_load.
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/tests/engines/lib.sh"
seconds=${SLIPWAY_BENCH_SECONDS:-3}
venv=$2-inference-server
servers=() missed=0
stop() {
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
install_peers "$venv" azureml-inference-server-http inference-schema numpy
cat >"$work/score.py" <<'PY'
import json


def init():
    pass


def run(data):
    return {"sum": sum(json.loads(data)["data"])}
PY

# serve NAME COMMAND...: starts a server on a port of its own, which is put into $port.
serve() {
  local name=$1
  shift
  port=$(free_port)
  "${@//PORT/$port}" >"$work/$name.log" 2>&1 &
  servers+=($!)
  for _ in $(seq 200); do
    curl -sf --max-time 2 "http://127.0.0.1:$port/" >/dev/null && return
    sleep 0.1
  done
  fail "$name does not start: $(tail -n 3 "$work/$name.log")"
}
field() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p"; }
# load PORT BODY CONNECTIONS
load() { "$bin/scoring_load" "$1" /score "$2" "$3" "$seconds"; }

serve slipway "$bin/slipway-serve" --script "$work/score.py" --python "$venv/bin/python" --listen 127.0.0.1:PORT
ours=$port ours_pid=${servers[-1]}
serve peer "$venv/bin/azmlinfsrv" --entry_script "$work/score.py" --port PORT
theirs=$port theirs_pid=${servers[-1]}
serve model "$bin/slipway-serve" "$root/templates/digits/digits.onnx" --listen 127.0.0.1:PORT
model=$port
script_body='{"data": [1, 2, 3]}'
digit=$(tr -d '\n' <"$root/templates/digits/samples/digits_0.json")

printf '%-34s %9s %9s %9s %7s %7s\n' 'connections: answers a second' script peer 'no code' ratio 'no code'
for connections in 1 8 64; do
  a=$(load "$ours" "$script_body" "$connections")
  b=$(load "$theirs" "$script_body" "$connections") || true
  c=$(load "$model" "$digit" "$connections")
  awk -v n="$connections" -v a="$(field rps <<<"$a")" -v b="$(field rps <<<"$b")" -v c="$(field rps <<<"$c")" \
    'BEGIN { printf "%-34s %9.0f %9.0f %9.0f %6.1fx %6.1fx\n", n, a, b, c, a / b, c / b
             exit a < 3 * b || c < 20 * b }' || missed=1
  [ "$connections" = 1 ] || continue
  p50="script $(field p50_us <<<"$a"), peer $(field p50_us <<<"$b"), no code $(field p50_us <<<"$c")"
  no_code=$(field p50_us <<<"$c")
done
echo "targets: 3x with the script, 20x without code"
echo "p50 of one connection, us: $p50"
bare=$("$bin/slipway" model bench "$root/templates/digits/digits.onnx" --threads 1 --seconds 1 | field median_ms)
awk -v all="$no_code" -v bare="$bare" \
  'BEGIN { printf "p50 over the bare inference (%.1f us), no code: %.1f us (target 100)\n", bare * 1000, all - bare * 1000
           exit all - bare * 1000 > 100 }' || missed=1
# resident PID: MiB of the process and its children.
resident() {
  local sum=0 pid
  for pid in "$1" $(pgrep -P "$1"); do
    sum=$((sum + $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null || echo 0)))
  done
  echo $((sum / 1024))
}
echo "resident memory with one worker, MiB: slipway-serve $(resident "$ours_pid"), peer $(resident "$theirs_pid")"
exit "$missed"
