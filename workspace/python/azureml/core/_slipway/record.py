# SPDX-License-Identifier: Apache-2.0
"""What models, images and services have in common: they are named, labelled and dated."""

from __future__ import annotations


class Recorded:
    """Reads `_record`, the object as the workspace told of it last."""

    _record: dict

    @property
    def name(self):
        return self._record["name"]

    @property
    def description(self):
        return self._record.get("description") or None

    @property
    def tags(self):
        return dict(self._record.get("kv_tags") or {})

    @property
    def properties(self):
        return dict(self._record.get("properties") or {})

    @property
    def created_time(self):
        from azureml.core._slipway.text import plain_time

        return plain_time(self._record.get("created_time"))


class Versioned(Recorded):
    """One version of a name."""

    @property
    def id(self):
        return self._record["id"]

    @property
    def version(self):
        return self._record["version"]
