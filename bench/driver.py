"""A load driver: keeps connections busy with prepared requests and notes how long each answer took.

Closed loop: a connection sends its next request when its answer is there. Open loop: requests leave by the clock,
however slow the server is, and the time counts from when each should have left: a server that stalls is charged for
all who would have come meanwhile. One thread and epoll, so that the driver costs less than the servers that it
measures (about 40 µs a request).
"""

from __future__ import annotations

import itertools
import selectors
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

_LAST_CHUNK = b"0\r\n\r\n"


@dataclass
class Outcome:
    """`latencies` in seconds, in order of arrival."""

    elapsed_s: float = 0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.elapsed_s

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


class Answer(NamedTuple):
    status: int
    body: bytes


class Connection:
    """Kept open while the server does so too. `tls`: through https; then it never waits for the rest of an answer."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=address[0])
        self.socket.setblocking(tls is None)
        self._is_tls = tls is not None
        self._buffer = b""
        self.sent_at = 0.0
        self.is_over = False  # the server has said that it hangs up after this answer

    def send(self, request: bytes) -> None:
        self._buffer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def answer(self) -> Answer | None:
        """None while it is not complete. Raises ConnectionError when the server hangs up."""
        with suppress(ssl.SSLWantReadError):
            self._receive()
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        status = int(head[9:12])
        self.is_over = b"\nConnection: close" in head
        if b"\nTransfer-Encoding: chunked" in head:
            return Answer(status, _joined(body)) if body.endswith(_LAST_CHUNK) else None
        length = _length(head) if status not in (204, 304) else 0
        return Answer(status, body) if len(body) >= length else None

    def _receive(self) -> None:
        while True:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("The server closed the connection.")
            self._buffer += data
            if not self._is_tls:
                return


def closed_loop(
    address: tuple[str, int], requests: Iterator[bytes], *, connections: int, seconds: float, keep_bodies: bool = False
) -> Outcome:
    """Runs for `seconds`, or until the requests are used up."""
    selector = selectors.DefaultSelector()
    outcome = Outcome()
    started = time.perf_counter()
    for request in list(itertools.islice(requests, connections)):
        connection = Connection(address)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(request)
    open_ones = len(selector.get_map())
    while open_ones:
        for key, _ in selector.select():
            connection = key.data
            answer = connection.answer()
            if answer is None:
                continue
            _note(outcome, answer, connection.sent_at, keep_bodies)
            following = next(requests, None) if time.perf_counter() - started < seconds else None
            if following is None:
                selector.unregister(connection.socket)
                connection.socket.close()
                open_ones -= 1
            else:
                connection.send(following)
    outcome.elapsed_s = time.perf_counter() - started
    selector.close()
    return outcome


def open_loop(
    address: tuple[str, int], requests: Iterator[bytes], *, rate: float, connections: int, seconds: float
) -> Outcome:
    """`rate` requests a second for `seconds`, or until they are used up; then waits for the answers."""
    selector = selectors.DefaultSelector()
    idle = deque(Connection(address) for _ in range(connections))
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, [connection, 0.0])
    waiting: deque[tuple[float, bytes]] = deque()
    outcome, started, sent = Outcome(), time.perf_counter(), 0
    last = int(rate * seconds)
    while sent < last or waiting or len(idle) < connections:
        now = time.perf_counter()
        while sent < last and started + sent / rate <= now:
            request = next(requests, None)
            if request is None:
                last = sent
                break
            waiting.append((started + sent / rate, request))
            sent += 1
        while waiting and idle:
            due, request = waiting.popleft()
            connection = idle.popleft()
            selector.get_key(connection.socket).data[1] = due
            connection.send(request)
        pause = max(0.0, started + sent / rate - time.perf_counter()) if sent < last else 1.0
        for key, _ in selector.select(pause):
            connection, due = key.data
            answer = connection.answer()
            if answer is not None:
                _note(outcome, answer, due, keep_bodies=False)
                idle.append(connection)
    outcome.elapsed_s = time.perf_counter() - started
    for connection in idle:
        connection.socket.close()
    selector.close()
    return outcome


def ask(address: tuple[str, int], request: bytes) -> tuple[Answer, float]:
    """One request on a connection of its own; its answer, and the seconds that it took without connecting."""
    connection = Connection(address)
    with connection.socket:
        connection.send(request)
        while (answer := connection.answer()) is None:
            pass
        return answer, time.perf_counter() - connection.sent_at


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: str) -> bytes:
    kind = "application/x-www-form-urlencoded"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def percentile(seconds: list[float], share: float) -> float:
    """What `share` (0 to 1) of them took at the most."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _note(outcome: Outcome, answer: Answer, since: float, keep_bodies: bool) -> None:
    outcome.latencies.append(time.perf_counter() - since)
    outcome.statuses[answer.status] += 1
    if keep_bodies:
        outcome.bodies.append(answer.body)


def _joined(chunks: bytes) -> bytes:
    """RFC 9112, 7.1, without trailers."""
    body = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        body, chunks = body + rest[:length], rest[length + 2 :] if length else b""
    return body


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
