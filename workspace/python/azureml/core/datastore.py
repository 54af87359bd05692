# SPDX-License-Identifier: Apache-2.0
"""Not there: Datastore can be imported, and says what to do instead when it is used."""

from azureml.core._slipway.absent import absent

Datastore = absent(
    "Datastore", "training data stays where it is; register the model file with Model.register"
)
