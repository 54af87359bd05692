# SPDX-License-Identifier: Apache-2.0
"""Where a base image comes from."""


class ContainerRegistry:
    """A registry by its `address`. Logging in to it is the workspace service's business."""

    def __init__(self, address=None, username=None, password=None):
        self.address = address
        self.username = username
        self.password = password
