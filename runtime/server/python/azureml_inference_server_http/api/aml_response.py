# SPDX-License-Identifier: Apache-2.0
"""Newer scripts import from here what lets run() choose status and headers."""
from slipway_worker.response import AMLResponse

__all__ = ["AMLResponse"]
