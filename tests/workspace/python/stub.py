# SPDX-License-Identifier: Apache-2.0
"""A workspace service in this process: the routes that the client uses, with everything in memory.

It refuses what the real one refuses: unknown fields, blobs that were not sent, missing names.
`fail_next` injects faults; `requests` records what came.
"""

import hashlib
import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

TIME = "2026-01-02T03:04:05Z"
_FILE = {"path", "digest", "size"}
_FIELDS = {
    "workspaces": {
        "name",
        "location",
        "subscription_id",
        "resource_group",
        "description",
        "tags",
        "exist_ok",
    },
    "models": {
        "name",
        "files",
        "main_file",
        "framework",
        "framework_version",
        "description",
        "tags",
        "properties",
    },
    "images": {
        "name",
        "models",
        "description",
        "tags",
        "properties",
        "script",
        "conda",
        "dependencies",
        "docker_file",
        "base",
        "runtime",
        "keep",
        "python_version",
        "gpu",
        "preflight",
    },
    "services": {
        "name",
        "image",
        "model",
        "target",
        "description",
        "tags",
        "properties",
        "port",
        "overwrite",
        "deployment",
    },
    "update_model": {"description", "tags", "add_tags", "add_properties", "remove_tags"},
    "update_service": {"image", "description", "tags", "add_properties", "deployment"},
    "keys": {"key", "value"},
}


class Refusal(Exception):
    """Becomes problem+json."""

    def __init__(self, status, code, detail, fix=""):
        super().__init__(detail)
        self.status = status
        self.problem = {"status": status, "code": code, "detail": detail, "fix": fix}


