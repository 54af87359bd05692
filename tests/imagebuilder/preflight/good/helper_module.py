# SPDX-License-Identifier: Apache-2.0
import json
import sys
import os

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

import preprocessing
from postprocess.labels import LABELS, to_label
from .config import settings
import onnxruntime as rt
from azureml.core.model import Model

sess = None


def init():
    global sess
    options = rt.SessionOptions()
    options.graph_optimization_level = rt.GraphOptimizationLevel.ORT_ENABLE_ALL
    sess = rt.InferenceSession(Model.get_model_path('faces'), options)


def run(data):
    image = preprocessing.from_json(data)
    result = sess.run(None, {sess.get_inputs()[0].name: image})
    boxes, scores = result[0], result[1]
    return {"labels": [to_label(s, LABELS) for s in scores], "boxes": boxes.tolist()}
