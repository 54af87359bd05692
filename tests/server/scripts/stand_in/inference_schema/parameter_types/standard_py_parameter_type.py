# SPDX-License-Identifier: Apache-2.0
"""A type that is told by a sample."""


class StandardPythonParameterType:
    def __init__(self, sample):
        self.schema = {"type": type(sample).__name__, "example": sample}
