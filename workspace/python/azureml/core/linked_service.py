# SPDX-License-Identifier: Apache-2.0
"""Not there: LinkedService can be imported, and says what to do instead when it is used."""

from azureml.core._slipway.absent import absent

LinkedService = absent("LinkedService", "there is nothing to link")
