# SPDX-License-Identifier: Apache-2.0
"""Where ONNX Runtime has its compiled part: exceptions and options under their usual paths."""
