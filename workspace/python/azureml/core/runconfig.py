# SPDX-License-Identifier: Apache-2.0
"""Not there: RunConfiguration can be imported, and says what to do instead when it is used."""

from azureml.core._slipway.absent import absent

RunConfiguration = absent(
    "RunConfiguration", "run the training script yourself, and register what it made"
)
