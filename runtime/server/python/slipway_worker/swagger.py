# SPDX-License-Identifier: Apache-2.0
"""What /swagger.json says of a script, in Swagger 2.0, OpenAPI 3.0 and 3.1."""
import json
import os
import sys
from typing import Any, Callable, Dict

VERSIONS = ("2", "3", "3.1")
_FILES = {"2": "swagger2.json", "3": "swagger3.json", "3.1": "swagger3.1.json"}
_NUMBERS = {"3": "3.0.3", "3.1": "3.1.0"}

_FAILED = "The service failed to execute due to an error."
_SCORED = "The input was taken, and this is what the script returned for it."
_ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}
_BEARER = {"type": "apiKey", "name": "Authorization", "in": "header",
           "description": "For example: Bearer abc123"}


def documents(run: Callable[..., Any], decorated: bool, app_root: str) -> Dict[str, str]:
    """JSON texts by version: a file of the app root, else made from the script's decorators."""
    found = {}
    for version in VERSIONS:
        path = os.path.join(app_root, _FILES[version])
        try:
            with open(path, encoding="utf-8") as file:
                found[version] = json.dumps(json.load(file))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            print("%s is left out: %s" % (path, error), file=sys.stderr)
    if decorated:
        made = _made(run)
        found = {**made, **found}
    return found


def _made(run: Callable[..., Any]) -> Dict[str, str]:
    util: Any = sys.modules["inference_schema.schema_util"]
    schemas = {"ServiceInput": util.get_input_schema(run),
               "ServiceOutput": util.get_output_schema(run), "ErrorResponse": _ERROR}
    supported = [str(version)[:1] for version in util.get_supported_versions(run)] or ["2", "3"]
    made = {}
    for version in VERSIONS:
        if version[0] not in supported:
            continue
        document = _swagger(schemas) if version == "2" else _openapi(schemas, _NUMBERS[version])
        try:
            made[version] = json.dumps(document)
        except (TypeError, ValueError) as error:
            print("the script's schema cannot be described: %s" % error, file=sys.stderr)
    return made


def _info() -> Dict[str, str]:
    name = os.environ.get("SERVICE_NAME") or "ML service"
    return {"title": name,
            "description": "API specification for the service " + name,
            "version": os.environ.get("SERVICE_VERSION") or "1.0"}


def _prefix() -> str:
    prefix = os.environ.get("SERVICE_PATH_PREFIX", "").strip("/")
    return "/" + prefix if prefix else ""


def _swagger(schemas: Dict[str, Any]) -> Dict[str, Any]:
    def ref(name: str) -> Dict[str, str]:
        return {"$ref": "#/definitions/" + name}

    def responses(text: str, schema: Dict[str, Any]) -> Dict[str, Any]:
        return {"200": {"description": text, "schema": schema},
                "default": {"description": _FAILED, "schema": ref("ErrorResponse")}}

    prefix = _prefix()
    text = {"type": "string"}
    return {
        "swagger": "2.0", "info": _info(), "schemes": ["http", "https"],
        "consumes": ["application/json"], "produces": ["application/json"],
        "securityDefinitions": {"Bearer": _BEARER},
        "paths": {
            prefix + "/": {"get": {
                "operationId": "ServiceHealthCheck",
                "description": "Whether the service is alive.",
                "responses": responses("It is: 'Healthy'.", text)}},
            prefix + "/score": {"post": {
                "operationId": "RunMLService",
                "description": "Scores the input with the service's script.",
                "security": [{"Bearer": []}],
                "parameters": [{"name": "serviceInputPayload", "in": "body",
                                "description": "What the script is to score.",
                                "schema": ref("ServiceInput")}],
                "responses": responses(_SCORED, ref("ServiceOutput"))}},
            prefix + "/swagger.json": {"get": {
                "operationId": "GetSwaggerSpec", "description": "This description.",
                "parameters": [{"name": "version", "in": "query", "required": False,
                                "type": "string", "enum": list(VERSIONS)}],
                "responses": responses("The description.", {"type": "object"})}}},
        "definitions": schemas}


def _openapi(schemas: Dict[str, Any], number: str) -> Dict[str, Any]:
    def ref(name: str) -> Dict[str, str]:
        return {"$ref": "#/components/schemas/" + name}

    def body(schema: Dict[str, Any], kind: str = "application/json") -> Dict[str, Any]:
        return {"content": {kind: {"schema": schema}}}

    def responses(text: str, content: Dict[str, Any]) -> Dict[str, Any]:
        return {"200": {"description": text, **content},
                "default": {"description": _FAILED, **body(ref("ErrorResponse"))}}

    prefix = _prefix()
    return {
        "openapi": number, "info": _info(), "security": [{"Bearer": []}],
        "paths": {
            prefix + "/": {"get": {
                "operationId": "ServiceHealthCheck",
                "description": "Whether the service is alive.", "security": [],
                "responses": responses("It is: 'Healthy'.", body({"type": "string"},
                                                                 "text/plain"))}},
            prefix + "/score": {"post": {
                "operationId": "RunMLService",
                "description": "Scores the input with the service's script.",
                "requestBody": {"description": "What the script is to score.",
                                **body(ref("ServiceInput"))},
                "responses": responses(_SCORED, body(ref("ServiceOutput")))}},
            prefix + "/swagger.json": {"get": {
                "operationId": "GetSwaggerSpec", "description": "This description.",
                "parameters": [{"name": "version", "in": "query", "required": False,
                                "schema": {"type": "string", "enum": list(VERSIONS)}}],
                "responses": responses("The description.", body({"type": "object"}))}}},
        "components": {"schemas": schemas, "securitySchemes": {"Bearer": _BEARER}}}
