# SPDX-License-Identifier: Apache-2.0
"""Tells what @rawhttp lets a script see."""
import json

from azureml.contrib.services.aml_request import rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    if request.args.get("do") == "raise":
        raise ValueError("x")
    if request.args.get("do") == "dict":
        return {"a": 1}
    told = {
        "method": request.method,
        "path": request.path,
        "url": request.url,
        "args": request.args.to_dict(flat=False),
        "bytes": list(request.get_data()),
        "data": list(request.data),
        "text": request.get_data(as_text=True),
        "content_type": request.content_type,
        "mimetype": request.mimetype,
        "length": request.content_length,
        "json": request.get_json(silent=True),
        "form": request.form.to_dict(flat=False),
        "files": {name: [file.filename, file.read().decode("latin-1")]
                  for name, file in request.files.items()},
        "cookies": dict(request.cookies),
        "header": request.headers.get("x-OWN"),
        "remote": request.remote_addr,
    }
    return AMLResponse(json.dumps(told), 200, {"Content-Type": "application/json"})
