# SPDX-License-Identifier: Apache-2.0
import json
import os

import numpy as np
import onnxruntime as ort
import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

SESSION: ort.InferenceSession = None
SAMPLE = pd.DataFrame([{"sepal": 5.1, "petal": 1.4}])


def init():
    global SESSION
    SESSION = ort.InferenceSession(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "iris.onnx"))


@input_schema(param_name="data", param_type=PandasParameterType(SAMPLE))
@input_schema(param_name="scale", param_type=StandardPythonParameterType(1.0))
@output_schema(output_type=StandardPythonParameterType({"label": [0]}))
def run(data, scale=1.0):
    features = data.to_numpy().astype(np.float32) * scale
    label, scores = SESSION.run(None, {SESSION.get_inputs()[0].name: features.astype(np.float32)})
    return {"label": label.tolist(), "scores": scores.tolist()}
