# SPDX-License-Identifier: Apache-2.0
"""The model behind a class, made once."""
import json
import logging
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

import numpy as np
import onnxruntime
from azureml.core.model import Model

logger = logging.getLogger(__name__)


@dataclass
class Answer:
    label: int
    scores: List[float] = field(default_factory=list)

    def as_dict(self) -> Dict[str, Any]:
        return {"label": self.label, "scores": self.scores}


class Scorer:
    _instance: Optional["Scorer"] = None

    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path)
        self.input = self.session.get_inputs()[0]

    @classmethod
    def get(cls):
        if cls._instance is None:
            cls._instance = cls(Model.get_model_path("digits"))
        return cls._instance

    def score(self, rows):
        batch = np.asarray(rows, dtype=np.float32).reshape(-1, 1, 8, 8)
        outputs = self.session.run(None, {self.input.name: batch})
        probabilities = outputs[0]
        return [Answer(int(p.argmax()), p.tolist()).as_dict() for p in probabilities]


def init():
    Scorer.get()
    logger.info("ready")


def run(data):
    body = json.loads(data)
    rows = body["data"] if isinstance(body, dict) else body
    return {"answers": Scorer.get().score(rows)}
