# SPDX-License-Identifier: Apache-2.0
import json
import time
from azureml.core.model import Model
import onnxruntime as rt
import numpy as np

state = {}

def init():
    state["session"] = rt.InferenceSession(Model.get_model_path("m"))
    state["loaded"] = time.time()
    globals()["ready"] = True

def run(raw):
    session = state["session"]
    names = [i.name for i in session.get_inputs()]
    payload = json.loads(raw)
    feeds = {name: np.asarray(payload[name]).astype(np.float32) for name in names}
    out = session.run(None, feeds)
    return {o.name: v.tolist() for o, v in zip(session.get_outputs(), out)}
