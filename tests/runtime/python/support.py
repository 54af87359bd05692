# SPDX-License-Identifier: Apache-2.0
"""What the test programs of this folder share."""

import sys


def skip_without(*modules):
    """Ends the program as skipped where a module is missing."""
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            if module == "onnxruntime" and "numpy" not in str(error):
                raise
            print("skipped: python3 has no %s (apt-get install python3-%s)" % (module, module))
            sys.exit(77)


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
