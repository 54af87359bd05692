# SPDX-License-Identifier: Apache-2.0
"""The response object that a script may return from run()."""
import json
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple, Union

_TEXT = "text/html; charset=utf-8"
_JSON = "application/json"
_STATUS_MIN, _STATUS_MAX = 200, 599
# What slipway-serve itself writes.
_FRAMING = {"connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "trailer"}


class ResponseHeaders:
    """Header fields of an answer; names compare without case, and may repeat."""

    def __init__(self, fields: Union[Dict[str, str], Iterable[Tuple[str, str]], None] = None):
        self._fields: List[Tuple[str, str]] = []
        items = fields.items() if hasattr(fields, "items") else fields or ()
        for name, value in items:
            self.add(name, value)

    def add(self, name: str, value: Any) -> None:
        self._fields.append((_checked(name), _checked(value)))

    def set(self, name: str, value: Any) -> None:
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str) -> None:
        self._fields = [field for field in self._fields if field[0].lower() != name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        return next((value for key, value in self._fields if key.lower() == name.lower()), default)

    def getlist(self, name: str) -> List[str]:
        return [value for key, value in self._fields if key.lower() == name.lower()]

    def setdefault(self, name: str, value: Any) -> str:
        if name not in self:
            self.add(name, value)
        return self.get(name)

    def update(self, fields: Union[Dict[str, str], Iterable[Tuple[str, str]]]) -> None:
        items: Any = fields.items() if hasattr(fields, "items") else fields
        for name, value in items:
            self.set(name, value)

    extend = update

    def pop(self, name: str, default: Any = None) -> Any:
        value = self.get(name, default)
        self.remove(name)
        return value

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    __setitem__ = set
    __delitem__ = remove

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[Tuple[str, str]]:
        return iter(list(self._fields))

    def __len__(self) -> int:
        return len(self._fields)

    def items(self) -> List[Tuple[str, str]]:
        return list(self._fields)

    def keys(self) -> List[str]:
        return [name for name, _ in self._fields]

    def values(self) -> List[str]:
        return [value for _, value in self._fields]


def _checked(text: Any) -> str:
    """A field's name or value; refused where it would end the field."""
    text = str(text)
    if any(char in text for char in "\r\n\0"):
        raise ValueError("a header field must not hold a line break: %r" % text[:80])
    return text


class AMLResponse:
    """An answer with a status and headers of the script's own choice.

    `message` is text or bytes, sent as they are, or with `json_str` anything that JSON can say.
    """

    def __init__(self, message: Any = None, status_code: int = 200,
                 response_headers: Optional[Dict[str, str]] = None, json_str: bool = False):
        self.headers = ResponseHeaders()
        self.status_code = status_code
        if json_str or not (message is None or isinstance(message, (str, bytes, bytearray, list,
                                                                    tuple))):
            self._data = json.dumps(message).encode("utf-8")
            self.headers.set("Content-Type", _JSON)
        else:
            self.set_data(message)
            self.headers.set("Content-Type", _TEXT)
        self.headers.update(response_headers or {})

    def set_data(self, value: Any) -> None:
        """Replaces the body; a list is text or bytes in pieces."""
        pieces = [] if value is None else value
        if isinstance(value, (str, bytes, bytearray)):
            pieces = [value]
        self._data = b"".join(
            piece.encode("utf-8") if isinstance(piece, str) else bytes(piece) for piece in pieces)

    def get_data(self, as_text: bool = False) -> Any:
        """The body."""
        return self._data.decode("utf-8") if as_text else self._data

    data = property(get_data, set_data)

    @property
    def status_code(self) -> int:
        return self._status

    @status_code.setter
    def status_code(self, status: int) -> None:
        self._status = int(status)

    @property
    def status(self) -> str:
        return str(self._status)

    @property
    def content_type(self) -> Optional[str]:
        return self.headers.get("Content-Type")

    @content_type.setter
    def content_type(self, value: str) -> None:
        self.headers.set("Content-Type", value)

    @property
    def mimetype(self) -> str:
        return (self.content_type or "").split(";")[0].strip()

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        charset = "; charset=utf-8" if value.startswith("text/") else ""
        self.headers.set("Content-Type", value + charset)

    @property
    def json(self) -> Any:
        return json.loads(self._data)

    get_json = json.fget

    def set_cookie(self, name: str, value: str = "", **attributes: Any) -> None:
        """Adds a Set-Cookie field; attributes as in Flask (`max_age=60, httponly=True`)."""
        text = "%s=%s" % (name, value)
        for key, setting in attributes.items():
            key = key.replace("_", "-").title().replace("Httponly", "HttpOnly")
            if setting is True:
                text += "; " + key
            elif setting is not None and setting is not False:
                text += "; %s=%s" % (key, setting)
        self.headers.add("Set-Cookie", text)


def is_response(value: Any) -> bool:
    """Whether run() returned an answer of its own: AMLResponse, or Flask's."""
    return isinstance(value, AMLResponse) or (
        callable(getattr(value, "get_data", None)) and hasattr(value, "status_code")
        and hasattr(value, "headers"))


def parts_of(response: Any) -> Tuple[int, List[Tuple[str, str]], bytes]:
    """Status, headers and body. ValueError where they cannot be sent."""
    status = int(response.status_code)
    if not _STATUS_MIN <= status <= _STATUS_MAX:
        raise ValueError("run() returned status %d, which is not in [%d, %d]"
                         % (status, _STATUS_MIN, _STATUS_MAX))
    body = response.get_data()
    if isinstance(body, str):
        body = body.encode("utf-8")
    headers = [(_checked(name), _checked(value)) for name, value in response.headers.items()
               if name.lower() not in _FRAMING]
    return status, headers, bytes(body)
