"""A gunicorn worker whose threads never wait for a client.

A stock gthread worker reads requests in its threads, so that eight clients that send a byte a second stop eight threads
and with them the server; and it waits in its only loop for each client to hang up. Here the loop reads what comes, a
request takes a thread when all of it is here (or none, `checkout.server.fast_paths`; or one after the other,
`checkout.server.admission`), what a client does not take of its answer is sent on by the loop, and goodbyes are waited
for like everything else. When connections become too many, or hold too much (`checkout.server.waiting`), the one that
has been silent for longest goes.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker  # type: ignore[import-untyped]

from checkout.server import fast_parser
from checkout.server.admission import Admission
from checkout.server.balance import Balance, Share
from checkout.server.connections import Connection
from checkout.server.desk import Post
from checkout.server.fast_paths import FastPaths, Served
from checkout.server.framing import Verdict, expectation, is_for_owner, judge
from checkout.server.waiting import Waiting

if TYPE_CHECKING:
    from checkout.interfaces import Store

READING_S = 30  # from the first byte of a request to its last
UPLOADING_S = 180  # the same on the owner's pages: a photo of 8 MB, from a phone
CLOSING_S = 2  # for the client to hang up after our last byte
TAKING_S = 60  # for a client to take a piece of its answer
_SPARE = 8  # connections below the limit at which the listener would be left alone

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REFUSAL = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_REFUSALS = {
    Verdict.TOO_LONG: _REFUSAL.format("413 Content Too Large").encode(),
    Verdict.BROKEN: _REFUSAL.format("400 Bad Request").encode(),
}


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """Everything here but `handle` runs in the loop's thread. `signed` is called once a second while it turns."""

    fast_paths: FastPaths | None = None
    signed: Callable[[], object] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting = Waiting()
        self._next_look = self._next_sign = 0.0
        self._reads: Admission[Connection] = Admission(self.cfg.threads, self.enqueue_req)
        self._share: Share | None = None

    def share_clients(self, balance: Balance) -> None:
        """From now on all workers that have it get as many clients."""
        self._share = Share(balance, self.age)

    def admit_reads(self, at_once: int) -> None:
        """From now on at most so many threads are busy with requests that only read."""
        self._reads = Admission(at_once, self.enqueue_req)

    def open_desk(self, store: Store, post: Post) -> None:
        """From now on requests are answered without a thread where that can be."""
        self.fast_paths = FastPaths(
            self.wsgi, store, post, lambda served: self.method_queue.defer(self._answer, served)
        )

    def notify(self) -> None:
        """Tells whoever watches that the loop turns: once a second will do, not after every event."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + 1
            (self.signed or super().notify)()

    def is_parent_alive(self) -> bool:
        if not super().is_parent_alive():
            self.alive = False  # so that no client is told to stay
        return bool(self.alive)

    def accept(self, listener: Any) -> None:
        if self._share is None or not self._share.leaves_newcomer():
            self._accept(listener)

    def _accept(self, listener: Any) -> None:
        try:
            sock, client = listener.accept()
        except OSError:  # gone again, taken by another worker, or no descriptor left: the next round tries again
            return
        if self._share is not None:
            self._share.take()
        self._make_room()
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, client, listener.getsockname())
        self._waiting.keep(conn, self.cfg.keepalive)
        self._readable(conn, sock)  # most send their request with the first packet, and it is here by now
        if conn in self._waiting:
            self._hear(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(self._reads.look_within(timeout))
        self._reads.admit(time.monotonic())
        if self._share is not None:
            self._share.note(self.nr_conns)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        self._reads.leave(conn, time.monotonic())
        self._finish(conn, not fs.cancelled() and fs.exception() is None and bool(fs.result()))

    def _finish(self, conn: Connection, goes_on: bool) -> None:
        if conn.sock.is_sent:
            self._go_on(conn, goes_on)
        else:
            self._send_on(conn, goes_on)

    def _go_on(self, conn: Connection, goes_on: bool) -> None:
        if not goes_on:
            self._say_goodbye(conn)
            return
        self._wait(conn, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        self._take(conn, conn.take_unread())

    def _send_on(self, conn: Connection, goes_on: bool) -> None:
        """The rest of the answer, as the client takes it; until then it is asked nothing and heard no further."""
        conn.sock.setblocking(False)
        self._waiting.keep(conn, TAKING_S)
        self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._writable, conn, goes_on))
        conn.is_heard = True
        for slow in self._waiting.too_slow():
            self._drop(slow)

    def _writable(self, conn: Connection, goes_on: bool, _sock: Any) -> None:
        if conn not in self._waiting:  # dropped by an event of the same round
            return
        try:
            is_sent = conn.sock.send_on()
        except OSError:
            self._drop(conn)
            return
        self._waiting.keep(conn, TAKING_S)
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
        for conn in self._waiting.late():
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """The server stops: what is not here by then does not come any more."""
        self._waiting.cap(deadline)

    def _wait(self, conn: Connection, seconds: float) -> None:
        self._waiting.keep(conn, seconds)
        self._hear(conn)

    def _hear(self, conn: Connection) -> None:
        if not conn.is_heard:
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn))
            conn.is_heard = True

    def _readable(self, conn: Connection, _sock: Any) -> None:
        if conn not in self._waiting:  # dropped by an event of the same round, or its answer is on its way
            self._stop_hearing(conn)
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

    def _take(self, conn: Connection, data: bytes) -> None:
        if not data:
            return
        if not conn.received:
            self._waiting.keep(conn, UPLOADING_S if is_for_owner(data) else READING_S)
        conn.received += data
        verdict = judge(conn.received, conn.place)
        if verdict is Verdict.WHOLE:
            self._hand_over(conn)
        elif verdict in _REFUSALS:
            self._refuse(conn, _REFUSALS[verdict])
        elif self._waiting.holds_too_much(conn):
            self._refuse(conn, _REFUSALS[Verdict.TOO_LONG])
        elif expected := expectation(conn.received):
            del conn.received[expected.start() : expected.end()]
            conn.place.at = 0
            self._send_now(conn, _CONTINUE)

    def _hand_over(self, conn: Connection) -> None:
        request = conn.take_received()
        served = self.fast_paths.take(conn, request) if self.fast_paths is not None else None
        if served is None:
            self._release(conn)
            self._take_thread(conn, request)
            return
        self._waiting.remove(conn)
        self._answer(served)

    def _take_thread(self, conn: Connection, request: bytes) -> None:
        self._stop_hearing(conn)
        conn.hand_to_parser(request)
        if request.startswith(b"GET "):
            self._reads.enter(conn, time.monotonic())
        else:
            self.enqueue_req(conn)

    def _answer(self, served: Served) -> None:
        """Those who need no thread never leave the loop."""
        for client, answer in served:
            if answer is None:
                self._take_thread(client.conn, client.request)
            else:
                self._send(client.conn, answer, goes_on=self.alive and fast_parser.goes_on(client.environ))

    def _send(self, conn: Connection, answer: fast_parser.Answer, *, goes_on: bool) -> None:
        try:
            conn.sock.sendall(answer.written(goes_on=goes_on))
        except OSError:
            self._close(conn)
            return
        if not conn.sock.is_sent:
            self._stop_hearing(conn)
        self._finish(conn, goes_on)

    def _refuse(self, conn: Connection, words: bytes) -> None:
        self._release(conn)
        self._send_now(conn, words)
        self._say_goodbye(conn)

    def _say_goodbye(self, conn: Connection) -> None:
        """Closing at once could take our last bytes back from the client (RFC 9112, 9.6)."""
        conn.is_closing = True
        conn.received.clear()
        with suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)
        try:
            self._wait(conn, CLOSING_S)
        except (OSError, ValueError):  # the handler has closed it
            self._drop(conn)

    def _send_now(self, conn: Connection, words: bytes) -> None:
        with suppress(OSError):
            conn.sock.send(words, socket.MSG_DONTWAIT)

    def _make_room(self) -> None:
        while self._waiting and self.nr_conns >= self.worker_connections - _SPARE:
            self._drop(next(iter(self._waiting)))

    def _release(self, conn: Connection) -> None:
        self._waiting.remove(conn)
        self._stop_hearing(conn)

    def _stop_hearing(self, conn: Connection) -> None:
        if conn.is_heard:
            self.poller.unregister(conn.sock)
            conn.is_heard = False

    def _drop(self, conn: Connection) -> None:
        self._waiting.remove(conn)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self._stop_hearing(conn)
        self.nr_conns -= 1
        conn.close()
