# SPDX-License-Identifier: Apache-2.0
import json
import numpy as np
import time
import uuid
from azureml.core.model import Model
from azureml.monitoring import ModelDataCollector
import onnxruntime

def init():
    global session, inputs_dc, prediction_dc
    session = onnxruntime.InferenceSession(Model.get_model_path(model_name="best_model"))
    inputs_dc = ModelDataCollector("best_model", designation="inputs", feature_names=["f1", "f2"])
    prediction_dc = ModelDataCollector("best_model", designation="predictions", feature_names=["prediction"])

def run(raw_data, request_headers):
    start = time.time()
    data = np.array(json.loads(raw_data)["data"], np.float32)
    [scores] = session.run(["score"], {"features": data})
    inputs_dc.collect(data)
    prediction_dc.collect(scores)
    info = {"input": raw_data, "request": request_headers.get("X-Ms-Request-Id", str(uuid.uuid4())), "ms": (time.time() - start) * 1000}
    print(json.dumps(info))
    return {"scores": scores.tolist()}
