# SPDX-License-Identifier: Apache-2.0
"""Validates bills of materials with other people's libraries, which carry the published schemas.

usage: sbom_peer.py SPDX.json CYCLONEDX.json
"""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def main():
    spdx, cyclonedx = sys.argv[1:]
    document = parse_file(spdx)
    wrong = validate_full_spdx_document(document, "SPDX-2.3")
    for one in wrong:
        print("spdx: %s" % one.validation_message, file=sys.stderr)
    with open(cyclonedx, encoding="utf-8") as file:
        failure = JsonStrictValidator(SchemaVersion.V1_5).validate_str(file.read())
    if failure is not None:
        print("cyclonedx: %s" % failure, file=sys.stderr)
    packages = {package.name: package for package in document.packages}
    print(len(packages), "packages,", len(document.relationships), "relationships")
    return 1 if wrong or failure is not None else 0


if __name__ == "__main__":
    sys.exit(main())
