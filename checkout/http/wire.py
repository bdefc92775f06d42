"""One HTTP/1.1 exchange over one socket, within one deadline; `checkout.http.client` decides what goes where.

Nothing here blocks (`checkout.http.steps`). What comes is put together by `checkout.http.response`.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPResponse

from checkout.http.response import Incoming
from checkout.http.steps import READ, WRITE, Deadline, Steps, Wait, ready

_PIECE = 16384


def connected(addresses: Sequence[str], port: int, deadline: Deadline) -> Steps[socket.socket]:
    """A connection to the first IP address that takes it, OSError when none does.

    An address that stays silent gets its share of the time, so that the next ones have theirs.
    """
    for remaining in range(len(addresses), 1, -1):
        with suppress(OSError):
            return (yield from _dialled(addresses[-remaining], port, deadline.share(remaining)))
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

    TimeoutError when it is not there at the deadline, OSError when the connection breaks; HTTPException or ValueError
    for what is not HTTP, ends too early, or has a head or framing beyond all measure.
    """
    answer = Incoming(method, max_body)
    while True:
        piece = yield from ready(partial(sock.recv, _PIECE), sock, READ, deadline, even_late=True)
        if (response := answer.taken(piece)) is not None:
            return response, bytes(answer.body)
        yield Wait(sock, WRITE, deadline.at)  # at once, when the others have had their turn: there may be more already
