# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder: a workspace of the test's own with an image of templates/digits.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
digits=$root/templates/digits
work=$(mktemp -d)

# skip WHY: ends the test as skipped.
skip() {
  echo "skipped: $1"
  exit 77
}
fail() {
  echo "FAILED: $1" >&2
  exit 1
}
# need PROGRAM...: skips where one of them is missing.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || skip "$program is not installed (bash tests/run.sh --engines)"
  done
}

at_exit() { :; }
clean() {
  at_exit
  "$bin/slipway" down -q >/dev/null 2>&1 || true
  rm -rf "$work"
}

# build_image BIN: sets up a workspace with programs of that folder, and the image digits:1.
build_image() {
  bin=$1
  trap clean EXIT
  export SLIPWAY_STATE=$work/state
  unset SLIPWAY_ENDPOINT SLIPWAY_TOKEN SLIPWAY_WORKSPACE
  cd "$work"
  "$bin/slipway" up -q
  "$bin/slipway" model register "$digits/digits.onnx" --name digits -q >"$work/log"
  "$bin/slipway" image create digits --model digits -q >>"$work/log"
  digest=$("$bin/slipway" image show digits -o json | sed -n 's/^  "digest": "\(.*\)",\{0,1\}$/\1/p')
  [ -n "$digest" ] || fail "the image has no digest"
}

# need_module NAME [SAYING]: skips where that Python module of the project was not built.
need_module() {
  [ -d "$bin/../lib/slipway/python/$1" ] || skip "the Python modules were not built${2:+; $2}"
}

# digits_script FILE [MEMBER=MODULE.VALUE...]: a scoring script for the model digits, whose answer has these
# further members.
digits_script() {
  local file=$1 member imports="" members=""
  shift
  for member in "$@"; do
    local value=${member#*=}
    imports+="import ${value%%.*}"$'\n'
    members+=", \"${member%%=*}\": $value"
  done
  cat >"$file" <<PY
import json
$imports
import numpy as np
import onnxruntime
from azureml.core.model import Model


def init():
    global session
    session = onnxruntime.InferenceSession(Model.get_model_path("digits"))


def run(data):
    image = np.array(json.loads(data)["image"], dtype=np.float32).reshape(-1, 1, 8, 8)
    answer = session.run([], {session.get_inputs()[0].name: image})[0]
    return {"digit": int(np.argmax(answer[0]))$members}
PY
}

# plain_json: the document on standard input on one line, each number in its shortest form: two that
# differ in a bit differ in it.
plain_json() {
  python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)))'
}

# expected N: what `slipway model run` says of sample N, as plain_json.
expected() {
  "$bin/slipway" model run "$digits/digits.onnx" -i "image=$digits/samples/test_data_set_$1/input_0.pb" \
    -o json | plain_json
}

# check_answers ADDRESS: the server there answers every sample with the very bits of `model run`.
check_answers() {
  local sample answer
  for sample in 0 1 2 3 4 5 6 7 8 9; do
    answer=$(curl -sS --max-time 10 "http://$1/score" -d "@$digits/samples/digits_$sample.json" |
      plain_json)
    [ "$answer" = "$(expected "$sample")" ] ||
      fail "sample $sample: $answer where model run says $(expected "$sample")"
  done
  echo "ten answers from $1 are those of model run"
}

# await ADDRESS: until the server there is ready.
await() {
  local try
  for try in $(seq 100); do
    curl -sf --max-time 2 "http://$1/readyz" >/dev/null && return
    sleep 0.1
  done
  fail "no answer from $1 within $((try / 10)) s"
}

# install_peers VENV PACKAGE...: a virtual environment with these packages of PyPI, in the versions of
# peers.txt, or the newest when SLIPWAY_LONG is set; skips where they cannot be had. Kept from one run
# to the next.
install_peers() {
  local venv=$1 mark versions=$root/tests/engines/peers.txt
  [ -z "${SLIPWAY_LONG:-}" ] || versions=/dev/null
  shift
  mark=$venv/has-$(echo "$*" | tr -c 'a-z0-9\n' '-')
  ! cmp -s "$mark" "$versions" || return 0
  need python3
  python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3 has no venv (apt-get install python3-venv)"
  [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install -q --upgrade -c "$versions" "$@" >"$work/pip.log" 2>&1 ||
    skip "pip cannot install $*: $(grep -m 1 ERROR "$work/pip.log" || tail -n 1 "$work/pip.log")"
  cat "$versions" >"$mark"
}

# free_port: a port of this machine that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# own_network SCRIPT ARGUMENT...: runs the script again in a network namespace of its own, where it
# can be had: there an engine has its bridge and its firewall rules to itself.
own_network() {
  if [ -z "${SLIPWAY_OWN_NETWORK:-}" ]; then
    command -v ip >/dev/null && command -v iptables >/dev/null && unshare -n true 2>/dev/null || return 0
    rmdir "$work"
    SLIPWAY_OWN_NETWORK=1 exec unshare -n bash "$@"
  fi
  ip link set lo up
}

# start_dockerd: a Docker Engine of the test's own; its socket is $engine, $network is what its
# containers are to use. Outside a network of its own it has no bridge, and leaves the machine's
# firewall alone. stop_dockerd ends it.
start_dockerd() {
  need dockerd curl
  [ "$(id -u)" = 0 ] || skip "dockerd is tried as root"
  engine=$work/docker.sock network=bridge
  local own=()
  if [ -z "${SLIPWAY_OWN_NETWORK:-}" ]; then
    network=host own=(--bridge none --iptables=false --ip-forward=false --ip-masq=false)
  fi
  dockerd --data-root "$work/docker/data" --exec-root "$work/docker/exec" --pidfile "$work/docker.pid" \
    --host "unix://$engine" "${own[@]}" >"$work/dockerd.log" 2>&1 &
  dockerd=$!
  local try
  for try in $(seq 150); do
    kill -0 "$dockerd" 2>/dev/null || break
    curl -sf --max-time 2 --unix-socket "$engine" http://docker/_ping >/dev/null && return
    sleep 0.2
  done
  local why
  why=$(grep -m 1 -iE 'failed|error' "$work/dockerd.log" || tail -n 1 "$work/dockerd.log")
  stop_dockerd
  skip "dockerd does not work here: ${why:-it says nothing}"
}

stop_dockerd() {
  [ -n "${dockerd:-}" ] || return 0
  kill "$dockerd" 2>/dev/null || true
  wait "$dockerd" 2>/dev/null || true
  dockerd=
  # What it mounted goes before its folder does.
  awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r |
    while read -r mount; do umount -l "$mount" || true; done
}
