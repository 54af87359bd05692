# SPDX-License-Identifier: Apache-2.0
"""HTTP to the workspace service and to what it deploys: TLS, kept-alive connections, sockets."""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import socket
import threading
import time
import uuid
from urllib.parse import quote, urlencode, urlsplit

from azureml.exceptions import AuthenticationException, ServiceException, WebserviceException

_TIMEOUT_SECONDS = 120.0
_BLOCK_BYTES = 1 << 20
_ERROR_CHARS = 2000


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout, blocksize=_BLOCK_BYTES)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    """What a server said: `status`, `headers` (a case-insensitive mapping), `body` (bytes)."""

    def __init__(self, status: int, headers, body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        """The body as a value. ServiceException where it is no JSON."""
        try:
            return json.loads(self.body.decode("utf-8"))
        except ValueError as error:
            raise ServiceException(
                f"the service answered {self.status} with something that is no JSON: "
                f"{self.body[:200]!r}",
                error,
            ) from error


class Http:
    """One server. Keeps a connection for each thread. A request that may be sent twice is, where
    the kept connection turns out to be gone."""

    def __init__(self, address: str, timeout: float = _TIMEOUT_SECONDS):
        self.address = normal_address(address)
        self._timeout = timeout
        self._kept = threading.local()

    def __del__(self):
        kept = getattr(getattr(self, "_kept", None), "connection", None)
        if kept is not None:
            kept.close()

    def is_here(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.address)

    def send(self, method: str, path: str, headers: dict, body=None, sink=None) -> Answer:
        """`body` is bytes or a file with its Content-Length in `headers`; with `sink`, a 200 goes
        to that file instead of the answer. ServiceException where no answer can be had."""
        twice = method != "POST" or "Idempotency-Key" in headers
        while True:
            kept = self._connection()
            if kept.sock is not None and _is_closed(kept.sock):
                kept.close()
            fresh = kept.sock is None
            try:
                return self._exchange(kept, method, path, headers, body, sink)
            except socket.timeout as error:
                kept.close()
                raise self._failure("did not answer in time", error) from error
            except (OSError, http.client.HTTPException) as error:
                kept.close()
                if fresh or not twice or sink is not None:
                    why = f"cannot be reached: {error or type(error).__name__}"
                    raise self._failure(why, error) from error
                if hasattr(body, "seek"):
                    body.seek(0)

    def _exchange(self, kept, method, path, headers, body, sink) -> Answer:
        try:
            kept.request(method, path, body=body, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # The server may have answered before it had read everything.
            if kept.sock is None or body is None:
                raise
        response = kept.getresponse()
        if sink is not None and response.status == 200:
            shutil.copyfileobj(response, sink, _BLOCK_BYTES)
            content = b""
        else:
            content = response.read()
        if response.will_close:
            kept.close()
        return Answer(response.status, response.headers, content)

    def _connection(self):
        kept = getattr(self._kept, "connection", None)
        if kept is not None and self._kept.process == os.getpid():
            return kept
        self._kept.connection = self._open()
        self._kept.process = os.getpid()
        return self._kept.connection

    def _open(self):
        if self.address.startswith("unix:"):
            return _UnixConnection(self.address[len("unix:") :], self._timeout)
        parts = urlsplit(self.address)
        options = {"timeout": self._timeout, "blocksize": _BLOCK_BYTES}
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, **options)
        return http.client.HTTPConnection(parts.hostname, parts.port, **options)

    def _failure(self, why: str, error: Exception) -> ServiceException:
        return ServiceException(f"the service at {self.address} {why}", error)


class Connection:
    """The workspace service, with the caller's token. Thread-safe."""

    def __init__(self, endpoint: str, token: str):
        self.http = Http(endpoint)
        self.endpoint = self.http.address
        self._token = token

    def get(self, path: str, query: list | dict | None = None):
        """The JSON at `path` below the API's base."""
        return self._json("GET", path, query)

    def post(self, path: str, body: dict):
        return self._json("POST", path, None, body)

    def patch(self, path: str, body: dict):
        return self._json("PATCH", path, None, body)

    def delete(self, path: str):
        """Gives the operation where deleting is one, else None."""
        answer = self._checked("DELETE", path)
        return answer.json() if answer.body else None

    def text(self, path: str, query: dict | None = None) -> str:
        return self._checked("GET", path, query).body.decode("utf-8", "replace")

    def pages(self, path: str, query: list | None = None, limit: int | None = None):
        """The items of a list, page after page, at most `limit` of them."""
        query = list(query or [])
        following, left = None, limit
        while True:
            page = self.get(path, query + ([("next", following)] if following else []))
            for item in page["items"]:
                if left == 0:
                    return
                yield item
                left = None if left is None else left - 1
            following = page.get("next")
            if not following:
                return

    def has(self, path: str) -> bool:
        answer = self._send("HEAD", path)
        if answer.status not in (200, 404):
            self._raise(answer)
        return answer.status == 200

    def put_file(self, path: str, file: str, size: int) -> None:
        """Stores a file, streamed."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with open(file, "rb") as source:
            answer = self._send("PUT", path, None, headers, source)
        if answer.status >= 300:
            self._raise(answer)

    def get_file(self, path: str, query: dict | None, sink) -> None:
        """Writes what is at `path` to the open file `sink`."""
        answer = self._send("GET", path, query, sink=sink)
        if answer.status != 200:
            self._raise(answer)

    def post_bytes(self, path: str, body: bytes, headers: dict) -> Answer:
        """Sends bytes as they are and gives the answer whatever it is."""
        return self._send("POST", path, None, headers, body)

    def url(self, path: str) -> str:
        return f"{self.endpoint}/api/v1{path}"

    def _json(self, method, path, query=None, body=None):
        headers, data = {}, None
        if body is not None:
            data = json.dumps(body).encode("utf-8")
            headers["Content-Type"] = "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        return self._checked(method, path, query, headers, data).json()

    def _checked(self, method, path, query=None, headers=None, body=None) -> Answer:
        answer = self._send(method, path, query, headers, body)
        if answer.status >= 300:
            self._raise(answer)
        return answer

    def _send(self, method, path, query=None, headers=None, body=None, sink=None) -> Answer:
        target = "/api/v1" + path
        if query:
            target += "?" + urlencode(query)
        sent = {"Accept": "application/json", **(headers or {})}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        return self.http.send(method, target, sent, body, sink)

    def _raise(self, answer: Answer):
        try:
            problem = answer.json()
        except ServiceException:
            problem = None
        if not isinstance(problem, dict):
            problem = {}
        shown = answer.body[:_ERROR_CHARS].decode("utf-8", "replace").strip()
        detail = str(problem.get("detail") or shown or f"HTTP status {answer.status}")
        code, fix = str(problem.get("code") or ""), str(problem.get("fix") or "")
        text = explain(detail, code, fix, str(problem.get("cause") or ""))
        if answer.status in (401, 403):
            raise AuthenticationException(text)
        raise WebserviceException(text, status_code=answer.status, code=code, fix=fix)


def _is_closed(sock) -> bool:
    """Whether the other side has ended a connection that has nothing under way."""
    try:
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def explain(detail: str, code: str = "", fix: str = "", cause: str = "") -> str:
    """The lines of an error: what and why, its code, what to do."""
    lines = [detail]
    codes = ", ".join(text for text in (code, cause) if text)
    if codes:
        lines.append(f"Code: {codes}")
    if fix:
        lines.append(f"Fix: {fix}")
    return "\n".join(lines)


def normal_address(address: str) -> str:
    """`127.0.0.1:4711`, `unix:/path` or a URL, as a URL without a closing slash."""
    if address.startswith("unix:"):
        return address
    full = address if "://" in address else "http://" + address
    parts = urlsplit(full)
    try:
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ServiceException(f'"{address}" is no address of a service (http://HOST:PORT)')
    return full.rstrip("/")


def is_loopback(address: str) -> bool:
    """Whether an address leads to this machine."""
    if address.startswith("unix:"):
        return True
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def part(text) -> str:
    """Text as one segment of a path."""
    return quote(str(text), safe="")


def pauses(first: float = 0.02, longest: float = 1.0):
    """Sleeps between looks at something: short at first, then longer. Yields the seconds since."""
    begin, pause = time.monotonic(), first
    while True:
        yield time.monotonic() - begin
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
