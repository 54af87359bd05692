#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `slipway serve` with a dependency file: the environment is made once, shown, and found again with no
# index at hand; what goes wrong is what an image would go wrong with.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need apt-get curl python3
build_image "$1"
need_module onnxruntime
export XDG_CACHE_HOME=$work/cache HOME=$work/home
mkdir -p "$HOME"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
digits_script score.py helper=helper.WORD prefix=sys.prefix
echo 'WORD = "one"' >helper.py
printf 'dependencies:\n- numpy\n- pip:\n  - azureml-defaults\n  - onnxruntime\n' >env.yml

# begin LOG: serves until it answers; says how many milliseconds that took.
begin() {
  local start try
  start=$(date +%s%N)
  "$bin/slipway" serve "$digits/digits.onnx" --name digits --script score.py --conda env.yml --port "$port" >"$1" 2>&1 &
  server=$!
  for try in $(seq 6000); do
    if curl -sf --max-time 2 "http://127.0.0.1:$port/readyz" >/dev/null; then
      took=$((($(date +%s%N) - start) / 1000000))
      return 0
    fi
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}
end() {
  kill -TERM "$server"
  wait "$server" || fail "it ended with $?"
}
at_exit() { [ -z "${server:-}" ] || kill -KILL "$server" 2>/dev/null || true; }
ask() { curl -sS --max-time 30 "http://127.0.0.1:$port/score" -d "@$digits/samples/digits_7.json"; }

if ! begin first.log; then
  if grep -qE "cause: Image\.(Apt|Index)Unreachable" first.log; then skip "$(grep -m1 slipway: first.log)"; fi
  cat first.log >&2
  fail "it does not serve"
fi
grep -qE "environment: Python 3\.[0-9]+\.[0-9]+; .*numpy [0-9]" first.log || { cat first.log >&2; fail "the environment is not shown"; }
grep -q "Slipway's own modules: .*onnxruntime" first.log || fail "what Slipway's modules meet is not shown"
ask >answer.json
python3 - answer.json "$work/cache" <<'PY' || { cat answer.json >&2; fail "a wrong answer"; }
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["digit"] == 7 and answer["helper"] == "one", answer
assert answer["prefix"].startswith(sys.argv[2]), "this machine's Python was taken"
PY
end
first=$took

# Again, with the script's own module changed and no index to be reached.
echo 'WORD = "two"' >helper.py
export PIP_INDEX_URL=http://127.0.0.1:1/ http_proxy=http://127.0.0.1:1 https_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1
begin second.log || { cat second.log >&2; fail "it does not serve again"; }
ask | grep -q '"helper": "two"' || fail "the script is not the one that lies there now"
[ "$took" -lt 5000 ] || fail "the second start took $took ms"
end
unset PIP_INDEX_URL http_proxy https_proxy no_proxy

# What an image is refused for, this is refused for.
same() {
  local status=0
  "$bin/slipway" serve --script score.py --conda bad.yml --port "$port" >serve.err 2>&1 || status=$?
  [ "$status" = "$1" ] || { cat serve.err >&2; fail "serve ended with $status, not $1"; }
  "$bin/slipway" image create bad --model digits --script score.py --dependency helper.py --conda bad.yml >image.err 2>&1 && fail "the image was built"
  [ "$(grep '^cause' serve.err)" = "$(grep '^cause' image.err)" ] || { cat serve.err image.err >&2; fail "other causes"; }
  grep '^cause' serve.err
}
printf 'dependencies:\n- pip:\n  - surely-there-is-no-such-package-0451\n' >bad.yml
same 2
printf 'dependencies: numpy\n' >bad.yml
same 2
echo "first start $first ms, second $took ms"
