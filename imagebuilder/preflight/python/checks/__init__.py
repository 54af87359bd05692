# SPDX-License-Identifier: Apache-2.0
"""One check a file."""
