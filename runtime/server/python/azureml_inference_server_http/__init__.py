# SPDX-License-Identifier: Apache-2.0
"""Newer scripts import AMLRequest, AMLResponse and rawhttp from below this name."""
