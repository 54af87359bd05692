# SPDX-License-Identifier: Apache-2.0
import json
import numpy as np
import onnxruntime as rt
from azureml.core import Model

def init():
    global sess
    sess = rt.InferenceSession(Model.get_model_path('iris'))

def run(data):
    x = np.array(json.loads(data)['data'], dtype=np.float32)
    labels, probabilities = sess.run(None, {'X': x})
    # ZipMap gives a list of dicts
    return {'labels': labels.tolist(), 'probabilities': probabilities, 'first': probabilities[0]}
