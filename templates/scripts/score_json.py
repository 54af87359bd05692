# SPDX-License-Identifier: Apache-2.0
"""Scores by the names of input and output; answers with JSON text, which the server quotes."""

import json

import numpy as np
import onnxruntime
from azureml.core.model import Model


def init():
    global sess
    model_path = Model.get_model_path(model_name="MyONNXmodel")
    sess = onnxruntime.InferenceSession(model_path)


def run(raw_data):
    try:
        data = json.loads(raw_data)["data"]
        data = np.array(data, dtype=np.float32)

        result = sess.run(["outY"], {"inX": data})

        return json.dumps({"result": result[0].tolist()})
    except Exception as e:
        result = str(e)
        return json.dumps({"error": result})
