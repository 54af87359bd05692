# SPDX-License-Identifier: Apache-2.0
"""Asks two servers the same: `inference_server_peer.py SLIPWAY_SERVE ROOT`.

A difference that runtime/server/differences.md does not list fails, and so does one that it lists
and that is not there.
"""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}
GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
HEADERS = ("content-type", "x-ms-run-function-failed", "x-ms-run-fn-exec-ms", "x-request-id",
           "x-ms-request-id", "x-ms-client-request-id", "traceid", "access-control-allow-origin",
           "x-own", "x-flask")
ENVIRONMENT = {"SCORING_TIMEOUT_MS": "1500",
               "AML_CORS_ORIGINS": "https://a.example, https://c.example"}


def do(what, **more):
    return json.dumps({"do": what, **more})


def cases_of_answers():
    yield "health", "GET", "/", None, {}
    yield "health by HEAD", "HEAD", "/", None, {}
    yield "post to /", "POST", "/", "x", {}
    yield "unknown path", "GET", "/nothing", None, {"x-request-id": "a"}
    yield "options /score", "OPTIONS", "/score", None, {}
    yield "cors", "POST", "/score", "1", {"Origin": "https://a.example"}
    yield "cors of another", "POST", "/score", "1", {"Origin": "https://b.example"}
    for method in ("PUT", "DELETE", "PATCH", "HEAD"):
        yield method + " /score", method, "/score", None, {}
    yield "slash behind /score", "POST", "/score/", "1", {}
    yield "text", "POST", "/score", "no json, \u00e9", {}
    yield "empty body", "POST", "/score", "", {}
    yield "json", "POST", "/score", '{"x":1}', JSON
    yield "form to run(data)", "POST", "/score", '{"x":1}', FORM
    yield "no utf-8", "POST", "/score", b"\xff\xfe", {}
    yield "query", "GET", "/score?a=1&b=[1,2]&c=x&c=2&d=%22q%22&e=&f=%C3%A9", None, {}
    yield "no query", "GET", "/score", None, {}
    for what in ("none", "text", "dumped", "list", "dict", "nan", "bytes", "set", "tuple", "numpy",
                 "aml_text", "aml_bytes", "aml_json", "raise"):
        yield "returns " + what, "POST", "/score", do(what), {}
    yield "returns flask", "POST", "/score", do("flask"), {}
    ids = {"x-request-id": "B", "x-ms-request-id": "A", "x-ms-client-request-id": "C"}
    for mask in range(8):
        sent = {name: value for i, (name, value) in enumerate(ids.items()) if mask >> i & 1}
        yield "ids " + "".join(sorted(sent.values())), "POST", "/score", "1", sent
    yield "trace id", "POST", "/score", "1", {"TraceId": "t"}
    for name in ids:
        yield "at most 100 of " + name, "POST", "/score", "1", {name: "i" * 100}
        yield "too long " + name, "POST", "/score", "1", {name: "i" * 101}
    yield "swagger without schema", "GET", "/swagger.json", None, {}
    yield "script exits", "POST", "/score", do("exit"), {}


def cases_of_faults():
    yield "timeout", "POST", "/score", do("sleep", s=3), {}


def cases_of_raw():
    for method in ("GET", "POST", "OPTIONS", "HEAD", "PUT"):
        yield "raw " + method, method, "/score?a=1&a=2", None, {}
    yield "raw returns dict", "GET", "/score?do=dict", None, {}
    yield "raw raises", "GET", "/score?do=raise", None, {}
    yield "raw body", "POST", "/score", b'\xff{"a":1}', {**JSON, "X-Own": "z", "Cookie": "c=d"}
    yield "raw json", "POST", "/score", '{"a":1}', JSON
    yield "raw form", "POST", "/score", "a=1&b=%20x", FORM
    part = '--B\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nhello\r\n'
    part += '--B\r\nContent-Disposition: form-data; name="g"\r\n\r\nv\r\n--B--\r\n'
    yield "raw multipart", "POST", "/score", part, MULTIPART


