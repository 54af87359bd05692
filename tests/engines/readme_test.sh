#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What README.md tells people to type, typed: by the command line, by curl, with a script, and from a
# notebook. The blocks are taken out of the file, so that it cannot say what does not work.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl python3 sha256sum
bin=$(cd "$1" && pwd)
trap clean EXIT
unset SLIPWAY_ENDPOINT SLIPWAY_TOKEN SLIPWAY_WORKSPACE

# block HEADING NUMBER: the lines of that indented block below that heading.
block() {
  python3 - "$root/README.md" "$1" "$2" <<'PY'
import re, sys
text, heading, number = open(sys.argv[1], encoding="utf-8").read(), sys.argv[2], int(sys.argv[3])
section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
blocks = re.findall(r"(?:^    .*\n)+", section, re.M)
print("".join(line[4:] for line in blocks[number - 1].splitlines(keepends=True)), end="")
PY
}
# here NAME: a folder and a state folder of its own, with a model and a request in it.
here() {
  mkdir -p "$work/$1/build"
  cd "$work/$1"
  export SLIPWAY_STATE=$work/$1/state
  ln -s "$bin" build/bin
  cp "$digits/digits.onnx" model.onnx
  cp "$digits/samples/digits_7.json" request.json
}
# typed FILE: runs it as a shell does, and stops at the first line that fails.
typed() { bash -euo pipefail "$1" >out 2>err || { cat "$1" out err >&2; fail "README: $PWD"; }; }

here own
block "Your own model" 1 >lines.sh
grep -q "slipway deploy" lines.sh || fail "README has no such block"
typed lines.sh
grep -q '"probabilities"\|probabilities' out || { cat out >&2; fail "the model did not answer"; }
"$bin/slipway" status >/dev/null 2>&1 && fail "slipway down did not end it"

here curl
"$bin/slipway" up -q
block "Your own model" 2 >lines.sh
grep -q "services -d" lines.sh || fail "README has no such block"
# Who types the lines looks at the service until it is there.
python3 - <<'PY'
lines = open("lines.sh").read().splitlines()
at = next(i for i, line in enumerate(lines) if "/services -d" in line)
wait = 'for i in $(seq 100); do curl -sH "$T" $U/services/mymodel | grep -q Healthy && break; sleep 0.1; done'
lines.insert(at + 1, wait)
open("lines.sh", "w").write("\n".join(lines).replace("curl -", "curl -sSf -") + "\n")
PY
typed lines.sh
grep -q "HTTP/1.1 202" out && grep -qi "^operation-location:" out || { cat out >&2; fail "no 202"; }
grep -q '"scoring_uri":"http' <(tr -d ' ' <out) || { cat out >&2; fail "no scoring URI"; }
tail -n 1 out | grep -q probabilities || { cat out >&2; fail "no answer"; }

# The images of it leave.
"$bin/slipway" image list -o json | grep -q '"mymodel:1"' || fail "no image of that name"
PATH=$bin:$PATH bash -euo pipefail -c "$(block "Your own model" 3 | grep 'image save')" || fail "the image is not saved"
[ -s mymodel.tar ] || fail "no archive"

# A second revision takes some of the requests, then all, then none.
"$bin/slipway" image create mymodel --model mymodel -q >out 2>err || { cat err >&2; fail "no second image"; }
block "A scoring script of your own" 2 >lines.sh
grep -q "slipway service rollback" lines.sh || fail "README has no such block"
PATH=$bin:$PATH typed lines.sh
"$bin/slipway" service run mymodel --data @request.json >out
grep -q probabilities out || fail "no answer after the rollback"

# Tokens, an environment, a promotion with its gates; on a process, where README has a cluster.
for version in 2 3; do
  "$bin/slipway" model register model.onnx --name mymodel --sample "$digits/samples/test_data_set_0" -q >>out
done
block "Who may do what, and promotion" 1 | sed 's/--target kubernetes --config prod.yaml/--target process/' >lines.sh
grep -q "slipway promote mymodel:3 --to prod" lines.sh || fail "README has no such block"
PATH=$bin:$PATH typed lines.sh
"$bin/slipway" audit -o json >out
grep -q '/promotions"' out || fail "the promotion is not in the audit trail"
"$bin/slipway" down -q

need_module azureml "the rest has passed"
here script
ln -s "$root/templates" templates
"$bin/slipway" up -q
block "A scoring script of your own" 1 >lines.sh
grep -q "slipway image create scored" lines.sh || fail "README has no such block"
if ! PATH=$bin:$PATH bash -euo pipefail lines.sh >out 2>err; then
  if grep -qE "cause: Image\.(Apt|Index)Unreachable" err; then skip "$(grep -m1 slipway: err); the rest has passed"; fi
  cat err >&2
  fail "README: a scoring script of your own"
fi
tail -n 1 out | grep -q result || { cat out >&2; fail "the script did not answer"; }
"$bin/slipway" down -q

here notebook
cp "$root"/templates/scripts/{score.py,myenv.yml,model.onnx} .
echo '{"subscription_id": "s", "resource_group": "g", "workspace_name": "myworkspace"}' >config.json
python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3 has no venv; the rest has passed"
python3 -m venv venv
ln -s "$root/workspace" workspace
block "You come with an old notebook" 1 | sed 's/^pip install/pip install -q --no-index --disable-pip-version-check/' >lines.sh
grep -q "pip install" lines.sh || fail "README has no such block"
export PATH=$PWD/venv/bin:$bin:$PATH PYTHONWARNINGS=ignore
typed lines.sh
{
  echo "import json"
  echo "from azureml.core import Workspace"
  echo "from azureml.core.image import ContainerImage"
  echo "from azureml.core.model import Model"
  echo "from azureml.core.webservice import AciWebservice, Webservice"
  block "You come with an old notebook" 2 | sed 's/{"data": …}/json.load(open("ask.json"))/; s/^service.run(\(.*\))$/print("ANSWER", service.run(\1))/'
} >notebook.py
cp "$root/templates/scripts/request.json" ask.json
python3 notebook.py >out 2>err || { cat out err >&2; fail "the notebook's lines"; }
grep -q "^Found the config file in: " out || fail "$(cat out)"
grep -q "ANSWER .*result" out || { cat out err >&2; fail "the notebook got no answer"; }
"$bin/slipway" down -q
echo "the command line, curl, the script and the notebook of README.md work as they are written"
