"""A gunicorn worker whose threads never wait for a client.

A stock gthread worker reads requests in its threads, so that eight clients that send a byte a second stop eight threads
and with them the server; and it waits in its only loop for each client to hang up. Here the loop reads what comes, a
request takes a thread when all of it is here, what a client does not take of its answer is sent on by the loop, and
goodbyes are waited for like everything else. When connections become too many, the one that has been silent for longest
goes.
"""

from __future__ import annotations

import re
import selectors
import socket
import struct
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from checkout.outgoing import Outgoing

READING_S = 30  # from the first byte of a request to its last
UPLOADING_S = 180  # the same on the owner's pages: a photo of 8 MB, from a phone
CLOSING_S = 2  # for the client to hang up after our last byte
TAKING_S = 60  # for a client to take a piece of its answer
STALLED_S = 10  # the same where a thread waits after all: an answer that is made while it is sent
_SEND_BUFFER = 256 * 1024  # our pages fit
_MOST_HEAD = 32 * 1024
_MOST_BODY = 1024 * 1024 + 64 * 1024
_MOST_UPLOAD = 13 * 1024 * 1024  # what the owner's pages take
_SMALL = 16 * 1024
_MOST_HELD = 32 * 1024 * 1024  # bytes of unfinished requests that are not small, over all connections; of answers too
_MOST_FILES = 256  # that are sent at once: `serve` leaves room for 512 besides the connections
_SPARE = 8  # connections below the limit at which the listener would be left alone

_OWNERS = re.compile(rb"[A-Z]+ [^ ?]*/admin/")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:;" + _TOKEN + rb"(?:=" + _TOKEN + rb")?)*")
_MOST_CHUNK_LINE = 256
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REFUSAL = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Verdict(Enum):
    WAIT = 1
    WHOLE = 2  # or so wrong that the parser will refuse it without reading on
    TOO_LONG = 3
    BROKEN = 4


@dataclass(slots=True)
class Place:
    """How far a body in chunks has been looked at: where its next chunk begins; 0: nowhere yet."""

    at: int = 0