def cases_of_schema():
    for body in ('{"x":[1,2],"factor":2}', '{"x":[1,2]}', '{"factor":2}', "", "[1]", "null", "{bad",
                 '{"x":[1],"z":1}', '{"x":"text"}', '{"x":[1],"factor":9}'):
        yield "schema " + (body or "nothing"), "POST", "/score", body, JSON
    yield "schema no utf-8", "POST", "/score", b'{"x":[1],"\xff":1}', JSON
    yield "schema text/plain", "POST", "/score", '{"x":[1]}', {"Content-Type": "text/plain"}
    yield "schema no type", "POST", "/score", '{"x":[1]}', {}
    yield "schema +json", "POST", "/score", '{"x":[1]}', {"Content-Type": "application/a+json"}
    yield "schema query", "GET", "/score?x=[1,2]&factor=4", None, {}
    yield "schema no query", "GET", "/score", None, {}
    for version in ("", "?version=2", "?version=3", "?version=3.1", "?version=4"):
        yield "swagger" + version, "GET", "/swagger.json" + version, None, {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server in a process group of its own."""

    def __init__(self, name, command, port, environment):
        self.name = name
        self.port = port
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, start_new_session=True,
            env={**os.environ, **ENVIRONMENT, **environment, "PYTHONDONTWRITEBYTECODE": "1"})

    def wait(self):
        for _ in range(600):
            try:
                if self.ask("GET", "/")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.log.seek(0)
        sys.exit("%s does not start:\n%s" % (self.name, self.log.read().decode()[-3000:]))

    def ask(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if isinstance(body, str):
                body = body.encode()
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return response.status, fields, response.read()
        finally:
            connection.close()

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(30)
        except ProcessLookupError:
            pass


def aspects(server, method, target, body, headers):
    """What is compared of an answer; what differs by nature is reduced to its kind."""
    try:
        status, fields, content = server.ask(method, target, body, headers)
    except (OSError, http.client.HTTPException) as error:
        return {"status": type(error).__name__}
    seen = {"status": status}
    for name in HEADERS:
        value = fields.get(name)
        if name.startswith("access-control") and "Origin" not in headers:
            continue
        if value is not None and GUID.match(value):
            value = "made" + (" like x-request-id" if value == fields.get("x-request-id") else "")
        if value is not None and name == "x-ms-run-fn-exec-ms":
            value = "milliseconds" if re.match(r"^\d+\.\d{3}$", value) else value
        seen[name] = value
    text = content.decode("latin-1").replace(str(server.port), "PORT")
    try:
        seen["body"] = json.loads(text)
        if not isinstance(seen["body"], dict):
            seen["body"] = text
        elif "paths" in seen["body"]:
            seen["body"] = description(seen["body"])
    except ValueError:
        seen["body"] = text
    return seen


def description(document):
    """What of a Swagger or OpenAPI document is no prose."""
    return {"version": document.get("swagger", document.get("openapi")),
            "title": document["info"]["title"],
            "schemas": document.get("definitions", document.get("components", {}).get("schemas")),
            "routes": sorted((path, method, item.get("operationId"))
                             for path, items in document["paths"].items()
                             for method, item in items.items())}


def listed(root):
    """The first two columns of the table of known differences: case and aspect."""
    path = os.path.join(root, "runtime/server/differences.md")
    with open(path, encoding="utf-8") as file:
        rows = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]]
                for line in file if line.startswith("| `")]
    return {(row[0], row[1]) for row in rows}


def matches(rules, case, aspect):
    return {rule for rule in rules if rule[1] in (aspect, "all")
            and re.fullmatch(re.escape(rule[0]).replace(r"\*", ".*"), case)}


def main():
    serve, root = sys.argv[1:3]
    scripts = os.path.join(root, "tests/server/scripts")
    known, used, failed, same = listed(root), set(), 0, 0
    for script, cases in (("answers.py", cases_of_answers), ("faults.py", cases_of_faults),
                          ("raw.py", cases_of_raw), ("schema.py", cases_of_schema)):
        path = os.path.join(scripts, script)
        ports = free_port(), free_port()
        servers = (
            Server("azmlinfsrv", [os.path.join(os.path.dirname(sys.executable), "azmlinfsrv"),
                                  "--entry_script", path, "--port", str(ports[0])], ports[0], {}),
            Server("slipway-serve", [serve, "--script", path, "--python", sys.executable,
                                     "--listen", "127.0.0.1:%d" % ports[1]], ports[1],
                   {"SERVICE_NAME": "ML service"}))
        try:
            for server in servers:
                server.wait()
            for case, *request in cases():
                theirs, ours = (aspects(server, *request) for server in servers)
                for aspect in sorted(set(theirs) | set(ours)):
                    if theirs.get(aspect) == ours.get(aspect):
                        same += 1
                        continue
                    rules = matches(known, case, aspect)
                    used |= rules
                    failed += not rules
                    print("%s | %s | %s: %s\n    azmlinfsrv:    %.300s\n"
                          "    slipway-serve: %.300s"
                          % (script, case, "known" if rules else "NOT LISTED", aspect,
                             theirs.get(aspect), ours.get(aspect)))
        finally:
            for server in servers:
                server.stop()
    for case, aspect in sorted(known - used):
        print("listed, but not there: %s | %s" % (case, aspect))
        failed += 1
    print("%d aspects are the same, %d rows of differences, %d faults"
          % (same, len(used), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
