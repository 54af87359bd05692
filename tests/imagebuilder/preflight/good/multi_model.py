# SPDX-License-Identifier: Apache-2.0
import json
import os
import joblib
import numpy as np
from azureml.core.model import Model

MODELS = {"setosa": "forest", "virginica": "boost"}


def init():
    global model_1, model_2
    # AZUREML_MODEL_DIR holds all models where there are several
    base = os.environ["AZUREML_MODEL_DIR"]
    model_1 = joblib.load(os.path.join(base, "forest", "1", "forest.pkl"))
    model_2 = joblib.load(Model.get_model_path("boost", version=2))
    for name in MODELS.values():
        print("have", Model.get_model_path(name))


def run(raw_data):
    try:
        data = json.loads(raw_data)["data"]
        data = np.array(data)
        result_1 = model_1.predict(data)
        result_2 = model_2.predict(data)
        return {"prediction1": result_1.tolist(), "prediction2": result_2.tolist()}
    except Exception as e:
        return str(e)
