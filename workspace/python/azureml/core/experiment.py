# SPDX-License-Identifier: Apache-2.0
"""Not there: Experiment can be imported, and says what to do instead when it is used."""

from azureml.core._slipway.absent import absent

Experiment = absent(
    "Experiment", "train where you like, and register the model file with Model.register"
)
