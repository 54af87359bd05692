# SPDX-License-Identifier: Apache-2.0
"""Runs a scoring script for slipway-serve: one process, one request at a time, over one socket."""
