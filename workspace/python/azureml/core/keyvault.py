# SPDX-License-Identifier: Apache-2.0
"""Not there: Keyvault can be imported, and says what to do instead when it is used."""

from azureml.core._slipway.absent import absent

Keyvault = absent("Keyvault", "keep secrets in the environment of the process that needs them")
