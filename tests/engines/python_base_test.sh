#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images on a root file system that is given: the CPythons of other Debian suites, older and newer than
# the one that Slipway takes by itself. Packages are resolved for, and found by, the base's own Python;
# a base that Slipway's runtime cannot be loaded in is refused when the image is made.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/pythons.sh"
need apt-get curl python3
bin=$(cd "$1" && pwd)
pythons_at "$2-cpythons"
for suite in bullseye trixie sid; do debian_pythons "$suite"; done
[ -n "$(ls -d "$place"/*-3.*/ 2>/dev/null)" ] || skip "no other Debian's CPython can be had"
build_image "$bin"
need_module onnxruntime
digits_script score.py 'python=platform.python_version()'
printf 'dependencies:\n- pip:\n  - onnxruntime\n' >env.yml
cat >plain.py <<'PY'
import json
import platform

import numpy as np


def init():
    pass


def run(data):
    return {"sum": float(np.sum(json.loads(data))), "python": platform.python_version()}
PY
printf 'dependencies:\n- pip:\n  - numpy\n' >plain.yml
# create NAME BASE SCRIPT CONDA: an image on that base.
create() {
  "$bin/slipway" image create "$1" --model digits --script "$3" --conda "$4" --base "$2" -q >out 2>err && return 0
  if grep -qE "cause: Image\.(Apt|Index)Unreachable" err; then skip "$(grep -m1 slipway: err)"; fi
  return 1
}
# answer NAME DATA: what a service of that image answers.
answer() {
  "$bin/slipway" service create "$1" --image "$1" --target process -q >>log 2>&1 ||
    { "$bin/slipway" service logs "$1" >&2; fail "$1 does not start"; }
  "$bin/slipway" service run "$1" --data "$2" -o json | tr -d ' \n'
  "$bin/slipway" service delete "$1" -q >>log 2>&1
}
done=0
for tree in "$place"/*-3.*/; do
  tree=${tree%/}
  version=${tree##*-} name=$(basename "$tree" | tr -d .)
  create "$name" "$tree" plain.py plain.yml || { cat err >&2; fail "no image on $tree"; }
  said=$(answer "$name" '[1, 2, 3.5]')
  [[ $said == "{\"sum\":6.5,\"python\":\"$version."* || $said == "{\"python\":\"$version."*"\"sum\":6.5}" ]] ||
    fail "Python $version answers $said"
  if ! newer "$tree"; then
    if create "$name" "$tree" score.py env.yml; then fail "a base that is too old was taken"; fi
    grep -q "^cause: Image.BaseTooOld$" err || { cat err >&2; fail "why $tree is refused"; }
    grep -q "GLIBC" err || { cat err >&2; fail "what $tree lacks is not said"; }
    echo "Python $version on an older C library: packages of its own; Slipway's runtime is refused"
  else
    create "$name" "$tree" score.py env.yml || { cat err >&2; fail "no image on $tree"; }
    said=$(answer "$name" "@$digits/samples/digits_7.json")
    [[ $said == *"\"digit\":7"* && $said == *"\"python\":\"$version."* ]] || fail "Python $version answers $said"
    echo "Python $version on a newer C library: packages of its own, and Slipway's runtime"
  fi
  done=$((done + 1))
done
[ "$done" -gt 1 ] || fail "only $done bases were tried"
