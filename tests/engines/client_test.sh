#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The v1 client: installed by pip without an index, on every Python that is here, then against a
# workspace service of its own and the documents' code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
trap 'rm -rf "$work"' EXIT
need python3
bin=$(cd "$1" && pwd)
tests=$root/tests/workspace/python
unset PYTHONPATH "${!SLIPWAY_@}"
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore

# run PYTHON MODULE...: these tests; fails with what they said.
run() {
  local python=$1
  shift
  (cd "$tests" && timeout 400 "$python" -m unittest -v "$@") >"$work/log" 2>&1 ||
    { cut -c 1-400 "$work/log" >&2; fail "$python -m unittest $*"; }
  grep -E '^(Ran|OK)' "$work/log" | tr '\n' ' '
  grep -oE "skipped '.*'" "$work/log" | sort | uniq -c || true
  echo "($("$python" --version))"
}

# The sources as they lie there, on each version that is installed.
stubbed=$(cd "$tests" && ls test_*.py | grep -v test_live | sed 's/\.py$//')
for python in python3 python3.8 python3.9 python3.10 python3.12 python3.13; do
  version=$("$python" -c 'import sys; print(sys.version_info >= (3, 8))' 2>/dev/null || true)
  [ "$version" = True ] || continue
  # shellcheck disable=SC2086
  PYTHONPATH=$root/workspace/python run "$python" $stubbed
done

# The installed package, against the real service. Installing must leave the folder as it is.
python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3 has no venv (apt-get install python3-venv)"
python3 -m venv "$work/venv"
before=$(find "$root/workspace/python" -type f | sort)
"$work/venv/bin/pip" install -q --no-index --disable-pip-version-check "$root/workspace/python"
[ "$before" = "$(find "$root/workspace/python" -type f | sort)" ] || fail "pip left files in the folder"
cmp "$work"/venv/lib/python*/site-packages/azureml/core/model.py \
  "$root/workspace/python/azureml/core/model.py"
"$work/venv/bin/pip" check >/dev/null
SLIPWAY_BIN=$bin run "$work/venv/bin/python" test_live
