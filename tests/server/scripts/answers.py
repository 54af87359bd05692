# SPDX-License-Identifier: Apache-2.0
"""Does what the request says: {"do": NAME, ...}; anything else is returned as it came."""
import json
import os
import sys

from azureml.contrib.services.aml_response import AMLResponse


class Flaskish:
    """What Flask's Response looks like from outside."""

    status_code = 202
    headers = {"Content-Type": "text/plain", "X-Flask": "yes"}

    def get_data(self):
        return b"flask"


def init():
    print("init says hello")


def returned(what, request_headers):
    values = {
        "none": None,
        "text": "h\u00e9 \"quoted\"",
        "dumped": json.dumps({"a": 1}),
        "list": [1, 2.5, None, True],
        "dict": {"a": [1]},
        "nan": float("nan"),
        "bytes": b"abc",
        "set": {1},
        "tuple": ("a", 201),
        "headers": request_headers,
        "aml_text": AMLResponse("text", 418),
        "aml_bytes": AMLResponse(b"\x00\xff", 200, {"Content-Type": "image/png"}),
        "aml_json": AMLResponse({"a": 1}, 201, {"X-Own": "b"}, json_str=True),
        "flask": Flaskish(),
        "pid": os.getpid(),
        "folders": {"cwd": os.getcwd(), "path": sys.path[:2]},
    }
    return values[what]


def status_of(what):
    if what == "no_status":
        return AMLResponse("x", 99)
    return AMLResponse("x", 200, {"X-Break": "a\r\nSet-Cookie: b"})


def run(data, request_headers):
    try:
        order = json.loads(data)
    except ValueError:
        return data
    if not isinstance(order, dict) or "do" not in order:
        return order
    what = order["do"]
    if what == "raise":
        raise ValueError("the reason is in the log")
    if what == "exit":
        sys.exit(4)
    if what == "numpy":
        import numpy
        return numpy.zeros(2)
    if what == "environment":
        return {name: os.environ.get(name) for name in order["names"]}
    if what in ("no_status", "broken_header"):
        return status_of(what)
    return returned(what, request_headers)
