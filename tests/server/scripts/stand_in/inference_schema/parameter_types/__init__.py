# SPDX-License-Identifier: Apache-2.0
"""Stands in for PyPI's inference-schema where that is not installed: the names scripts use."""
