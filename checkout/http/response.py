"""An HTTP/1.1 answer, put together from the pieces in which it comes (RFC 9112).

Nothing is read twice, however small the pieces: who drips them must not keep the thread that others wait for.
http.client reads the head, when it is there.
"""

from __future__ import annotations

import io
import re
import socket
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from typing import cast

_HEAD = 65536  # bytes of an answer's head
_LINES = 128  # of it; http.client takes 100 fields, which cannot be set for one call
_FRAMING = 8  # bytes read for each byte of a body in the worst honest case, chunks of one byte
_LINE = 65536  # bytes of a line about a chunk
_INTERIM = 100  # answers before the final one
_WITHOUT_BODY = (204, 304)  # statuses, whatever the head says

_HEAD_ENDS = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"[!-9;-~]*:|\r?\Z")  # or the end of the head
_HTTP = b"HTTP/"


class Incoming:
    """What has come of the answer to a request; of its `body` at most `max_body` bytes."""

    def __init__(self, method: str, max_body: int) -> None:
        self.body = bytearray()
        self._method, self._max_body = method, max_body
        self._data = bytearray()
        self._response: HTTPResponse | None = None  # once its head is there
        self._is_chunked = False
        self._length: int | None = 0  # of its body; None: up to the end
        self._at = 0  # where the head begins, then the next chunk
        self._seen = 0  # of a head whose end is not there
        self._interim = 0
        self._left = 0  # of the chunk at hand
        self._is_trailer = False

    def taken(self, piece: bytes) -> HTTPResponse | None:
        """Takes what has come, nothing at its end; gives the answer when it is whole. Raises as `wire.receive`."""
        self._data += piece
        response = self._response or self._begun()
        if response is not None and self._is_whole(is_end=not piece):
            return response
        if not piece:
            raise self._cut_off()
        if len(self._data) > _HEAD + (_FRAMING * self._max_body if response else 0):
            raise HTTPException("longer than is read")
        return None

    def _begun(self) -> HTTPResponse | None:
        """The answer that is not an interim one (103 Early Hints), as soon as its head is there."""
        while self._data.startswith(_HTTP[: len(self._data) - self._at], self._at):
            end = _HEAD_ENDS.search(self._data, max(self._at, self._seen - 2))
            if end is None:
                self._seen = len(self._data)
                return None
            head, self._at = bytes(self._data[self._at : end.end()]), end.end()
            response = self._read(head)
            if response is not None:
                self._response = response
                if self._method != "HEAD" and response.status not in _WITHOUT_BODY:
                    self._is_chunked = _is_chunked(response)
                    self._length = None if self._is_chunked else _length(response)
                return response
        raise HTTPException("no HTTP")

    def _read(self, head: bytes) -> HTTPResponse | None:
        # http.client asks of a socket only that it makes a file.
        response = HTTPResponse(cast(socket.socket, _File(_legible(head))))
        with suppress(RemoteDisconnected):  # it looks for what follows 100 Continue
            response.begin()
            if response.status >= 200:
                return response
        self._interim += 1
        if self._interim > _INTERIM:
            raise HTTPException("got more than 100 interim answers")
        return None

    def _is_whole(self, *, is_end: bool) -> bool:
        if self._is_chunked:
            return self._has_last_chunk(is_end=is_end)
        length = self._max_body if self._length is None else min(self._length, self._max_body)
        if len(self._data) - self._at < length and not (is_end and self._length is None):
            return False
        self.body += self._data[self._at : self._at + length]
        return True

    def _has_last_chunk(self, *, is_end: bool) -> bool:
        """Or as much as is wanted. It reads as http.client does."""
        while (room := self._max_body - len(self.body)) and self._at < len(self._data):
            if self._left:
                part = self._data[self._at : self._at + min(self._left, room)]
                self.body += part
                self._left -= len(part)
                self._at += len(part) if self._left else len(part) + 2
                continue
            end = self._data.find(b"\n", self._at) + 1
            if (end or len(self._data)) - self._at > _LINE:
                raise HTTPException("a line longer than is read")
            if not end:
                break
            line, self._at = bytes(self._data[self._at : end]), end
            if not self._is_trailer:
                self._left = _size(line)
                self._is_trailer = not self._left
            elif line in (b"\r\n", b"\n"):
                return True
        return not room or (is_end and self._is_trailer)

    def _cut_off(self) -> Exception:
        if self._response is not None:
            return HTTPException("cut off within the body")
        if len(self._data) == self._at:
            return ConnectionResetError("closed without an answer")
        return HTTPException("cut off within the head")


def _legible(head: bytes) -> bytes:
    """Without the lines at which http.client would stop: what stands behind them says how long the answer is."""
    if head.count(b"\n") > _LINES:
        raise HTTPException("more lines of head than are read")
    status, *lines = head.split(b"\n")
    kept, is_kept = [status], True
    for line in lines:
        is_kept = _FIELD.match(line) is not None if line[:1] not in (b" ", b"\t") else is_kept
        if is_kept:
            kept.append(line)
    return b"\n".join(kept)


def _is_chunked(response: HTTPResponse) -> bool:
    """Also where it is said twice: curl and requests read that so. HTTPException where a coding that we did not ask for
    is named beside it: the framing must not be taken for the body."""
    codings = _listed(response, "Transfer-Encoding")
    if not any("chunked" in coding for coding in codings):
        return False
    if not codings <= {"chunked", "identity"}:
        raise HTTPException("chunks of what is coded")
    return True


def _length(response: HTTPResponse) -> int | None:
    """What is no length counts for nothing; two of them are none to rely on (RFC 9112, section 6.3): HTTPException."""
    lengths = _listed(response, "Content-Length")
    if len(lengths) > 1:
        raise HTTPException("more than one length")
    try:
        length = int("".join(lengths))
    except ValueError:
        return None
    return length if length >= 0 else None


def _listed(response: HTTPResponse, name: str) -> set[str]:
    """What a header says, be it in one field or several."""
    fields = response.headers.get_all(name, ())
    return {part.strip().lower() for field in fields for part in field.split(",")} - {""}


def _size(line: bytes) -> int:
    """Of the chunk that follows. Raises ValueError."""
    size = int(line.partition(b";")[0], 16)
    if size < 0:
        raise ValueError("a chunk of less than nothing")
    return size


class _File(io.BytesIO):
    def makefile(self, mode: str) -> io.BytesIO:
        return self
