# SPDX-License-Identifier: Apache-2.0
"""Newer scripts import from here what lets run() see the whole HTTP request."""
from slipway_worker.raw import rawhttp
from slipway_worker.request import HTTPRequest as AMLRequest

__all__ = ["AMLRequest", "rawhttp"]
