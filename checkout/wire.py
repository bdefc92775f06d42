"""One HTTP/1.1 exchange over one socket, within one deadline; `checkout.http` decides what goes where.

http.client reads the answer, through a file whose every read waits until the deadline at most.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_HEAD = 65536  # bytes of an answer's head
_FRAMING = 8  # bytes read for each byte of a body in the worst honest case, chunks of one byte


class Deadline:
    """A moment after which nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, above 0; TimeoutError when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left


def connected(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first IP address that takes it, OSError when none does.

    An address that stays silent gets its share of the time, so that the next ones have theirs.
    """
    for remaining in range(len(addresses), 1, -1):
        try:
            return _dialled(addresses[-remaining], port, deadline.left() / remaining)
        except OSError:
            continue
    return _dialled(addresses[-1], port, deadline.left())


def _dialled(address: str, port: int, timeout_s: float) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def send(sock: socket.socket, message: bytes, deadline: Deadline) -> None:
    """Sends all of it. TimeoutError at the deadline, OSError when the other side breaks off."""
    rest = memoryview(message)
    while rest:  # not sendall, whose timeout is one for all pieces on plain sockets alone
        sock.settimeout(deadline.left())
        rest = rest[sock.send(rest) :]


def receive(sock: socket.socket, method: str, max_body: int, deadline: Deadline) -> tuple[HTTPResponse, bytes]:
    """The final answer and its body, of which `max_body` bytes at most are read.

    TimeoutError at the deadline, OSError when the connection breaks; HTTPException, ValueError or
    OverflowError for what is not HTTP, ends too early, or has a head or framing beyond all measure.
    """
    wire = _Wire(sock, _HEAD + _FRAMING * max_body, deadline)
    response = _final(wire, method)
    if wire.ended:
        raise HTTPException("cut off within the head")
    body = response.read(max_body)
    if response.length and len(body) < max_body:
        raise HTTPException("cut off within the body")
    return response, body


def _final(wire: _Wire, method: str) -> HTTPResponse:
    """The first answer that is not an interim one (103 Early Hints)."""
    while True:
        # http.client asks of a socket only that it makes a file.
        response = HTTPResponse(cast(socket.socket, wire), method=method)
        response.begin()
        if response.status >= 200:
            return response


class _Wire(io.RawIOBase):
    """A socket as a file that brings `limit` bytes at most.

    The limit holds whatever http.client makes of lengths: a chunk of size -1, for one, it reads to the end.
    """

    def __init__(self, sock: socket.socket, limit: int, deadline: Deadline) -> None:
        self.ended = False
        self._sock = sock
        self._left = limit
        self._deadline = deadline
        self._reader = _Reader(self)

    def makefile(self, mode: str) -> io.BufferedReader:
        return self._reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._left <= 0:
            raise HTTPException("longer than is read")
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._left -= count
        self.ended = count == 0
        return count


class _Reader(io.BufferedReader):
    """Stays open: an interim answer, when it is dropped, would close it for the final one."""

    def close(self) -> None:
        pass

    def flush(self) -> None:
        pass
