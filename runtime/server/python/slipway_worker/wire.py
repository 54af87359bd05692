# SPDX-License-Identifier: Apache-2.0
"""The frames that slipway-serve and a worker exchange over their socket.

A frame is 16 bytes (kind u8, flags u8, zero u16, head size u32, body size u64, little-endian), a
head and a body. In heads a text is its size in bytes (u32) and its bytes. The other end is wire.h.
"""
import os
import socket
import struct
from typing import List, NamedTuple, Optional, Tuple

REQUEST, REPLY, READY, FAILED, FORK, FORKED = 1, 2, 3, 4, 5, 6

_FRAME = struct.Struct("<BBHIQ")
_SIZE = struct.Struct("<I")
_REPLY = struct.Struct("<HBxd")
_ROOM = 256 << 10
_NO_TIME = -1.0

# What a reply says of the script in x-ms-run-function-failed.
NOT_FAILED, RUN_FAILED = 0, 1


class Request(NamedTuple):
    """What a client asked, as slipway-serve got it."""

    method: str
    target: str
    request_id: str
    peer: str
    headers: List[Tuple[str, str]]
    body: bytes


class Reply(NamedTuple):
    """What the client is to get. `run_ms` is None where run() did not come to its end."""

    status: int
    headers: List[Tuple[str, str]]
    body: bytes
    failed: int = NOT_FAILED
    run_ms: Optional[float] = None


class Closed(Exception):
    """The other end has gone."""


def _text(data: bytes) -> str:
    return data.decode("latin-1")


class Channel:
    """One end of the socket. Not thread-safe."""

    def __init__(self, descriptor: int):
        os.set_inheritable(descriptor, False)
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._room = bytearray(_ROOM)

    def close(self) -> None:
        self._socket.close()

    def receive_order(self) -> int:
        """The next frame, of which only the kind counts, and no byte of what follows it."""
        with memoryview(self._room)[:_FRAME.size] as view:
            self._fill(view, 0, _FRAME.size)
        return _FRAME.unpack_from(self._room)[0]

    def receive(self) -> Tuple[int, bytes, bytes]:
        """The next frame: kind, head, body. Closed at the end."""
        room = self._room
        view = memoryview(room)
        got = self._fill(view, 0, _FRAME.size)
        kind, _, _, head_size, body_size = _FRAME.unpack_from(room)
        head_end = _FRAME.size + head_size
        end = head_end + body_size
        if end <= _ROOM:
            self._fill(view, got, end)
            return kind, bytes(view[_FRAME.size:head_end]), bytes(view[head_end:end])
        whole = bytearray(end)
        whole[:got] = view[:got]
        with memoryview(whole) as rest:
            self._fill(rest, got, end)
            return kind, bytes(rest[_FRAME.size:head_end]), bytes(rest[head_end:end])

    def _fill(self, view: memoryview, got: int, wanted: int) -> int:
        while got < wanted:
            count = self._socket.recv_into(view[got:])
            if count == 0:
                raise Closed
            got += count
        return got

    def send(self, kind: int, head: bytes, body: bytes) -> None:
        """Sends a frame. Closed where nobody reads."""
        frame = _FRAME.pack(kind, 0, 0, len(head), len(body))
        try:
            if len(body) < 64 << 10:
                self._socket.sendall(frame + head + body)
            else:
                self._socket.sendall(frame + head)
                self._socket.sendall(body)
        except OSError as error:
            raise Closed from error

    def receive_descriptors(self, count: int) -> List[int]:
        """Descriptors that came with one byte of their own."""
        item = struct.calcsize("i")
        data, ancillary, _, _ = self._socket.recvmsg(1, socket.CMSG_SPACE(count * item))
        if not data:
            raise Closed
        found: List[int] = []
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                whole = len(content) - len(content) % item
                found.extend(struct.unpack("%di" % (whole // item), content[:whole]))
        if len(found) != count:
            raise Closed
        return found


def read_request(head: bytes, body: bytes) -> Request:
    """The request of a REQUEST frame."""
    texts = []
    at, end = 0, len(head)
    while at < end:
        (size,) = _SIZE.unpack_from(head, at)
        at += 4
        texts.append(_text(head[at:at + size]))
        at += size
    method, target, request_id, peer = texts[:4]
    fields = iter(texts[4:])
    return Request(method, target, request_id, peer, list(zip(fields, fields)), body)


def write_reply(reply: Reply) -> bytes:
    """The head of a REPLY frame."""
    parts = [_REPLY.pack(reply.status, reply.failed,
                         _NO_TIME if reply.run_ms is None else reply.run_ms)]
    for field in reply.headers:
        for text in field:
            data = text.encode("latin-1", "replace")
            parts.append(_SIZE.pack(len(data)))
            parts.append(data)
    return b"".join(parts)
