# SPDX-License-Identifier: Apache-2.0
"""What is accepted and ignored says so once; what is not there says what to do instead."""

from __future__ import annotations

import sys
import threading
import warnings


class SlipwayNotice(UserWarning):
    """Something was accepted that has no effect on a Slipway workspace."""


_lock = threading.Lock()
_said: set[str] = set()


def say_once(text: str) -> None:
    """Warns of `text` the first time it is said in this process."""
    with _lock:
        if text in _said:
            return
        _said.add(text)
    warnings.warn(text, SlipwayNotice, stacklevel=_caller_depth())


def ignored(function: str, why: str = "it has no meaning on a Slipway workspace", **arguments):
    """Says of every argument that is neither None nor False that it is ignored."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            say_once(f"{function}: {name} is accepted and ignored: {why}")


def further(function, arguments: dict) -> None:
    """Of arguments that `function` does not have: TypeError where one looks misspelt, else says
    that it is ignored. Later versions of the original have some that this has not."""
    if not arguments:
        return
    import difflib
    import inspect

    known = [name for name in inspect.signature(function).parameters if name != "further"]
    for name in arguments:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            raise TypeError(
                f"{function.__qualname__}() has no argument {name!r}; did you mean {near[0]!r}?"
            )
        say_once(f"{function.__qualname__}: {name} is not known here, accepted and ignored")


def _caller_depth() -> int:
    """How far up the first frame outside this package is, for the line a warning names."""
    depth, frame = 2, sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("azureml."):
        depth, frame = depth + 1, frame.f_back
    return depth
