# SPDX-License-Identifier: Apache-2.0
"""What scripts import to keep what they were asked and what they answered."""
from slipway_worker.collector import ModelDataCollector

__all__ = ["ModelDataCollector"]
