# SPDX-License-Identifier: Apache-2.0
"""How the v1 names reach a Slipway workspace. Not for callers of the package.

`settings` finds the workspace, `connection` talks HTTP, `operations` waits, `files` moves files,
`deployments` turns deployment configurations into requests; `text` holds small conversions.
"""
