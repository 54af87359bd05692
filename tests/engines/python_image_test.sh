#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An image with a scoring script is built from a dependency file, answers on this machine and in
# podman, and is no work when nothing has changed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need apt-get curl python3
build_image "$1"
need_module onnxruntime
digits_script score.py
cat >env.yml <<'YML'
name: project_environment
dependencies:
- python=3.6.2
- pip:
  - azureml-defaults
  - onnxruntime
- numpy
YML
create() { "$bin/slipway" image create script --model digits --script score.py --conda env.yml "$@"; }
if ! create -o json >image.json 2>build.log; then
  if grep -qE "cause: Image\.(Apt|Index)Unreachable" build.log; then skip "$(grep -m1 slipway: build.log)"; fi
  cat build.log >&2
  fail "the image was not built"
fi
field() { python3 -c "import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])" "$1" "$2"; }
[ "$(field image.json runtime)" = python ] || fail "the image has no Python"
[ "$(field image.json size)" -lt 250000000 ] || fail "the image has $(field image.json size) bytes"
grep -q "Image.PythonReplaced" build.log || fail "nothing says that Python 3.6.2 was replaced"
create -o json >again.json 2>/dev/null
[ "$(field again.json digest)" = "$(field image.json digest)" ] || fail "the same inputs, another digest"
"$bin/slipway" image show script --lock >lock.json
create --lock lock.json -o json >locked.json 2>/dev/null
[ "$(field locked.json digest)" = "$(field image.json digest)" ] || fail "the same lock, another digest"

# It is what its recorded inputs and its lock give, and says so.
"$bin/slipway" image verify script:1 >verify.txt 2>>"$work/log" || fail "the image cannot be verified: $(cat verify.txt)"
grep -q "^state *verified" verify.txt || fail "the image is not verified: $(cat verify.txt)"

# A package of PyPI that asks for onnxruntime gets Slipway's own; nothing of it is fetched.
printf 'dependencies:\n- pip:\n  - magika==0.5.1\n' >asks.yml
if "$bin/slipway" image create asks --script score.py --conda asks.yml --preflight off -o json >asks.json 2>asks.log; then
  grep -qE "python: onnxruntime [0-9.]+, which magika asks for, is met by Slipway's own module" asks.log ||
    fail "nothing says who asks for onnxruntime: $(cat asks.log)"
  "$bin/slipway" image show asks --lock >asks.lock
  ! grep -q '"name":"onnxruntime"' asks.lock || fail "onnxruntime was fetched"
elif grep -q "cause: Image.NoSuch" asks.log; then
  echo "the index has no magika: not tried"
else
  fail "magika cannot be installed: $(cat asks.log)"
fi

# Further steps run within limits, which the log names; what they leave is the same another time.
printf 'RUN echo hello > /hello && chmod 600 /hello\n' >steps
if "$bin/slipway" image create steps --script score.py --conda env.yml --model digits --docker-file steps -o json >steps.json 2>steps.log; then
  grep -q "limits: memory [0-9]* MiB" steps.log || fail "nothing says what limits the steps had: $(cat steps.log)"
  "$bin/slipway" image verify steps >verify.txt 2>&1 || fail "an image with steps is not verified: $(cat verify.txt)"
  printf 'RUN head -c 20000000000 /dev/zero | tail\n' >hungry
  if [ "$(id -u)" = 0 ] && grep -q "control group" steps.log; then
    if "$bin/slipway" image create hungry --script score.py --conda env.yml --model digits --docker-file hungry 2>hungry.log >/dev/null; then
      fail "a step took 20 GB"
    fi
    grep -q "^cause: Image.Step" hungry.log || fail "a step that takes all memory ends otherwise: $(tail -n 3 hungry.log)"
  fi
else
  grep -q "^cause: Image.NoSandbox$" steps.log || fail "the steps were not run: $(cat steps.log)"
  echo "no sandbox here: $(grep -m 1 slipway: steps.log)"
