# SPDX-License-Identifier: Apache-2.0
import json
try:
    import cv2
except ImportError:
    cv2 = None
try:
    import ujson as fast_json
except ModuleNotFoundError:
    import json as fast_json
import numpy as np

def init():
    global threshold
    threshold = 0.5
    if cv2 is not None:
        cv2.setNumThreads(1)

def run(body):
    request = fast_json.loads(body)
    try:
        values = np.array(request["values"], dtype=float)
    except KeyError as missing:
        return {"error": "no field %s" % missing}
    above = values[values > threshold]
    return {"count": int(above.size), "mean": float(above.mean()) if above.size else None}
