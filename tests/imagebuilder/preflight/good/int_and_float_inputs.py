# SPDX-License-Identifier: Apache-2.0
import json
import os
import numpy
import onnxruntime

def init():
    global s
    s = onnxruntime.InferenceSession(os.path.join(os.getenv('AZUREML_MODEL_DIR', '.'), 'bert.onnx'), providers=['CPUExecutionProvider'])

def run(text):
    doc = json.loads(text)
    ids = numpy.array(doc['ids'])
    mask = numpy.ones(ids.shape, dtype=numpy.int64)
    temperature = numpy.array([doc.get('temperature', 1.0)], numpy.float32)
    if ids.ndim == 1:
        ids = ids[None, :]
        mask = mask[None, :]
    logits, = s.run(['logits'], {'ids': ids.astype('int64'), 'mask': mask, 'temperature': temperature})
    best = logits.argmax(axis=-1)
    return json.dumps({'best': best.tolist(), 'score': float(logits.max())})
