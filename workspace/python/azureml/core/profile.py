# SPDX-License-Identifier: Apache-2.0
"""What a model needs to answer, measured on a service of its own."""

from __future__ import annotations

import math
import time
import uuid

from azureml.core._slipway.absent import refuse
from azureml.exceptions import UserErrorException, WebserviceException

_SECONDS = 5.0
_REQUESTS_MIN = 5
_MEMORY_STEP_GB = 0.1
_CORE_STEP = 0.1


class ModelProfile:
    """A measurement. It takes place in `wait_for_completion`, or when its results are asked for:
    the models are deployed as a process beside the workspace service, asked one request after
    another for a few seconds, and taken away."""

    def __init__(self, workspace, name, models, inference_config, input_data):
        self.workspace = workspace
        self.name = name
        self.state = "Running"
        self.error = None
        self._models = models
        self._inference_config = inference_config
        self._input_data = input_data
        self._details = None

    def wait_for_completion(self, show_output=False):
        """WebserviceException where the model does not answer."""
        if self._details is None:
            self._measure(show_output)
        if show_output:
            print(f"Model profiling operation {self.name} finished, state {self.state}")

    def get_details(self):
        """The recommendations and what they rest on."""
        self.wait_for_completion()
        return dict(self._details)

    def get_results(self):
        """What is recommended."""
        details = self.get_details()
        return {
            "cpu": details["recommendedCpu"],
            "memoryInGB": details["recommendedMemoryInGB"],
        }

    def serialize(self):
        return {"name": self.name, "state": self.state, **(self._details or {})}

    def _measure(self, show_output):
        from azureml.core.model import Model
        from azureml.core.webservice import LocalWebservice

        service = Model.deploy(
            self.workspace,
            f"profile-{uuid.uuid4().hex[:12]}",
            self._models,
            self._inference_config,
            LocalWebservice.deploy_configuration(),
        )
        try:
            service.wait_for_deployment(show_output)
            service.run(self._input_data)
            before = _usage(service)
            latencies = _latencies(service, self._input_data)
            self._details = _details(self.name, latencies, before, _usage(service))
            self.state = "Succeeded"
        except WebserviceException as error:
            self.state, self.error = "Failed", {"message": str(error)}
            raise
        finally:
            service.delete(delete_image=True)


def start_profile(workspace, name, models, inference_config, input_data, input_dataset):
    if input_dataset is not None:
        raise refuse("input_dataset", "pass one request as input_data")
    if input_data is None:
        raise UserErrorException("a profile needs one request as input_data")
    return ModelProfile(workspace, name, models, inference_config, input_data)


def _latencies(service, input_data) -> list[float]:
    """Milliseconds, sorted."""
    taken, begin = [], time.perf_counter()
    while len(taken) < _REQUESTS_MIN or time.perf_counter() - begin < _SECONDS:
        start = time.perf_counter()
        service.run(input_data)
        taken.append((time.perf_counter() - start) * 1000)
    return sorted(taken)


def _details(name: str, latencies: list[float], before: dict, after: dict) -> dict:
    """`before` and `after` are what the server had used; what it does not tell is not
    recommended."""
    count = len(latencies)
    p99 = latencies[min(count - 1, int(count * 0.99))]
    details = {
        "name": name,
        "state": "Succeeded",
        "requestedQueriesPerSecond": None,
        "totalQueries": count,
        "successQueriesPerSecond": count / (sum(latencies) / 1000),
        "averageLatencyInMs": sum(latencies) / count,
        "latencyPercentile50InMs": latencies[count // 2],
        "latencyPercentile99InMs": p99,
        "recommendedCpu": None,
        "recommendedMemoryInGB": None,
        "latencyInMsAtRecommendedCpu": p99,
        "latencyInMsAtRecommendedMemory": p99,
        "profileRunResult": [],
        "profilingErrorLogs": None,
    }
    memory = after.get("memory_bytes")
    if memory is not None:
        # A quarter more than was seen.
        steps = math.ceil(memory * 1.25 / (1 << 30) / _MEMORY_STEP_GB)
        details["recommendedMemoryInGB"] = round(steps * _MEMORY_STEP_GB, 1)
    if "cpu_seconds" in before and "cpu_seconds" in after:
        busy = (after["cpu_seconds"] - before["cpu_seconds"]) / (sum(latencies) / 1000)
        details["recommendedCpu"] = round(max(1, math.ceil(busy / _CORE_STEP)) * _CORE_STEP, 1)
    return details


def _usage(service) -> dict:
    """Of the scoring server, from its own metrics; what it does not tell is absent."""
    from urllib.parse import urlsplit

    from azureml.core._slipway.connection import Http
    from azureml.exceptions import ServiceException

    parts = urlsplit(service.scoring_uri)
    try:
        answer = Http(f"{parts.scheme}://{parts.netloc}").send("GET", "/metrics", {})
    except ServiceException:
        return {}
    names = {
        "process_resident_memory_bytes": "memory_bytes",
        "process_cpu_seconds_total": "cpu_seconds",
    }
    found = {}
    for line in answer.body.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(" ")
        if name in names:
            found[names[name]] = float(value)
    return found
