#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bills of materials of an image without and of one with Python are valid by the published schemas of
# SPDX 2.3 and CycloneDX 1.5, and name what is in the image.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need python3
peer=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/sbom_peer.py
install_peers "$2/sbom" spdx-tools 'cyclonedx-python-lib[json-validation]'
build_image "$1"

# bills IMAGE: writes its bills and validates them.
bills() {
  "$bin/slipway" image sbom "$1" >"$1.spdx.json"
  "$bin/slipway" image sbom "$1" --format cyclonedx >"$1.cdx.json"
  "$2/sbom/bin/python" -B "$peer" "$1.spdx.json" "$1.cdx.json" || fail "a bill of $1 is not valid"
}
# listed IMAGE NAME...: each is a component in both bills.
listed() {
  local image=$1 name
  shift
  for name in "$@"; do
    python3 - "$image" "$name" <<'PY' || fail "$name is not in both bills of $image"
import json, sys
image, name = sys.argv[1:]
spdx = [p["name"] for p in json.load(open(image + ".spdx.json"))["packages"]]
cdx = [c["name"] for c in json.load(open(image + ".cdx.json"))["components"]]
sys.exit(not (spdx.count(name) == 1 and cdx.count(name) == 1))
PY
  done
}
bills digits "$2"
listed digits digits/digits.onnx bin/slipway-serve serve.json

printf 'import numpy\n\n\ndef init():\n    pass\n\n\ndef run(data):\n    return numpy.__version__\n' >score.py
printf 'dependencies:\n- pip:\n  - numpy\n  - six\n' >env.yml
if ! "$bin/slipway" image create script --script score.py --conda env.yml -q >image.log 2>build.log; then
  grep -qE "cause: Image\.(Apt|Index)Unreachable" build.log || fail "the image was not built: $(cat build.log)"
  skip "the image without Python is right; $(grep -m 1 slipway: build.log)"
fi
bills script "$2"
listed script libc6 python3.11-minimal numpy six score.py
python3 - <<'PY' || fail "packages of the lock have no digest in the bill"
import json
packages = json.load(open("script.spdx.json"))["packages"]
fetched = [p for p in packages if "externalRefs" in p and p["primaryPackagePurpose"] == "LIBRARY"]
assert len(fetched) > 20, len(fetched)
assert all(p.get("checksums") for p in fetched), [p["name"] for p in fetched if not p.get("checksums")]
PY
echo "the bills of both images are valid"
