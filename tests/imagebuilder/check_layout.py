# SPDX-License-Identifier: Apache-2.0
"""Checks an OCI layout against the JSON schemas of the OCI image specification.

check_layout.py SCHEMAS LAYOUT: exit status 0 if every document meets its schema.
"""
import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

import jsonschema  # noqa: E402


def main() -> None:
    schemas, layout = map(pathlib.Path, sys.argv[1:])

    class Local(jsonschema.RefResolver):
        def resolve_remote(self, uri):
            name = uri.split("#")[0].rsplit("/", 1)[-1]
            return json.loads((schemas / name).read_text())

    def check(document, name):
        schema = json.loads((schemas / name).read_text())
        resolver = Local.from_schema(schema)
        jsonschema.Draft4Validator(schema, resolver=resolver).validate(document)

    def blob(descriptor):
        path = layout / "blobs" / descriptor["digest"].replace(":", "/")
        text = path.read_bytes()
        assert len(text) == descriptor["size"], path
        return json.loads(text)

    check(json.loads((layout / "oci-layout").read_text()), "image-layout-schema.json")
    index = json.loads((layout / "index.json").read_text())
    check(index, "image-index-schema.json")
    manifest = blob(index["manifests"][0])
    check(manifest, "image-manifest-schema.json")
    check(blob(manifest["config"]), "config-schema.json")


main()
