"""One HTTP/1.1 exchange over one socket, within one deadline; `checkout.http` decides what goes where.

Nothing here blocks (`checkout.steps`). http.client reads the answer, when it is there.
"""

from __future__ import annotations

import errno
import io
import os
import re
import socket
from collections.abc import Sequence
from functools import partial
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import cast

from checkout.steps import READ, WRITE, Deadline, Steps, Wait, ready

_HEAD = 65536  # bytes of an answer's head
_FRAMING = 8  # bytes read for each byte of a body in the worst honest case, chunks of one byte
_PIECE = 65536

_HEAD_ENDS = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.\d[ \t]+1\d\d\b")
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*\r?$", re.I | re.M)
_CODING = re.compile(rb"^transfer-encoding[ \t]*:", re.I | re.M)
_LAST_CHUNK = re.compile(rb"\n0+[^\n]*\n(?:[^\n]+\n)*\r?\n$")
_LONGEST_END = 256  # bytes of a last chunk with its trailers; where they are longer, the other side's close is the end
_LOOKS = 4  # at what only looks like an end


def connected(addresses: Sequence[str], port: int, deadline: Deadline) -> Steps[socket.socket]:
    """A connection to the first IP address that takes it, OSError when none does.

    An address that stays silent gets its share of the time, so that the next ones have theirs.
    """
    for remaining in range(len(addresses), 1, -1):
        try:
            return (yield from _dialled(addresses[-remaining], port, deadline.share(remaining)))
        except OSError:
            continue
    return (yield from _dialled(addresses[-1], port, deadline))


def _dialled(address: str, port: int, deadline: Deadline) -> Steps[socket.socket]:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline.left()
        found = sock.connect_ex((address, port))
        while found in (0, errno.EINPROGRESS) and not _has_peer(sock):
            yield Wait(sock, WRITE, deadline.at)
            deadline.left()
            found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if found not in (0, errno.EINPROGRESS):
            raise OSError(found, os.strerror(found))
    except BaseException:
        sock.close()
        raise
    return sock


def _has_peer(sock: socket.socket) -> bool:
    """On this machine, and with some luck elsewhere, a connection that is begun is made."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def send(sock: socket.socket, message: bytes, deadline: Deadline) -> Steps[None]:
    """Sends all of it. TimeoutError at the deadline, OSError when the other side breaks off."""
    rest = memoryview(message)
    while rest:
        rest = rest[(yield from ready(partial(sock.send, rest), sock, WRITE, deadline)) :]


def receive(sock: socket.socket, method: str, max_body: int, deadline: Deadline) -> Steps[tuple[HTTPResponse, bytes]]:
    """The final answer and its body, of which `max_body` bytes at most are read.

    TimeoutError at the deadline, OSError when the connection breaks; HTTPException, ValueError or
    OverflowError for what is not HTTP, ends too early, or has a head or framing beyond all measure.
    """
    answer = _Answer(method, max_body)
    while True:
        piece = yield from ready(partial(sock.recv, _PIECE), sock, READ, deadline)
        answer.data += piece
        if not piece or answer.is_full():
            return answer.read()
        if answer.may_be_whole():
            try:
                return answer.read()
            except _CutOff:
                continue


class _CutOff(HTTPException):
    """The answer ends too early."""


class _Answer:
    """What has come of an answer."""

    def __init__(self, method: str, max_body: int) -> None:
        self.data = bytearray()
        self._limit = _HEAD + _FRAMING * max_body
        self._method, self._max_body = method, max_body
        self._start = 0  # of the head that is not an interim one's (103 Early Hints)
        self._body: int | None = None  # where it begins, once the head is there
        self._wanted: int | None = None  # bytes of the body; None: the last chunk or the other side's close ends it
        self._is_chunked = False
        self._looks = _LOOKS

    def is_full(self) -> bool:
        """The limit holds whatever http.client makes of lengths: a chunk of size -1, for one, it reads to the end."""
        return len(self.data) > self._limit

    def may_be_whole(self) -> bool:
        """Whether to read it now: all of it is here, as far as that can be told, or it is no answer at all."""
        if self._body is None and not self._has_head():
            return not self._begins_well()
        if self._is_chunked:
            is_end = _LAST_CHUNK.search(self.data, max(0, len(self.data) - _LONGEST_END)) is not None
            self._looks -= is_end
            return is_end and self._looks >= 0
        return len(self.data) - cast(int, self._body) >= (self._max_body if self._wanted is None else self._wanted)

    def read(self) -> tuple[HTTPResponse, bytes]:
        """Raises `_CutOff`, or as `receive`."""
        if self._body is None and not self._has_head() and self._begins_well():
            if len(self.data) == self._start and not self.is_full():
                raise ConnectionResetError("closed without an answer")
            raise _CutOff("cut off within the head")
        file = _File(memoryview(self.data)[self._start :])
        # http.client asks of a socket only that it makes a file.
        response = HTTPResponse(cast(socket.socket, file), method=self._method)
        response.begin()
        try:
            body = response.read(self._max_body)
        except IncompleteRead as error:
            raise _CutOff("cut off within a chunk") from error
        if response.length and len(body) < self._max_body:
            raise _CutOff("cut off within the body")
        if self.is_full() and len(body) < self._max_body:
            raise HTTPException("longer than is read")
        return response, body

    def _begins_well(self) -> bool:
        return b"HTTP/".startswith(bytes(self.data[self._start : self._start + 5]))

    def _has_head(self) -> bool:
        while (end := _HEAD_ENDS.search(self.data, self._start)) is not None:
            if not _INTERIM.match(self.data, self._start):
                self._judge(end.end())
                return True
            self._start = end.end()
        return False

    def _judge(self, end: int) -> None:
        """How its body ends. What is unusual is left to http.client, when the other side has closed."""
        head = bytes(self.data[self._start : end])
        self._body = end
        self._is_chunked = _CODING.search(head) is not None
        if length := _LENGTH.search(head):
            self._wanted = min(int(length[1]), self._max_body)
        if self._method == "HEAD" or head[9:12] in (b"204", b"304"):
            self._wanted = 0
            self._is_chunked = False


class _File(io.BytesIO):
    def makefile(self, mode: str) -> io.BytesIO:
        return self
