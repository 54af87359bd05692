# SPDX-License-Identifier: Apache-2.0
"""pip on a Python that may be newer than it.

usage: pip_start.py ARGUMENT...              as `python -m pip ARGUMENT...`
       pip_start.py PROGRAM.py ARGUMENT...   a program that uses pip

Debian's pip asks for things that later Pythons have no more: `pkgutil.ImpImporter`, which it names
and never uses (gone in 3.12), and distributions without `locate_file`, which it never calls
(abstract since 3.15). Source: docs.python.org, "What's New In Python 3.12", `importlib.metadata`.
"""

import abc
import pkgutil
import runpy
import sys
import warnings


def mend():
    """Gives pip what it looks for, and keeps back what a later Python thinks of its style."""
    warnings.simplefilter("ignore", SyntaxWarning)
    if not hasattr(pkgutil, "ImpImporter"):
        pkgutil.ImpImporter = type("ImpImporter", (), {})
    if sys.version_info < (3, 15):
        return
    from pip._internal.metadata.importlib import _dists

    found = getattr(_dists, "WheelDistribution", None)
    if found is not None and "locate_file" in found.__abstractmethods__:

        def locate_file(self, path):
            raise NotImplementedError("a wheel that is not installed has no files")

        found.locate_file = locate_file
        abc.update_abstractmethods(found)


def main():
    mend()
    if len(sys.argv) > 1 and sys.argv[1].endswith(".py"):
        sys.argv = sys.argv[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
