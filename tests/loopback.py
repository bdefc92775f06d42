"""Servers on 127.0.0.1 that behave as they are told, well or badly."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket], None]


class Loopback:
    """Takes connections and behaves alike on each, until it is closed; `connections` counts them."""

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._behave = behave
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._closing:
                sock.close()
                return
            self.connections += 1
            self._open.append(sock)
            self._threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._behave(sock)
        sock.close()

    def close(self) -> None:
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._acceptor.join()
        self._listener.close()
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._open:
            sock.close()


@contextmanager
def serving(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    server = Loopback(behave, tls=tls)
    try:
        yield server
    finally:
        server.close()


def read_request(sock: socket.socket) -> bytes:
    """The head and the body of one request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    while len(body) < length:
        body += _some(sock)
    return head + b"\r\n\r\n" + body


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the client has gone")
    return data


def answering(*answers: bytes, seen: list[bytes] | None = None) -> Behaviour:
    """Read a request, put it into `seen`, send the bytes, close."""

    def behave(sock: socket.socket) -> None:
        request = read_request(sock)
        if seen is not None:
            seen.append(request)
        for answer in answers:
            sock.sendall(answer)

    return behave


def dripping(first: bytes, drops: Iterable[bytes], *, read: bool = True, pause_s: float = 0.02) -> Behaviour:
    """Send the first bytes at once and then drop by drop."""

    def behave(sock: socket.socket) -> None:
        if read:
            read_request(sock)
        sock.sendall(first)
        for drop in drops:
            time.sleep(pause_s)
            sock.sendall(drop)

    return behave


def silent(sock: socket.socket) -> None:
    """Read all that comes and never answer."""
    while sock.recv(65536):
        pass


def sipping(sips: itertools.count[int], *, pause_s: float = 0.02) -> Behaviour:
    """Take the request in small pieces, counting them, into a small buffer."""

    def behave(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        while sock.recv(65536):
            next(sips)
            time.sleep(pause_s)

    return behave


def ok(body: bytes = b"success") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
