# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a scoring script or with a request to it."""


class ScriptError(Exception):
    """The script cannot serve. `cause` is a stable dotted name, `fix` says what to do."""

    def __init__(self, cause: str, message: str, fix: str = ""):
        super().__init__(message)
        self.cause = cause
        self.fix = fix


class BadRequest(Exception):
    """The request cannot be given to run(); answered with `status` and {"message": text}."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def one_line(error: BaseException) -> str:
    """The error's type and its message in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return "%s: %s" % (name, text[:500]) if text else name
