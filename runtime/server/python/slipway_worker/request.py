# SPDX-License-Identifier: Apache-2.0
"""The request object that a script decorated with @rawhttp gets, and its parts.

It answers to the names that such scripts use of Flask's request.
"""
import io
import json
import re
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple
from urllib.parse import parse_qsl, unquote

from .wire import Request


class MultiDict(Dict[str, Any]):
    """A dict that may hold several values for one key; as a dict it shows the first."""

    def __init__(self, items: Iterable[Tuple[str, Any]] = ()):
        super().__init__()
        self._lists: Dict[str, List[Any]] = {}
        for key, value in items:
            self._lists.setdefault(key, []).append(value)
            super().setdefault(key, value)

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:
        """The first value, converted by `type`; `default` where there is none or it cannot be."""
        if key not in self:
            return default
        value = self[key]
        if type is None:
            return value
        try:
            return type(value)
        except (ValueError, TypeError):
            return default

    def getlist(self, key: str, type: Any = None) -> List[Any]:
        """All values of the key."""
        values = self._lists.get(key, [])
        return list(values) if type is None else [type(value) for value in values]

    def lists(self) -> Iterator[Tuple[str, List[Any]]]:
        """Each key with all its values."""
        return iter([(key, list(values)) for key, values in self._lists.items()])

    def to_dict(self, flat: bool = True) -> Dict[str, Any]:
        """A plain dict of first values, or of lists."""
        return dict(self) if flat else {key: list(values) for key, values in self._lists.items()}


def canonical(name: str) -> str:
    """A field name as it is usually written: X-Ms-Request-Id."""
    return "-".join(part.capitalize() for part in name.replace("_", "-").split("-"))