class StubService:
    """Use as a context manager; `address` is where it listens."""

    def __init__(self, token="stub-token"):
        self.token = token
        self.requests = []
        self.score = lambda body, headers: (200, {}, json.dumps({"got": body.decode()}).encode())
        self.image_outcome = None
        self.service_outcome = None
        self.pending_looks = 1
        self.workspaces = {}
        self.blobs = {}
        self.models = {}
        self.images = {}
        self.services = {}
        self.operations = {}
        self.keys = {}
        self._faults = []
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail_next(self, fault):
        """The next request gets `fault`: a Refusal, "cut" (no answer) or bytes (all of it)."""
        self._faults.append(fault)

    def bodies(self, method, path_end):
        """What was sent to paths with that end, in order."""
        return [
            body
            for m, path, body in self.requests
            if m == method and path.split("?")[0].endswith(path_end)
        ]

    def take_fault(self):
        with self._lock:
            return self._faults.pop(0) if self._faults else None

    def answer(self, method, path, query, body):
        """`(status, object)` for a request below /api/v1."""
        with self._lock:
            parts = [unquote(part) for part in path.strip("/").split("/")]
            if parts[0] == "operations":
                return 200, self._look(parts[1])
            if parts[0] != "workspaces":
                raise Refusal(404, "Route.NotFound", f"there is nothing at {path}")
            if len(parts) == 1:
                return self._workspaces(method, body)
            name = parts[1]
            if name not in self.workspaces:
                raise Refusal(
                    404,
                    "Workspace.NotFound",
                    f'no workspace "{name}"',
                    f"slipway workspace create {name}",
                )
            if len(parts) == 2:
                return self._workspace(method, name)
            kind = {
                "blobs": self._blob,
                "models": self._model,
                "images": self._image,
                "services": self._service,
            }.get(parts[2])
            if kind is None:
                raise Refusal(404, "Route.NotFound", f"there is nothing at {path}")
            return kind(method, name, parts[3:], query, body)

    def _workspaces(self, method, body):
        if method == "GET":
            return 200, {"items": list(self.workspaces.values())}
        wanted = _read(body, "workspaces")
        if wanted["name"] in self.workspaces:
            if wanted.get("exist_ok"):
                return 200, self.workspaces[wanted["name"]]
            raise Refusal(409, "Workspace.AlreadyExists", f'workspace "{wanted["name"]}" is there')
        made = {
            "name": wanted["name"],
            "location": wanted.get("location", "local"),
            "subscription_id": wanted.get("subscription_id", ""),
            "resource_group": wanted.get("resource_group", ""),
            "description": wanted.get("description", ""),
            "tags": wanted.get("tags", {}),
            "id": "id-" + wanted["name"],
            "created_time": TIME,
            "etag": "1",
        }
        self.workspaces[wanted["name"]] = made
        return 201, made

    def _workspace(self, method, name):
        if method == "DELETE":
            if self.models or self.images or self.services:
                raise Refusal(409, "Workspace.NotEmpty", f'workspace "{name}" has models')
            del self.workspaces[name]
            return 204, None
        return 200, self.workspaces[name]

    def _blob(self, method, workspace, parts, query, body):
        digest = parts[0]
        if method == "PUT":
            if "sha256:" + hashlib.sha256(body).hexdigest() != digest:
                raise Refusal(400, "Blob.DigestMismatch", "the content has another digest")
            self.blobs[digest] = body
            return 201, {"digest": digest, "size": len(body)}
        if digest not in self.blobs:
            raise Refusal(404, "Blob.NotFound", f"no blob {digest}")
        return 200, self.blobs[digest]

    def _check_files(self, entries):
        for entry in entries:
            if set(entry) - _FILE or self.blobs.get(entry["digest"]) is None:
                raise Refusal(404, "Blob.NotFound", f"no blob for {entry}")
            if len(self.blobs[entry["digest"]]) != entry["size"]:
                raise Refusal(400, "Model.File", f"size of {entry}")

    def _model(self, method, workspace, parts, query, body):
        if not parts:
            if method == "GET":
                return 200, self._page(self._listed_models(query), query)
            wanted = _read(body, "models")
            self._check_files(wanted["files"])
            return 201, self._add(
                self.models,
                wanted,
                {
                    "files": wanted["files"],
                    "framework": wanted.get("framework", ""),
                    "framework_version": wanted.get("framework_version", ""),
                    "digest": "sha256:0",
                },
            )
        model = self._version(self.models, "Model", parts)
        if parts[3:] == ["content"]:
            path = dict(query).get("path")
            for entry in model["files"]:
                if entry["path"] == path:
                    return 200, self.blobs[entry["digest"]]
            raise Refusal(404, "Model.FileNotFound", f"no file {path}")
        if method == "DELETE":
            if any(
                model["id"] in self.images[s["image"]]["models"]
                for s in self.services.values()
                if s["image"] in self.images
            ):
                raise Refusal(409, "Model.InUse", f'model "{model["id"]}" is used by a service')
            del self.models[model["id"]]
            return 204, None
        if method == "PATCH":
            change = _read(body, "update_model", ())
            _change(model, change)
        return 200, model

    def _listed_models(self, query):
        found = sorted(self.models.values(), key=lambda m: -m["serial"])
        wanted = dict(query)
        if "name" in wanted:
            found = [m for m in found if m["name"] == wanted["name"]]
        if wanted.get("latest") == "true":
            newest = {}
            for model in found:
                newest.setdefault(model["name"], model)
            found = list(newest.values())
        for key, text in query:
            field = {"tag": "kv_tags", "property": "properties"}.get(key)
            if field:
                name, equals, value = text.partition("=")
                found = [
                    m for m in found if name in m[field] and (not equals or m[field][name] == value)
                ]
        return found

    def _image(self, method, workspace, parts, query, body):
        if not parts and method == "GET":
            found = sorted(self.images.values(), key=lambda i: -i["serial"])
            name = dict(query).get("name")
            return 200, self._page([i for i in found if name in (None, i["name"])], query)
        if not parts:
            wanted = _read(body, "images", ("name", "models"))
            sent = [wanted[key] for key in ("script", "conda", "docker_file") if key in wanted]
            self._check_files(sent + wanted.get("dependencies", []))
            for id in wanted["models"]:
                if id not in self.models:
                    raise Refusal(404, "Model.NotFound", f"no model {id}")
            image = self._add(
                self.images,
                wanted,
                {
                    "state": "Creating",
                    "models": wanted["models"],
                    "digest": "",
                    "error": "",
                    "generated_dockerfile": "FROM scratch\n",
                },
            )
            where = f"/workspaces/{workspace}/images/{image['name']}/versions/{image['version']}"
            operation = self._start(
                "image.create", where, lambda: self._finish_image(image, operation)
            )
            image["operation_id"] = operation["id"]
            return 202, operation
        image = self._version(self.images, "Image", parts)
        if parts[3:] == ["logs"]:
            return 200, b"building\ndone\n"
        if parts[3:] == ["archive"]:
            return 200, b"archive of " + image["id"].encode()
        if method == "DELETE":
            if any(s["image"] == image["id"] for s in self.services.values()):
                raise Refusal(409, "Image.InUse", f'image "{image["id"]}" is used')
            del self.images[image["id"]]
            return 204, None
        if method == "PATCH":
            _change(image, _read(body, "update_model", ()))
        elif method != "GET":
            raise Refusal(405, "Route.Method", f"{method} is not possible")
        return 200, image

    def _finish_image(self, image, operation):
        if self.image_outcome:
            image.update(state="Failed", error=self.image_outcome["error"])
            operation.update(self.image_outcome, state="Failed")
        else:
            image.update(state="Succeeded", digest="sha256:1")
            operation["state"] = "Succeeded"

    def _service(self, method, workspace, parts, query, body):
        if not parts and method == "GET":
            return 200, self._page(list(self.services.values()), query)
        if not parts:
            wanted = _read(body, "services")
            return 202, self._create_service(workspace, wanted)
        name = parts[0]
        if name not in self.services:
            raise Refusal(404, "Service.NotFound", f'no service "{name}"')
        service = self.services[name]
        if parts[1:] == ["logs"]:
            return 200, f"the last {dict(query)['lines']} lines\n".encode()
        if parts[1:] == ["score"]:
            status, _, content = self.score(body, {})
            return status, content
        if parts[1:] == ["keys"]:
            return 200, self._change_keys(method, name, body)
        where = f"/workspaces/{workspace}/services/{name}"
        if method == "DELETE":
            operation = self._start(
                "service.delete",
                where,
                lambda: (self.services.pop(name), operation.update(state="Succeeded")),
            )
            return 202, operation
        if method == "PATCH":
            change = _read(body, "update_service", ())
            _change(service, change)
            if "image" in change:
                service["image"] = change["image"]
            service["deployment"].update(change.get("deployment", {}))
            operation = self._start(
                "service.update",
                where,
                lambda: (service.update(state="Healthy"), operation.update(state="Succeeded")),
            )
            return 202, operation
        return 200, service

    def _create_service(self, workspace, wanted):
        name = wanted["name"]
        if not re.fullmatch("[a-z][a-z0-9-]{2,31}", name):
            raise Refusal(400, "Service.Name", f'name "{name}"')
        if name in self.services and not wanted.get("overwrite"):
            raise Refusal(409, "Service.AlreadyExists", f'service "{name}" is there')
        if ("image" in wanted) == ("model" in wanted):
            raise Refusal(400, "Request.Invalid", "exactly one of image and model")
        image = wanted.get("image")
        if image is None:
            image = self._add(
                self.images,
                {"name": name},
                {"state": "Succeeded", "models": [wanted["model"]], "digest": "sha256:2"},
            )["id"]
        if image not in self.images:
            raise Refusal(404, "Image.NotFound", f"no image {image}")
        deployment = wanted.get("deployment", {})
        service = {
            "name": name,
            "state": "Transitioning",
            "target": wanted.get("target"),
            "image": image,
            "image_digest": "sha256:1",
            "endpoint": "",
            "scoring_uri": "",
            "cause": "",
            "detail": "",
            "description": wanted.get("description", ""),
            "kv_tags": wanted.get("tags", {}),
            "properties": wanted.get("properties", {}),
            "created_time": TIME,
            "updated_time": TIME,
            "auth_enabled": bool(deployment.get("auth_enabled")),
            "deployment": dict(deployment),
            "compute_type": wanted["target"].upper(),
        }
        self.services[name] = service
        self.keys[name] = {
            "primary": deployment.get("primary_key", "first-key"),
            "secondary": deployment.get("secondary_key", "second-key"),
        }
        where = f"/workspaces/{workspace}/services/{name}"
        operation = self._start(
            "service.create", where, lambda: self._finish_service(service, operation)
        )
        return operation

    def _finish_service(self, service, operation):
        if self.service_outcome:
            service.update(
                state="Failed",
                cause=self.service_outcome.get("error_cause", ""),
                detail=self.service_outcome["error"],
            )
            operation.update(self.service_outcome, state="Failed")
            return
        endpoint = f"{self.address}/run/{service['name']}"
        service.update(state="Healthy", endpoint=endpoint, scoring_uri=endpoint + "/score")
        operation["state"] = "Succeeded"

    def _change_keys(self, method, name, body):
        if method == "POST":
            change = _read(body, "keys", ("key",))
            self.keys[name][change["key"]] = change.get("value") or uuid.uuid4().hex
        return self.keys[name]

    def _start(self, kind, resource, finish):
        operation = {
            "id": uuid.uuid4().hex,
            "kind": kind,
            "state": "Running",
            "resource": resource,
            "phase": "",
            "percent": 0,
            "error_code": "",
            "error": "",
            "error_cause": "",
            "fix": "",
            "log": [],
        }
        self.operations[operation["id"]] = (operation, finish, [self.pending_looks])
        return operation

    def _look(self, id):
        if id not in self.operations:
            raise Refusal(404, "Operation.NotFound", f"no operation {id}")
        operation, finish, left = self.operations[id]
        if operation["state"] == "Running":
            left[0] -= 1
            if left[0] < 0:
                finish()
        return operation

    def _add(self, table, wanted, more):
        versions = [o["version"] for o in table.values() if o["name"] == wanted["name"]]
        version = max(versions, default=0) + 1
        made = {
            "name": wanted["name"],
            "version": version,
            "id": f"{wanted['name']}:{version}",
            "description": wanted.get("description", ""),
            "tags": list(wanted.get("tags", {})),
            "kv_tags": wanted.get("tags", {}),
            "properties": wanted.get("properties", {}),
            "created_time": TIME,
            "updated_time": TIME,
            "etag": "1",
            "operation_id": "",
            "serial": len(table),
            **more,
        }
        table[made["id"]] = made
        return made

    def _version(self, table, kind, parts):
        name, version = parts[0], parts[2]
        found = [
            o
            for o in table.values()
            if o["name"] == name and version in ("latest", str(o["version"]))
        ]
        if not found:
            raise Refusal(
                404,
                f"{kind}.NotFound",
                f'{kind.lower()} "{name}:{version}" is not there',
                f"slipway {kind.lower()} list",
            )
        return max(found, key=lambda o: o["version"])

    @staticmethod
    def _page(items, query):
        """Two items a page, so that every longer list has several."""
        start = int(dict(query).get("next", 0))
        page = {"items": items[start : start + 2]}
        if start + 2 < len(items):
            page["next"] = str(start + 2)
        return page


