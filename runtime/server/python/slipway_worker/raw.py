# SPDX-License-Identifier: Apache-2.0
"""The decorator of scripts that want the whole request."""
import functools
from typing import Any, Callable

_MARK = "__slipway_rawhttp__"


def rawhttp(function: Callable[..., Any]) -> Callable[..., Any]:
    """Lets run() be called with the request itself, for GET, POST, OPTIONS and HEAD alike."""

    @functools.wraps(function)
    def raw(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    setattr(raw, _MARK, True)
    return raw


def is_raw(function: Any) -> bool:
    """Whether the function was decorated with @rawhttp."""
    return getattr(function, _MARK, False) is True
