"""A load driver: keeps a number of connections busy with prepared requests and notes how long each answer took.

Closed loop: a connection sends its next request when its answer is there. One thread and epoll, so that the driver
costs less than the servers that it measures (about 60 µs a request).
"""

from __future__ import annotations

import itertools
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


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
        """Seconds that `share` (0 to 1) of the answers took at the most."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.buffer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def answer(self) -> tuple[int, bytes] | None:
        """(status, body) when the answer is complete. Raises ConnectionError when the server hangs up."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("The server closed the connection.")
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        status = int(head[9:12])
        length = _length(head) if status != 204 else 0
        return (status, body) if len(body) >= length else None


def closed_loop(
    address: tuple[str, int], requests: Iterator[bytes], *, connections: int, seconds: float, keep_bodies: bool = False
) -> Outcome:
    """Runs for `seconds`, or until the requests are used up."""
    selector = selectors.DefaultSelector()
    outcome = Outcome()
    started = time.perf_counter()
    for request in list(itertools.islice(requests, connections)):
        connection = _Connection(address)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(request)
    open_ones = len(selector.get_map())
    while open_ones:
        for key, _ in selector.select():
            connection = key.data
            answer = connection.answer()
            if answer is None:
                continue
            outcome.latencies.append(time.perf_counter() - connection.sent_at)
            outcome.statuses[answer[0]] += 1
            if keep_bodies:
                outcome.bodies.append(answer[1])
            following = next(requests, None) if time.perf_counter() - started < seconds else None
            if following is None:
                selector.unregister(connection.socket)
                connection.socket.close()
                open_ones -= 1
            else:
                connection.send(following)
    outcome.elapsed_s = time.perf_counter() - started
    return outcome


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: str) -> bytes:
    kind = "application/x-www-form-urlencoded"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
