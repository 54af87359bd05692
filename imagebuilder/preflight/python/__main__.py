# SPDX-License-Identifier: Apache-2.0
"""Checks a scoring script before an image is made of it.

    python3 <this folder> [REQUEST.json]        the request is read from standard input by default

The request is an object (findings.Request): `script` (a path), `models` [{name, version, inputs
[{name, type}], outputs}], `requirements` [names], `dependencies` [paths], `python_version`.
Prints a JSON list of findings {code, severity, line, column, message, fix}, by line; status 2 with
one line on standard error where the request itself is wrong. The script is read, never run.
"""

import importlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from findings import WARNING, Finding, Request  # noqa: E402
from flow import Flow, TooComplex  # noqa: E402
from script import Script, Unreadable  # noqa: E402


def checks():
    """Every checks/<name>.py defines check(script, flow, request), which gives findings."""
    folder = pathlib.Path(__file__).resolve().parent / "checks"
    return [
        importlib.import_module("checks." + path.stem).check
        for path in sorted(folder.glob("*.py"))
        if path.stem != "__init__"
    ]


def examine(request):
    """The findings of a request, by line and code."""
    try:
        script = Script(request.script, request.python)
    except Unreadable as error:
        return [error.finding]
    try:
        flow = Flow(script, request)
        found = [finding for check in checks() for finding in check(script, flow, request)]
    except (RecursionError, TooComplex):
        return [
            Finding(
                "TooComplex",
                WARNING,
                1,
                "the script is too large or too deeply nested to be checked",
                "nothing need be done where it is known to work",
            )
        ]
    return sorted(found, key=lambda f: (f.line, f.column, f.code))


def main(arguments):
    sys.setrecursionlimit(3000)
    try:
        if arguments:
            with open(arguments[0], "rb") as file:
                given = json.load(file)
        else:
            given = json.load(sys.stdin)
        request = Request(given)
        found = examine(request)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, (KeyError, TypeError, AttributeError)) and not isinstance(
            error, OSError
        ):
            error = "the request lacks or misuses %s" % error
        print("preflight: %s" % error, file=sys.stderr)
        return 2
    json.dump([finding.as_json() for finding in found], sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