class Headers:
    """Header fields; names compare without case, a name that repeats has its values joined."""

    def __init__(self, fields: Iterable[Tuple[str, str]] = ()):
        self._fields: Dict[str, str] = {}
        for name, value in fields:
            key = canonical(name)
            joiner = "; " if key == "Cookie" else ","
            self._fields[key] = self._fields[key] + joiner + value if key in self._fields else value

    def get(self, name: str, default: Any = None, type: Any = None) -> Any:
        value = self._fields.get(canonical(name), default)
        if type is None or value is default:
            return value
        try:
            return type(value)
        except (ValueError, TypeError):
            return default

    def getlist(self, name: str) -> List[str]:
        return [self[name]] if name in self else []

    get_all = getlist

    def __getitem__(self, name: str) -> str:
        return self._fields[canonical(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical(name) in self._fields

    def __iter__(self) -> Iterator[Tuple[str, str]]:
        return iter(self._fields.items())

    def __len__(self) -> int:
        return len(self._fields)

    def keys(self) -> Iterable[str]:
        return self._fields.keys()

    def values(self) -> Iterable[str]:
        return self._fields.values()

    def items(self) -> Iterable[Tuple[str, str]]:
        return self._fields.items()

    def to_wsgi_list(self) -> List[Tuple[str, str]]:
        return list(self._fields.items())

    def __repr__(self) -> str:
        return "Headers(%r)" % (list(self._fields.items()),)


class UploadedFile:
    """A file of a form."""

    def __init__(self, name: str, filename: str, content_type: str, data: bytes):
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.mimetype = content_type.split(";")[0].strip().lower()
        self.content_length = len(data)
        self.stream = io.BytesIO(data)

    def save(self, destination: Any) -> None:
        """Writes the content to a path or a file object."""
        if hasattr(destination, "write"):
            destination.write(self.stream.read())
            return
        with open(destination, "wb") as out:
            out.write(self.stream.read())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)


def header_options(value: str) -> Tuple[str, Dict[str, str]]:
    """`text/plain; charset=utf-8` taken apart."""
    parts: List[str] = [""]
    quoted = escaped = False
    for char in value:
        if char == ";" and not quoted:
            parts.append("")
            continue
        quoted = quoted != (char == '"' and not escaped)
        escaped = char == "\\" and quoted and not escaped
        parts[-1] += char
    options = {}
    for part in parts[1:]:
        name, _, text = part.strip().partition("=")
        text = text.strip()
        if len(text) >= 2 and text[0] == text[-1] == '"':
            text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        options[name.strip().lower()] = text
    return parts[0].strip(), options


def parse_multipart(
    body: bytes, boundary: str
) -> Tuple[List[Tuple[str, str]], List[Tuple[str, UploadedFile]]]:
    """Fields and files of a multipart/form-data body. Source: RFC 7578."""
    fields: List[Tuple[str, str]] = []
    files: List[Tuple[str, UploadedFile]] = []
    mark = re.escape(b"\r\n--" + boundary.encode("latin-1"))
    for piece in re.split(mark + rb"(?=--|[ \t]*\r\n)", b"\r\n" + body)[1:]:
        if piece.startswith(b"--"):
            break
        _, _, piece = piece.partition(b"\r\n")
        head, found, data = (b"\r\n" + piece).partition(b"\r\n\r\n")
        if not found:
            continue
        headers = Headers(
            tuple(text.strip() for text in line.decode("utf-8", "replace").split(":", 1))
            for line in head.split(b"\r\n") if b":" in line)
        _, options = header_options(headers.get("Content-Disposition", ""))
        name = options.get("name", "")
        content_type = headers.get("Content-Type", "text/plain")
        if "filename" in options:
            files.append((name, UploadedFile(name, options["filename"], content_type, data)))
        else:
            charset = header_options(content_type)[1].get("charset", "utf-8")
            fields.append((name, data.decode(charset, "replace")))
    return fields, files


class HTTPRequest:
    """What a client asked. What is not in it reads as missing, nothing is sent by reading it."""

    charset = "utf-8"
    max_content_length = None
    is_multithread = False

    def __init__(self, request: Request):
        self._request = request
        self.method = request.method
        path, _, query = request.target.partition("?")
        self.query_string = query.encode("latin-1")
        self.path = unquote(path)
        self.headers = Headers(request.headers)
        self.args = MultiDict(
            parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="replace"))
        self._form: Optional[Tuple[MultiDict, MultiDict]] = None
        self._stream: Optional[io.BytesIO] = None
        self._query = query
        self.view_args: Dict[str, Any] = {}
        self.url_rule = None
        self.endpoint = "score"

    @property
    def content_type(self) -> Optional[str]:
        return self.headers.get("Content-Type")

    @property
    def content_length(self) -> Optional[int]:
        return self.headers.get("Content-Length", None, int)

    @property
    def content_encoding(self) -> Optional[str]:
        return self.headers.get("Content-Encoding")

    @property
    def mimetype(self) -> str:
        return header_options(self.content_type or "")[0].lower()

    @property
    def mimetype_params(self) -> Dict[str, str]:
        return header_options(self.content_type or "")[1]

    @property
    def is_json(self) -> bool:
        return is_json(self.mimetype)

    def get_data(self, cache: bool = True, as_text: bool = False,
                 parse_form_data: bool = False) -> Any:
        """The body, as bytes or as text (UTF-8; what is none becomes U+FFFD)."""
        body = self._request.body
        return body.decode("utf-8", "replace") if as_text else body

    @property
    def data(self) -> bytes:
        return self._request.body

    @property
    def stream(self) -> io.BytesIO:
        if self._stream is None:
            self._stream = io.BytesIO(self._request.body)
        return self._stream

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body as JSON; None where it is not said to be JSON or, if `silent`, is none."""
        if not (force or self.is_json):
            if silent:
                return None
            raise ValueError("Content-Type is %r, application/json is wanted" % self.content_type)
        try:
            return json.loads(self._request.body)
        except ValueError:
            if silent:
                return None
            raise

    @property
    def json(self) -> Any:
        return self.get_json()

    def _parsed_form(self) -> Tuple[MultiDict, MultiDict]:
        if self._form is None:
            mimetype, options = header_options(self.content_type or "")
            fields: List[Tuple[str, str]] = []
            files: List[Tuple[str, UploadedFile]] = []
            if mimetype.lower() == "application/x-www-form-urlencoded":
                fields = parse_qsl(self.get_data(as_text=True), keep_blank_values=True)
            elif mimetype.lower() == "multipart/form-data" and options.get("boundary"):
                fields, files = parse_multipart(self._request.body, options["boundary"])
            self._form = MultiDict(fields), MultiDict(files)
        return self._form

    @property
    def form(self) -> MultiDict:
        return self._parsed_form()[0]

    @property
    def files(self) -> MultiDict:
        return self._parsed_form()[1]

    @property
    def values(self) -> MultiDict:
        """Query and, where there is a form, its fields."""
        return MultiDict([(key, value) for source in (self.args, self.form)
                          for key, values in source.lists() for value in values])

    @property
    def cookies(self) -> MultiDict:
        pairs = (part.strip().partition("=") for part in self.headers.get("Cookie", "").split(";"))
        return MultiDict((name, value.strip('"')) for name, _, value in pairs if name)

    @property
    def host(self) -> str:
        return self.headers.get("Host", "localhost")

    @property
    def scheme(self) -> str:
        return "http"

    is_secure = False
    root_path = script_root = ""

    @property
    def host_url(self) -> str:
        return "%s://%s/" % (self.scheme, self.host)

    root_url = url_root = host_url

    @property
    def full_path(self) -> str:
        return self.path + "?" + self._query

    @property
    def base_url(self) -> str:
        return self.host_url[:-1] + self._request.target.partition("?")[0]

    @property
    def url(self) -> str:
        return self.base_url + ("?" + self._query if self._query else "")

    @property
    def remote_addr(self) -> Optional[str]:
        address = self._request.peer.rpartition(":")[0]
        return address.strip("[]") or None

    @property
    def access_route(self) -> List[str]:
        forwarded = self.headers.get("X-Forwarded-For")
        if forwarded:
            return [part.strip() for part in forwarded.split(",")]
        return [self.remote_addr] if self.remote_addr else []

    @property
    def user_agent(self) -> str:
        return self.headers.get("User-Agent", "")

    @property
    def referrer(self) -> Optional[str]:
        return self.headers.get("Referer")

    @property
    def origin(self) -> Optional[str]:
        return self.headers.get("Origin")

    def __repr__(self) -> str:
        return "<Request %r [%s]>" % (self.url, self.method)


def is_json(mimetype: str) -> bool:
    """Whether the media type says JSON."""
    return mimetype == "application/json" or (
        mimetype.startswith("application/") and mimetype.endswith("+json"))
