# SPDX-License-Identifier: Apache-2.0
"""Keeps inputs and predictions of a script as CSV files, a file a day.

<folder>/<subscription>/<resource group>/<workspace>/<service>/<model>/<version>/<identifier>/
<yyyy>/<mm>/<dd>/data.csv, where the folder is SLIPWAY_MODEL_DATA_DIR or else /modeldata. Nothing is
written unless AML_MODEL_DC_STORAGE_ENABLED says true. What cannot be written is said in the log
and costs no answer.
"""
import csv
import datetime
import fcntl
import os
import re
import sys
import uuid
from typing import Any, List, Optional, Sequence

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def _part(text: Any) -> str:
    """A value as one segment of a path."""
    part = _UNSAFE.sub("_", str(text)).strip(".")
    return part[:100] or "default"


def _rows(data: Any) -> List[List[Any]]:
    """An array, data frame, list of rows, row or value as rows."""
    if hasattr(data, "values") and not callable(data.values):
        data = data.values
    if hasattr(data, "tolist"):
        data = data.tolist()
    if not isinstance(data, (list, tuple)):
        return [[data]]
    if not any(isinstance(row, (list, tuple)) for row in data):
        return [list(data)]
    return [list(row) if isinstance(row, (list, tuple)) else [row] for row in data]


class ModelDataCollector:
    """Collects what belongs to one identifier (such as "inputs") of one model."""

    def __init__(self, model_name: str, designation: Optional[str] = None,
                 feature_names: Optional[Sequence[str]] = None, workspace: Optional[str] = None,
                 webservice_name: Optional[str] = None, model_version: Optional[str] = None,
                 identifier: Optional[str] = None, **_: Any):
        environment = os.environ.get
        self.enabled = environment("AML_MODEL_DC_STORAGE_ENABLED", "").lower() == "true"
        self.feature_names = list(feature_names or [])
        self._folder = os.path.join(
            environment("SLIPWAY_MODEL_DATA_DIR") or "/modeldata",
            *(_part(value or "default") for value in (
                environment("SUBSCRIPTION_ID"), environment("RESOURCE_GROUP"),
                workspace or environment("WORKSPACE_NAME"),
                webservice_name or environment("SERVICE_NAME"), model_name, model_version or "1",
                designation or identifier)))

    def collect(self, input_data: Any, user_correlation_id: str = "") -> bool:
        """Adds rows to today's file; whether they were written."""
        if not self.enabled:
            return False
        now = datetime.datetime.now(datetime.timezone.utc)
        folder = os.path.join(self._folder, now.strftime("%Y"), now.strftime("%m"),
                              now.strftime("%d"))
        try:
            self._append(folder, now, str(user_correlation_id), _rows(input_data))
        except (OSError, ValueError) as error:
            print("model data is not kept: %s" % error, file=sys.stderr)
            return False
        return True

    def _append(self, folder: str, now: datetime.datetime, correlation: str,
                rows: List[List[Any]]) -> None:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "data.csv"), "a", newline="", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            writer = csv.writer(file)
            if os.fstat(file.fileno()).st_size == 0:
                width = max([len(row) for row in rows] + [len(self.feature_names)])
                names = self.feature_names + [
                    "feature_%d" % i for i in range(len(self.feature_names), width)]
                writer.writerow(["$Timestamp", "$CorrelationId", "$RequestId"] + names)
            request = uuid.uuid4()
            for row in rows:
                writer.writerow([now.isoformat(), correlation, request] + row)
