# SPDX-License-Identifier: Apache-2.0
"""What is known of decorated functions, by name."""
KNOWN = {}


def is_schema_decorated(function):
    return function.__name__ in KNOWN


def get_input_schema(function):
    return KNOWN.get(function.__name__, {}).get("input", {"type": "object"})


def get_output_schema(function):
    return KNOWN.get(function.__name__, {}).get("output", {"type": "object"})


def get_supported_versions(function):
    return ["2.0", "3.0", "3.1"]
