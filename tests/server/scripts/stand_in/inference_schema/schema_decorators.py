# SPDX-License-Identifier: Apache-2.0
"""Decorators that write down what they are told."""
from . import schema_util


def input_schema(name, kind):
    def decorate(function):
        known = schema_util.KNOWN.setdefault(function.__name__, {})
        schema = known.setdefault("input", {"type": "object", "properties": {}})
        schema["properties"][name] = kind.schema
        return function
    return decorate


def output_schema(kind):
    def decorate(function):
        schema_util.KNOWN.setdefault(function.__name__, {})["output"] = kind.schema
        return function
    return decorate
