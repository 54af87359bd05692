# SPDX-License-Identifier: Apache-2.0
"""The exception that notebooks catch when a compute target is not there yet."""

from azureml.exceptions import ComputeTargetException

__all__ = ["ComputeTargetException"]
