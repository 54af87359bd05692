# SPDX-License-Identifier: Apache-2.0
"""What a model was measured to need."""


class ResourceConfiguration:
    """Cores, gigabytes and GPUs."""

    def __init__(self, cpu=None, memory_in_gb=None, gpu=None):
        self.cpu = cpu
        self.memory_in_gb = memory_in_gb
        self.gpu = gpu

    def serialize(self):
        return {"cpu": self.cpu, "memoryInGB": self.memory_in_gb, "gpu": self.gpu}