fi

# Faults that keep a script from ever answering are named by line before an image is made.
sed -e "s/get_model_path(\"digits\")/get_model_path(\"Digits\")/" -e "s/image = np.array/start = time.time(); image = np.array/" \
  score.py >faulty.py
faulty() { "$bin/slipway" image create faulty --model digits --script faulty.py --conda env.yml "$@" -o json; }
if faulty >faulty.json 2>faulty.log; then fail "a script that cannot work was taken"; fi
grep -q "^cause: Script.ModelNameCase$" faulty.log || fail "the name's case is not the cause: $(tail -n 3 faulty.log)"
grep -q "line [0-9]*: time is used.*Script.UndefinedName" faulty.log || fail "the missing import is not named: $(grep Script faulty.log)"
faulty --preflight warn >faulty.json 2>faulty.log || fail "preflight warn refuses"
grep -q '"Script.UndefinedName"' faulty.json || fail "the image does not keep its warnings"
! grep -q "Script\." build.log || fail "a script that works was warned of: $(grep -m 1 "Script\." build.log)"

# A script that fails in init() is the cause that the deployment names, with what it raised.
printf 'def init():\n    open("/no/such/file")\n\n\ndef run(data):\n    return data\n' >broken.py
"$bin/slipway" image create broken --script broken.py -q >>"$work/log" 2>&1 || fail "a script without models was refused"
if "$bin/slipway" service create broken --image broken --target process 2>broken.log; then fail "a broken script was deployed"; fi
grep -q "^cause: Service.ScriptInvalid$" broken.log || fail "the script is not the cause: $(cat broken.log)"
grep -q "FileNotFoundError.*/no/such/file" broken.log || fail "what it raised is not said: $(cat broken.log)"

# check ADDRESS: the script answers there with the digit that a sample shows.
check() {
  local sample answer
  for sample in 0 4 9; do
    python3 -c "import json, sys
def numbers(value):
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if values is None else [n for v in values for n in numbers(v)]
found = [n for n in numbers(json.load(open(sys.argv[1]))) if isinstance(n, (int, float))]
print(json.dumps({'image': found[-64:]}))" "$digits/samples/digits_$sample.json" >request.json
    answer=$(curl -sS --max-time 30 "$1" -d @request.json)
    [ "$answer" = "{\"digit\": $sample}" ] || fail "sample $sample: $answer"
  done
}
"$bin/slipway" service create script --image script:1 --target process -o json >service.json
check "$(field service.json scoring_uri)"
echo "answers on this machine"

# The same image in the foreground: by its name, and, where there is no workspace, from an archive.
at_exit() { [ -z "${server:-}" ] || kill -KILL "$server" 2>/dev/null || true; }
foreground() {
  local port
  port=$(free_port)
  "$bin/slipway" serve "$1" --port "$port" >serve.log 2>&1 &
  server=$!
  for _ in $(seq 600); do
    curl -sf --max-time 2 "http://127.0.0.1:$port/readyz" >/dev/null && break
    kill -0 "$server" 2>/dev/null || { cat serve.log >&2; fail "slipway serve $1 ends"; }
    sleep 0.1
  done
  check "http://127.0.0.1:$port/score"
  kill -TERM "$server"
  wait "$server" || fail "slipway serve $1 ended with $?"
  server=
}
foreground script:1
"$bin/slipway" image save script:1 -f oci-archive script.tar >>"$work/log" 2>&1
"$bin/slipway" service delete script -q >>"$work/log" 2>&1 || "$bin/slipway" service delete script >>"$work/log" 2>&1
"$bin/slipway" down -q >/dev/null 2>&1
export SLIPWAY_STATE=$work/nowhere XDG_CACHE_HOME=$work/cache
foreground ./script.tar
[ ! -e "$SLIPWAY_STATE" ] || fail "serving an archive made a workspace"
echo "answers in the foreground, by name and from an archive"
