# SPDX-License-Identifier: Apache-2.0
"""Runs are not there; a script that asks for its run gets one that only prints."""

from __future__ import annotations

from azureml.core._slipway.absent import refuse
from azureml.exceptions import RunEnvironmentException

_INSTEAD = "run the training script yourself, and register what it made with Model.register"


class Run:
    """Made by `Run.get_context()` alone: what a training script logs is printed."""

    id = "OfflineRun_slipway"

    def __init__(self, *_, **__):
        raise refuse("Run", _INSTEAD)

    @classmethod
    def get_context(cls, allow_offline=True, **_):
        """A run that belongs to no experiment, as v1 gave outside submitted runs."""
        if not allow_offline:
            raise RunEnvironmentException("this script does not run inside a submitted run")
        return object.__new__(cls)

    def log(self, name, value, description="", **_):
        """Prints the value, as an offline run does."""
        print(f"Attempted to log scalar metric {name}:\n{value}")

    def log_list(self, name, value, description="", **_):
        print(f"Attempted to log list metric {name}:\n{value}")

    def complete(self, *_, **__):
        """There is nothing to end."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise refuse(f"Run.{name}", _INSTEAD)
