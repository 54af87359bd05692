# SPDX-License-Identifier: Apache-2.0
"""Waiting for the long work of the workspace service, with the v1 client's signs of life."""

from __future__ import annotations

from azureml.core._slipway.connection import Connection, part, pauses

_ENDED = ("Succeeded", "Failed", "Cancelled")
_DOT_SECONDS = 1.0


class Progress:
    """Prints `Running`, then a dot now and then, then the end of the line."""

    def __init__(self, show: bool):
        self._show = show
        self._dots = 0
        if show:
            print("Running", end="", flush=True)

    def tick(self, seconds: float) -> None:
        if self._show and seconds >= self._dots * _DOT_SECONDS:
            self._dots += 1
            print(".", end="", flush=True)

    def end(self, state: str) -> None:
        if self._show:
            print(f"\n{state}", end="", flush=True)


def wait(connection: Connection, operation_id: str, progress=None, timeout=None) -> dict | None:
    """The operation once it has ended; None when `timeout` seconds have passed before."""
    for seconds in pauses():
        operation = connection.get(f"/operations/{part(operation_id)}")
        if operation["state"] in _ENDED:
            return operation
        if progress is not None:
            progress.tick(seconds)
        if timeout is not None and seconds >= timeout:
            return None
