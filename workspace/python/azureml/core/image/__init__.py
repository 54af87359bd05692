# SPDX-License-Identifier: Apache-2.0
"""Images: models with a scoring script and what it needs, ready to run."""

from azureml.core.image.container import ContainerImage, ContainerImageConfig
from azureml.core.image.image import Image

__all__ = ["ContainerImage", "ContainerImageConfig", "Image"]
