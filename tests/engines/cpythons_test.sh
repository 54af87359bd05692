#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One build of the module `onnxruntime` for every CPython from 3.8 on: its tests, a script behind the
# scoring server and the client's tests, run by each interpreter that can be had, on the same files. The interpreters are
# those of this machine (pyenv's too) and, unpacked into a folder, those of other Debian suites.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/pythons.sh"
need python3 curl
bin=$(cd "$1" && pwd)
trap 'kill "${server:-}" 2>/dev/null || true; clean' EXIT
need_module onnxruntime
modules=$(cd "$bin/../lib/slipway/python" && pwd)
pythons_at "$2-cpythons"
venv=$2-vermin
install_peers "$venv" vermin

# Read from the sources, for the versions that cannot be had here: nothing newer than 3.8 is used.
"$venv/bin/vermin" -q -t=3.8- --no-tips --violations \
  "$root/runtime/python" "$root/runtime/server/python" "$root/workspace/python/azureml" \
  "$root/imagebuilder/preflight/python" >"$work/vermin" || fail "needs more than Python 3.8: $(cat "$work/vermin")"
# Neither library is made for one version: no part of the interpreter is linked in, none is needed by name.
for library in "$bin"/../lib/libslipway.so.1 $(find "$modules" "$bin/../lib" -name libslipway_python.so | head -n 1); do
  ! readelf -d "$library" | grep -q 'NEEDED.*libpython' || fail "$library is linked with a libpython"
done

# By version, one interpreter: this machine's come first.
declare -A pythons
for python in $(compgen -c python3. | sort -u | grep -E '^python3\.[0-9]+$') "$HOME"/.pyenv/versions/*/bin/python; do
  version=$("$python" -c 'import sys; print(*([sys.implementation.name] + list(sys.version_info[:2])))' 2>/dev/null) || continue
  [[ $version =~ ^"cpython 3 "([0-9]+)$ ]] && [ "${BASH_REMATCH[1]}" -ge 8 ] || continue
  pythons[3.${BASH_REMATCH[1]}]=$(command -v "$python")
done
for suite in bullseye trixie sid; do debian_pythons "$suite"; done
for tree in "$place"/*-3.*/; do
  version=${tree%/}
  version=${version##*-}
  [ ! -x "$tree/python" ] || : "${pythons[$version]:=${tree}python}"
done

# numpy_for VERSION: numpy for that version, as a folder; from the index, once.
numpy_for() {
  local folder=$place/numpy/$1
  [ -d "$folder/numpy" ] || "$venv/bin/pip" install -q --target "$folder" --python-version "$1" --implementation cp \
    --ignore-requires-python --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
    --platform manylinux_2_17_x86_64 numpy >"$work/pip.log" 2>&1 || { rm -rf "$folder"; return 1; }
  echo "$folder"
}
# tried PYTHON VERSION: everything by that interpreter.
tried() {
  local python=$1 version=$2 numpy test port answer
  if ! numpy=$(numpy_for "$version"); then
    echo "Python $version: no numpy for it: $(grep -m 1 "^ERROR" "$work/pip.log" | cut -c 1-200)"
    return 1
  fi
  export PYTHONPATH=$modules/onnxruntime:$numpy PYTHONDONTWRITEBYTECODE=1
  for fast in 1 0; do
    SLIPWAY_PYTHON_FAST=$fast "$python" "$root/tests/runtime/python/onnxruntime_test.py" >"$work/log" 2>&1 ||
      { cat "$work/log" >&2; fail "Python $version, SLIPWAY_PYTHON_FAST=$fast"; }
  done
  "$python" -c 'from onnxruntime import _fast; assert _fast.make_run is not None' || fail "Python $version does without fast_run"
  port=$(free_port)
  "$bin/slipway-serve" --script "$work/score.py" --python "$python" --listen "127.0.0.1:$port" >"$work/log" 2>&1 &
  server=$!
  await "127.0.0.1:$port"
  answer=$(curl -sS --max-time 30 "http://127.0.0.1:$port/score" -d "@$digits/samples/digits_7.json")
  kill "$server"
  wait "$server" || true
  [[ $answer == "{\"digit\": 7, \"python\": \"$version"* ]] || { cat "$work/log" >&2; fail "Python $version answers $answer"; }
  (cd "$root/tests/workspace/python" && PYTHONPATH=$root/workspace/python "$python" -W ignore -m unittest \
    test_import test_conda test_model test_surface) >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "Python $version: the client"; }
  unset PYTHONPATH
  echo "Python $version ($python): the module's tests, by both ways; a script behind the server; the client's"
}
cat >"$work/score.py" <<PY
import json
import platform

import numpy as np
import onnxruntime


def init():
    global session
    session = onnxruntime.InferenceSession("$digits/digits.onnx")


def run(data):
    image = np.array(json.loads(data)["image"], dtype=np.float32).reshape(-1, 1, 8, 8)
    answer = session.run([], {session.get_inputs()[0].name: image})[0]
    return {"digit": int(np.argmax(answer[0])), "python": platform.python_version()}
PY
count=0
for version in $(printf '%s\n' "${!pythons[@]}" | sort -V); do
  [ ! -x "${pythons[$version]}" ] || ! tried "${pythons[$version]}" "$version" || count=$((count + 1))
done
[ "$count" -gt 0 ] || skip "no numpy can be had for any CPython here"
echo "$count versions of CPython with the same files"
