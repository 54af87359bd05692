# SPDX-License-Identifier: Apache-2.0
"""One request to a service."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from azureml.core._slipway.connection import Answer, Http, is_loopback
from azureml.exceptions import ServiceException, UserErrorException, WebserviceException

# What the gateway of v1 waited.
_TIMEOUT_SECONDS = 1000.0


def score(service, input_data):
    """The answer as a value."""
    body = _body(input_data)
    if service.scoring_uri is None:
        service.update_deployment_state()
    if service.scoring_uri is None:
        raise WebserviceException(
            f'service "{service.name}" has no address: its state is {service.state}\n'
            "Fix: call wait_for_deployment() first; get_logs() tells more"
        )
    answer = _ask(service, body)
    if answer.status == 401 and service._key is not None:
        # The keys may have been changed by somebody else.
        service._key = None
        answer = _ask(service, body)
    if answer.status != 200:
        raise bad_answer(answer)
    try:
        return json.loads(answer.body.decode("utf-8"))
    except ValueError:
        raise bad_answer(answer) from None


def bad_answer(answer: Answer) -> WebserviceException:
    return WebserviceException(
        "Received bad response from service. More information can be found by calling "
        "`.get_logs()` on the webservice object.\n"
        f"Response Code: {answer.status}\n"
        f"Headers: {dict(answer.headers.items())}\n"
        f"Content: {answer.body!r}",
        status_code=answer.status,
    )


def _ask(service, body: bytes) -> Answer:
    headers = {"Content-Type": "application/json"}
    uri = service.scoring_uri
    here = service.workspace._connection.http.is_here()
    if is_loopback(uri) and not here:
        # That address means something on the workspace service's machine alone.
        return service.workspace._connection.post_bytes(service._path("/score"), body, headers)
    if service.auth_enabled:
        if service._key is None:
            service._key = service.get_keys()[0]
        headers["Authorization"] = f"Bearer {service._key}"
    parts = urlsplit(uri)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        return _server(service, f"{parts.scheme}://{parts.netloc}").send(
            "POST", target, headers, body
        )
    except ServiceException as error:
        raise WebserviceException(
            f'service "{service.name}" does not answer: {error}\n'
            "More information can be found using '.get_logs()'",
            error,
        ) from error


def _server(service, address: str) -> Http:
    """The connection is kept from one request to the next."""
    kept = getattr(service, "_http", None)
    if kept is None or kept.address != address:
        kept = service._http = Http(address, _TIMEOUT_SECONDS)
    return kept


def _body(input_data) -> bytes:
    if isinstance(input_data, (bytes, bytearray)):
        return bytes(input_data)
    if isinstance(input_data, str):
        return input_data.encode("utf-8")
    if isinstance(input_data, (dict, list)):
        return json.dumps(input_data).encode("utf-8")
    raise UserErrorException(f"input_data must be text or bytes, not {type(input_data).__name__}")
