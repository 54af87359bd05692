# SPDX-License-Identifier: Apache-2.0
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from PIL import Image
import io
import json


def init():
    print("This is init()")


@rawhttp
def run(request):
    print("This is run()")

    if request.method == 'GET':
        # For this example, just return the URL for GETs.
        respBody = str.encode(request.full_path)
        return AMLResponse(respBody, 200)
    elif request.method == 'POST':
        file_bytes = request.files["image"]
        image = Image.open(file_bytes).convert('RGB')
        buffer = io.BytesIO()
        image.save(buffer, format='PNG')
        resp = AMLResponse(buffer.getvalue(), 200)
        resp.headers["Access-Control-Allow-Origin"] = "*"
        return resp
    else:
        return AMLResponse("bad request", 500)
