# SPDX-License-Identifier: Apache-2.0
import functools
import json
import threading

import numpy as np
import onnxruntime
from azureml.core.model import Model

_lock = threading.Lock()
_session = None


@functools.lru_cache(maxsize=None)
def other(name):
    return onnxruntime.InferenceSession(Model.get_model_path(name))


def session():
    global _session
    with _lock:
        if _session is None:
            _session = onnxruntime.InferenceSession(Model.get_model_path("tiny"))
    return _session


def init():
    pass


def run(data, request_headers=None):
    parsed = json.loads(data)
    x = np.atleast_2d(np.float32(parsed["x"]))
    first = session().run(None, {"x": x})[0]
    second = other("tiny").run(["y"], {"x": first})
    if not isinstance(second, list):
        raise TypeError("no list")
    best = max(((float(v), i) for i, v in enumerate(second[0].ravel())), default=(0.0, -1))
    while (n := len(parsed)) > 10:
        parsed.popitem()
    return {"best": best[1], "n": n, "values": [round(float(v), 4) for v in second[0].ravel()]}
