# SPDX-License-Identifier: Apache-2.0
"""Classes of the v1 surface that are not there: they can be imported, and refuse to be used."""

from __future__ import annotations

from azureml.exceptions import NotAvailableException


class _Refusing(type):
    def __call__(cls, *_, **__):
        raise NotAvailableException(cls._why)

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotAvailableException(cls._why)


def absent(name: str, instead: str):
    """A class of this name that raises NotAvailableException when used, naming `instead`."""
    why = f"{name} is not there on a Slipway workspace: {instead}"
    return _Refusing(name, (), {"_why": why, "__doc__": why})


def refuse(what: str, instead: str) -> NotAvailableException:
    """The exception to raise for a single call."""
    return NotAvailableException(f"{what} is not there on a Slipway workspace: {instead}")
