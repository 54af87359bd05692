#!/usr/bin/env python
# -*- coding: latin-1 -*-
import argparse
import json
import sys

from azureml.core.model import Model
import lightgbm as lgb
import pandas as pd

COLUMNS = ["price", "größe"]


def init(path=None):
    global booster
    booster = lgb.Booster(model_file=path or Model.get_model_path("prices"))


def run(data):
    frame = pd.DataFrame(json.loads(data), columns=COLUMNS)
    return list(map(float, booster.predict(frame)))


if __name__ == "__main__":
    import requests
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="model.txt")
    arguments = parser.parse_args()
    init(arguments.model)
    print(run(input("rows as JSON: ")))
    sys.exit(0)
