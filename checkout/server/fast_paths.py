"""Ordinary requests that need no thread: polls, answered in the server's loop, and plain orders and reports of money,
answered at the desk. The application tells by itself whether it would have to wait for something (`checkout.inline`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from checkout.inline import Elsewhere, in_loop
from checkout.server import fast_parser
from checkout.server.connections import Connection
from checkout.server.desk import Desk, Post

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from checkout.interfaces import Store

_LARGEST = 16 * 1024  # bytes: at the desk many may wait
_PROMPT_S = 0.2  # an answer in the loop that takes longer has waited for something: a disk, a lock, its turn
_THREADS_S = 60  # for which polls are left to the threads then


class Client(NamedTuple):
    """Who asks, and what."""

    conn: Connection
    request: bytes
    environ: WSGIEnvironment


Served = list[tuple[Client, fast_parser.Answer | None]]  # None: to be asked in a thread


class FastPaths:
    """`give_back` is called with those whom the desk has served, on its thread."""

    def __init__(self, app: WSGIApplication, store: Store, post: Post, give_back: Callable[[Served], object]) -> None:
        self._app = app
        self._desk: Desk[Client, fast_parser.Answer] = Desk(store, self._begun, give_back, post)
        self._in_loop_from = 0.0
        self._desk.start()

    def take(self, conn: Connection, request: bytes) -> Served | None:
        """In the loop: who was answered at once (nobody: it is at the desk); None: the request needs a thread."""
        is_poll = fast_parser.is_poll(request) and time.monotonic() >= self._in_loop_from
        if len(request) > _LARGEST or not (is_poll or fast_parser.is_plain(request)):
            return None
        environ = fast_parser.read(request, conn.client, conn.server)
        if environ is None:
            return None
        client = Client(conn, request, environ)
        if is_poll:
            return [(client, self._said_at_once(client))]
        self._desk.take(client)
        return []

    def _begun(self, client: Client) -> Callable[[], fast_parser.Answer]:
        return fast_parser.begun(self._app, client.environ)

    def _said_at_once(self, client: Client) -> fast_parser.Answer | None:
        began = time.monotonic()
        try:
            with in_loop():
                return fast_parser.answered(self._app, client.environ)
        except (Elsewhere, Exception):  # what it is a thread says and logs
            return None
        finally:
            now = time.monotonic()
            if now - began > _PROMPT_S:
                self._in_loop_from = now + _THREADS_S