def _read(body, kind, needed=("name",)):
    value = json.loads(body)
    unknown = set(value) - _FIELDS[kind]
    if unknown:
        raise Refusal(400, "Request.Invalid", f"unknown field {sorted(unknown)}")
    for name in needed:
        if name not in value:
            raise Refusal(400, "Request.Invalid", f'field "{name}" is missing')
    for name in ("tags", "properties"):
        texts = list(value.get(name, {}).values())
        if not all(isinstance(text, str) for text in texts):
            raise Refusal(400, "Request.Invalid", f"{name} must be texts")
    return value


def _change(record, change):
    for key, new in change.get("add_properties", {}).items():
        if record["properties"].get(key, new) != new:
            raise Refusal(409, "Model.PropertyFixed", f'property "{key}" cannot be changed')
    if "tags" in change:
        record["kv_tags"] = dict(change["tags"])
    for key in change.get("remove_tags", ()):
        record["kv_tags"].pop(key, None)
    record["kv_tags"].update(change.get("add_tags", {}))
    record["properties"].update(change.get("add_properties", {}))
    if "description" in change:
        record["description"] = change["description"]


def _handler(service):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            service.requests.append((self.command, self.path, _shown(body)))
            fault = service.take_fault()
            if fault == "cut":
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(fault, bytes):
                self.wfile.write(fault)
                self.close_connection = True
                return
            try:
                if isinstance(fault, Refusal):
                    raise fault
                self._answer(body)
            except Refusal as refusal:
                self._send(refusal.status, refusal.problem, "application/problem+json")

        def _answer(self, body):
            parts = urlsplit(self.path)
            if parts.path.startswith("/run/"):
                status, headers, content = service.score(body, self.headers)
                self._send(status, content, "application/json", headers)
                return
            if self.headers.get("Authorization") != f"Bearer {service.token}":
                raise Refusal(401, "Auth.Required", "the token is not valid here", "send the token")
            path = parts.path[len("/api/v1") :]
            status, value = service.answer(self.command, path, parse_qsl(parts.query), body)
            self._send(status, value, "application/json")

        def _send(self, status, value, kind, headers=()):
            content = b"" if value is None else value
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, text in dict(headers).items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, *_):
            pass

    return Handler


def _shown(body):
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body