def judge(received: bytes | bytearray, place: Place | None = None) -> Verdict:
    """How far a request has come; what follows it does not matter. `place` remembers, from one part to the next."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return Verdict.TOO_LONG if len(received) > _MOST_HEAD else Verdict.WAIT
    if head > _MOST_HEAD:
        return Verdict.TOO_LONG
    body = len(received) - head - 4
    if _CHUNKED.search(received, 0, head + 2):
        place = place or Place()
        place.at = place.at or head + 4
        verdict = _judge_chunks(received, place)
        return Verdict.TOO_LONG if verdict is Verdict.WAIT and body > _most_body(received) else verdict
    lengths = _LENGTH.findall(received, 0, head + 2)
    if not lengths or len(lengths) > 1 or not lengths[0].isdigit():
        return Verdict.WHOLE
    length = int(lengths[0]) if len(lengths[0]) < 10 else _MOST_UPLOAD + 1
    if length > _most_body(received):
        return Verdict.TOO_LONG
    return Verdict.WHOLE if body >= length else Verdict.WAIT


def _most_body(received: bytes | bytearray) -> int:
    return _MOST_UPLOAD if _OWNERS.match(received) else _MOST_BODY


def _judge_chunks(received: bytes | bytearray, place: Place) -> Verdict:
    """From chunk to chunk, as the parser reads: the bytes of a last chunk may also stand inside another one, and who
    believed them there would have a thread wait for the rest."""
    while place.at < len(received):
        line = received.find(b"\r\n", place.at, place.at + _MOST_CHUNK_LINE)
        if line < 0:
            return Verdict.WAIT if len(received) < place.at + _MOST_CHUNK_LINE else Verdict.TOO_LONG
        found = _CHUNK.fullmatch(received, place.at, line)
        if found is None or received[place.at - 2 : place.at] != b"\r\n":
            return Verdict.BROKEN  # the parser would find it when the application reads, too late for a 400
        size = int(found[1], 16)
        if size == 0:  # no client of ours sends trailers, which the parser would judge too late as well
            end = bytes(received[line : line + 4])
            if end == b"\r\n\r\n":
                return Verdict.WHOLE
            return Verdict.WAIT if b"\r\n\r\n".startswith(end) else Verdict.BROKEN
        if size > _most_body(received):
            return Verdict.TOO_LONG
        place.at = line + 2 + size + 2
    return Verdict.WAIT


_REFUSALS = {
    Verdict.TOO_LONG: _REFUSAL.format("413 Content Too Large").encode(),
    Verdict.BROKEN: _REFUSAL.format("400 Bad Request").encode(),
}


class _Conn(TConn):  # type: ignore[misc]
    """A connection with what it has sent of its next request."""

    sock: Outgoing

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sock = Outgoing(self.sock)
        self.received = bytearray()
        self.place = Place()
        self.is_closing = False
        # For the threads; the loop asks not to wait in each call, which is cheaper than switching twice a request.
        self.sock.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALLED_S, 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Everything here but `handle` runs in the loop's thread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: dict[_Conn, None] = {}  # the one that has been silent for longest first
        self._next_look = self._next_sign = 0.0

    def notify(self) -> None:
        """Tells the arbiter that the loop turns: once a second will do, not after every event."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + 1
            super().notify()

    def accept(self, listener: Any) -> None:
        try:
            sock, client = listener.accept()
        except OSError:  # gone again, taken by another worker, or no descriptor left: the next round tries again
            return
        self._make_room()
        self.nr_conns += 1
        self._wait(_Conn(self.cfg, sock, client, listener.getsockname()), self.cfg.keepalive)

    def finish_request(self, conn: _Conn, fs: Future[Any]) -> None:
        goes_on = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        if conn.sock.is_sent:
            self._go_on(conn, goes_on)
        else:
            self._send_on(conn, goes_on)

    def _go_on(self, conn: _Conn, goes_on: bool) -> None:
        if not goes_on:
            self._say_goodbye(conn)
            return
        self._wait(conn, self.cfg.keepalive)
        self._take(conn, conn.parser.unreader.take_buffered())

    def _send_on(self, conn: _Conn, goes_on: bool) -> None:
        """The rest of the answer, as the client takes it; until then it is asked nothing and heard no further."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + TAKING_S
        self._waiting[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._writable, conn, goes_on))
        self._bound_answers()

    def _writable(self, conn: _Conn, goes_on: bool, _sock: Any) -> None:
        if conn not in self._waiting:  # dropped by an event of the same round
            return
        try:
            is_sent = conn.sock.send_on()
        except OSError:
            self._drop(conn)
            return
        conn.timeout = time.monotonic() + TAKING_S
        self._waiting[conn] = self._waiting.pop(conn)
        if is_sent:
            self._release(conn)
            conn.sock.setblocking(True)
            self._go_on(conn, goes_on)

    def murder_pending(self) -> None:
        """Called after every event; looks once a second."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + 1
        for conn in [conn for conn in self._waiting if conn.timeout <= now]:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """The server stops: what is not here by then does not come any more."""
        for conn in self._waiting:
            if conn.sock.is_sent:
                conn.timeout = min(conn.timeout, deadline)

    def _wait(self, conn: _Conn, seconds: float) -> None:
        conn.timeout = time.monotonic() + seconds
        self._waiting[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn))

    def _readable(self, conn: _Conn, _sock: Any) -> None:
        if conn not in self._waiting:  # dropped by an event of the same round
            return
        try:
            data = conn.sock.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
        elif not conn.is_closing:
            self._take(conn, data)

    def _take(self, conn: _Conn, data: bytes) -> None:
        if not data:
            return
        if not conn.received:
            conn.timeout = time.monotonic() + (UPLOADING_S if _OWNERS.match(data) else READING_S)
            self._waiting[conn] = self._waiting.pop(conn)
        conn.received += data
        verdict = judge(conn.received, conn.place)
        if verdict is Verdict.WHOLE:
            self._hand_over(conn)
        elif verdict in _REFUSALS:
            self._refuse(conn, _REFUSALS[verdict])
        elif self._holds_too_much(conn):
            self._refuse(conn, _REFUSALS[Verdict.TOO_LONG])
        elif expected := _EXPECT.search(conn.received):
            del conn.received[expected.start() : expected.end()]
            conn.place.at = 0
            self._send_now(conn, _CONTINUE)

    def _hand_over(self, conn: _Conn) -> None:
        self._release(conn)
        conn.init()
        conn.parser.unreader.unread(bytes(conn.received))
        conn.received.clear()
        conn.place.at = 0
        self.enqueue_req(conn)

    def _refuse(self, conn: _Conn, words: bytes) -> None:
        self._release(conn)
        self._send_now(conn, words)
        self._say_goodbye(conn)

    def _say_goodbye(self, conn: _Conn) -> None:
        """Closing at once could take our last bytes back from the client (RFC 9112, 9.6)."""
        conn.is_closing = True
        conn.received.clear()
        with suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)
        try:
            self._wait(conn, CLOSING_S)
        except (OSError, ValueError):  # the handler has closed it
            self._waiting.pop(conn, None)
            self.nr_conns -= 1
            conn.close()

    def _send_now(self, conn: _Conn, words: bytes) -> None:
        with suppress(OSError):
            conn.sock.send(words, socket.MSG_DONTWAIT)

    def _holds_too_much(self, conn: _Conn) -> bool:
        """All requests that are not small count together, once one of them grows."""
        if len(conn.received) <= _SMALL:
            return False
        sizes = (len(other.received) for other in self._waiting)
        return sum(size for size in sizes if size > _SMALL) > _MOST_HELD

    def _bound_answers(self) -> None:
        """Memory and open files are for all: of those who do not take what they asked for the slowest goes."""
        slow = [conn for conn in self._waiting if not conn.sock.is_sent]
        kept, files = sum(conn.sock.kept for conn in slow), sum(conn.sock.files for conn in slow)
        for conn in slow:
            if kept <= _MOST_HELD and files <= _MOST_FILES:
                return
            kept, files = kept - conn.sock.kept, files - conn.sock.files
            self._drop(conn)

    def _make_room(self) -> None:
        while self._waiting and self.nr_conns >= self.worker_connections - _SPARE:
            self._drop(next(iter(self._waiting)))

    def _release(self, conn: _Conn) -> None:
        del self._waiting[conn]
        self.poller.unregister(conn.sock)

    def _drop(self, conn: _Conn) -> None:
        self._release(conn)
        self.nr_conns -= 1
        conn.close()
