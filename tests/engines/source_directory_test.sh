#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A folder of sources goes into an image as a whole, by the command line, the v1 client and REST: one
# image, in which the script finds what it found on the machine that it comes from.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need apt-get curl python3
build_image "$1"
need_module azureml
mkdir -p project/code project/pkg project/data project/.git project/__pycache__
cat >project/code/score.py <<'PY'
import json
import os
import sys

import beside
from pkg import tools


def init():
    global words
    with open("data/words.txt") as file:
        words = file.read().split()


def run(data):
    return {"words": words, "beside": beside.NAME, "tool": tools.NAME, "cwd": os.getcwd(),
            "entry": os.environ["AZUREML_ENTRY_SCRIPT"], "root": os.environ["AML_APP_ROOT"],
            "source": os.environ["AZUREML_SOURCE_DIRECTORY"], "first": sys.path[0],
            "there": sorted(os.path.join(place, name)[2:] for place, _, names in os.walk(".")
                            for name in names if "azureml-models" not in place)}
PY
echo 'NAME = "beside"' >project/code/beside.py
echo 'NAME = "tool"' >project/pkg/tools.py
touch project/pkg/__init__.py project/.git/config project/__pycache__/x
echo "a b" >project/data/words.txt
echo "secret" >project/notes.key
head -c 100000 /dev/zero >project/data/huge.bin
printf '*.key\ndata/*\n!data/words.txt\n.amlignore\n' >project/.amlignore
echo "*" >project/.gitignore
printf 'dependencies:\n- pip:\n  - azureml-defaults\n' >env.yml

create() { "$bin/slipway" image create "$@" --model digits --conda env.yml -o json; }
if ! create cli --source-directory project --script code/score.py >cli.json 2>build.log; then
  if grep -qE "cause: Image\.(Apt|Index)Unreachable" build.log; then skip "$(grep -m1 slipway: build.log)"; fi
  cat build.log >&2
  fail "the image was not built"
fi
digest_of() { python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['digest'])" "$1"; }
wanted=$(digest_of cli.json)

# The v1 client.
cat >client.py <<'PY'
from azureml.core import Workspace
from azureml.core.model import InferenceConfig, Model

ws = Workspace.get("default")
config = InferenceConfig("code/score.py", source_directory="project", conda_file="../env.yml")
config.conda_file = None
from azureml.core.environment import Environment
config.environment = Environment.from_conda_specification("e", "env.yml")
package = Model.package(ws, [Model(ws, "digits")], config)
package.wait_for_creation()
PY
PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore PYTHONPATH=$root/workspace/python python3 client.py >client.log 2>&1 ||
  { cat client.log >&2; fail "the client did not build"; }
"$bin/slipway" image show digits-package -o json >client.json
files_of() { python3 -c "
import json, sys
print([layer['digest'] for layer in json.load(open(sys.argv[1]))['layers'] if layer['name'] == 'script'])" "$1"; }
[ "$(files_of client.json)" = "$(files_of cli.json)" ] || fail "the client sends other files than the command line"

# REST: each file a blob, the script by its path.
python3 - "$work/state" <<'PY' || fail "REST"
import hashlib, json, pathlib, sys, time, urllib.request
state = pathlib.Path(sys.argv[1])
base = json.loads((state / "run/endpoint.json").read_text())["address"] + "/api/v1"
head = {"Authorization": "Bearer " + (state / "admin.token").read_text().strip()}
def ask(method, path, body=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(base + path, data=data, headers=head, method=method)
    with urllib.request.urlopen(asked) as answer:
        text = answer.read()
        return json.loads(text) if text.strip() else {}
def put(path, file):
    content = pathlib.Path(file).read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    ask("PUT", f"/workspaces/default/blobs/{digest}", content)
    return {"path": path, "digest": digest, "size": len(content)}
files = ["code/beside.py", "data/words.txt", "pkg/__init__.py", "pkg/tools.py", ".gitignore"]
image = {"name": "rest", "models": ["digits"], "script": put("code/score.py", "project/code/score.py"),
         "conda": put("env.yml", "env.yml"), "dependencies": [put(f, f"project/{f}") for f in files]}
operation = ask("POST", "/workspaces/default/images", image)
while operation["state"] in ("NotStarted", "Running"):
    time.sleep(0.1)
    operation = ask("GET", "/operations/" + operation["id"])
assert operation["state"] == "Succeeded", operation
PY
"$bin/slipway" image show rest -o json >rest.json
[ "$(digest_of rest.json)" = "$wanted" ] || fail "REST builds another image"

# What the script sees.
"$bin/slipway" service create seen --image cli --target process -q >/dev/null
"$bin/slipway" service run seen --data '{}' >seen.json
python3 - seen.json <<'PY' || { cat seen.json >&2; fail "the script sees something else"; }
import json, os, sys
seen = json.load(open(sys.argv[1]))
app = seen["root"]
assert seen["words"] == ["a", "b"] and seen["beside"] == "beside" and seen["tool"] == "tool"
assert app.endswith("/var/azureml-app"), app
assert os.path.realpath(seen["cwd"]) == os.path.realpath(app)
assert seen["entry"] == app + "/code/score.py"
assert seen["source"] == app and seen["first"] == app
assert seen["there"] == [".gitignore", "code/beside.py", "code/score.py", "data/words.txt",
                         "pkg/__init__.py", "pkg/tools.py"], seen["there"]
PY

# What is refused, in one line each.
refused() {
  local cause=$1 status=0
  shift
  create bad "$@" >/dev/null 2>err || status=$?
  [ "$status" != 0 ] && grep -q "^cause: $cause" err || { cat err >&2; fail "not refused as $cause: $*"; }
}
ln -s /etc/passwd project/link
refused Source.Link --source-directory project --script code/score.py
rm project/link
refused Image.Script --source-directory project --script score.py
refused Source.NotFolder --source-directory env.yml --script score.py
refused Usage --source-directory project
echo "one image by the command line, the client and REST; the script sees its folder"
