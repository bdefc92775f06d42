"""What the server's loop answers without a thread, and what it leaves to one."""

from __future__ import annotations

import select
import selectors
import socket
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from checkout import logs, patience
from checkout.access import Access
from checkout.framing import is_poll
from checkout.inline import Elsewhere, in_loop, need_thread
from tests.pages.shop import opened, rev_in, settled
from tests.servers import ask, serving
from tests.soak.crash import Ledger, open_order, push, set_up
from tests.world import MERCHANT_KEY, World, md5

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONFIG = Config()
TOKEN = "0" * 32
_LONG_S = 60
POLL = f"GET /pay/{TOKEN}/poll?rev=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.parametrize("path", ["/pay/", "/prefix/pay/"])
def test_a_poll_is_told_by_its_head(path: str) -> None:
    assert is_poll(POLL.replace(b"/pay/", path.encode()))


@pytest.mark.parametrize(
    "other",
    [
        POLL[:-1],
        POLL + POLL,  # who answers the second?
        POLL.replace(b"GET", b"POST"),
        POLL.replace(b"HTTP/1.1", b"HTTP/1.0"),
        POLL.replace(b"/poll", b""),
        POLL.replace(b"?rev=1", b""),
        POLL.replace(b"/pay/", b"/admin/?/pay/"),
        POLL.replace(b"Host", b"Content-Length: 0\r\nHost"),
        POLL.replace(b"Host", b"content-length : 5\r\nContent-LENGTH:5\r\nHost") + b"abcde",
        POLL.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        POLL.replace(b"Host", b"Expect: 100-continue\r\nHost"),
    ],
)
def test_what_is_more_than_a_poll_takes_a_thread(other: bytes) -> None:
    assert not is_poll(other)


def test_only_the_loop_is_told_that_a_thread_is_needed() -> None:
    need_thread()
    with in_loop(), pytest.raises(Elsewhere):
        need_thread()
    with pytest.raises(ZeroDivisionError), in_loop():
        _ = 1 / 0
    need_thread()


def test_what_a_thread_does_again_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[object] = []
    monkeypatch.setattr(logs, "event", lambda *words, **fields: noted.append(fields["status"]))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        need_thread()
        start_response("204 No Content", [])
        return ()

    access, environ = Access(application), {"PATH_INFO": f"/pay/{TOKEN}/poll"}
    with in_loop(), pytest.raises(Elsewhere):
        access(environ, lambda *said: lambda data: None)
    assert noted == []
    access(environ, lambda *said: lambda data: None)
    assert noted == [204]


def test_news_are_left_to_a_thread(world: World) -> None:
    order = opened(world)
    poll = f"/pay/{order.token}/poll?rev={rev_in(world.client.get(f'/pay/{order.token}').text)}"
    with in_loop():
        assert world.client.get(poll).status_code == 204
    settled(world, order)
    with in_loop(), pytest.raises(Elsewhere):
        world.client.get(poll)
    assert world.client.get(poll).status_code == 200


def test_what_is_written_like_a_poll_below_the_owners_pages_is_left_to_a_thread(world: World) -> None:
    """They load much, and note when the owner was there."""
    assert is_poll(POLL.replace(b"/pay/", b"/admin/pay/"))
    with in_loop(), pytest.raises(Elsewhere):
        world.client.get(f"/admin/pay/{TOKEN}/poll?rev=1")
    assert world.client.get(f"/admin/pay/{TOKEN}/poll?rev=1").status_code == 303


def test_a_loop_that_had_to_wait_once_leaves_polls_to_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as for a disk that does not answer: buyers' polls would come one after the other then."""
    monkeypatch.setattr(patience, "_PROMPT_S", -1)
    worker, in_threads = looping(), list[object]()
    monkeypatch.setattr(worker, "handle", lambda conn: True, raising=False)
    monkeypatch.setattr(worker, "enqueue_req", in_threads.append)
    ours, theirs = socket.socketpair()
    with theirs, closing(patience._Conn(CONFIG, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))) as conn:
        worker._wait(conn, 5)
        worker._take(conn, POLL)
        assert in_threads == []
        worker._take(conn, POLL)
        assert in_threads == [conn]


def looping() -> patience.PatientWorker:
    """A worker without a master, whose loop does not run."""
    worker = object.__new__(patience.PatientWorker)
    worker.cfg, worker.poller, worker.answers_polls = CONFIG, selectors.DefaultSelector(), True
    worker._waiting, worker._inline_from = {}, 0.0
    return worker


class Waiting:
    """A real server with a single thread, and an order that waits."""

    def __init__(self, url: str) -> None:
        self._port, self._ledger = int(url.rpartition(":")[2]), Ledger()
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            opened = open_order(connection, self._ledger, "N1", "9.90")
        assert opened
        self.token, self._due = opened
        self._rev = rev_in(ask(f"{url}/pay/{self.token}").text)

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=60)

    def pay(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            assert push(connection, self._ledger, self._due, f"{time.time_ns() // 1_000_000}", "N1")

    def poll(self, *lines: str) -> bytes:
        """One that finds nothing new while the order waits."""
        words = (f"GET /pay/{self.token}/poll?rev={self._rev} HTTP/1.1", "Host: x", *lines, "", "")
        return "\r\n".join(words).encode()


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "checkout.db"
    set_up(path, "http://127.0.0.1:9/notify")
    return path


@pytest.fixture
def waiting(tmp_path: Path, shops: Path) -> Iterator[Waiting]:
    """On a machine that has others to run, an answer may take longer than a loop may wait otherwise."""
    command = f"from checkout import cli, patience; patience._PROMPT_S = {_LONG_S}; cli.main()"
    serve = (sys.executable, "-c", command, "serve", "--port", "{port}")
    with serving(tmp_path, *serve, environ={"CHECKOUT_THREADS": "1"}) as (_, url):
        yield Waiting(url)


def head(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = sock.recv(1)
        assert more, data
        data += more
    return data


def test_buyers_are_answered_while_every_thread_waits_for_the_database(waiting: Waiting, shops: Path) -> None:
    order = urlencode({"payId": "N2", "type": "1", "price": "5.00", "sign": md5("N2", "", "1", "5.00", MERCHANT_KEY)})
    with waiting.connected() as shop, waiting.connected() as buyer, closing(sqlite3.connect(shops)) as other:
        other.execute("BEGIN IMMEDIATE")
        shop.sendall(f"GET /createOrder?{order} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for _ in range(3):
            buyer.sendall(waiting.poll())
            assert head(buyer).startswith(b"HTTP/1.1 204")
        assert select.select([shop], [], [], 0)[0] == []
        other.rollback()
        assert head(shop).startswith(b"HTTP/1.1 200")


def test_polls_that_come_together_are_answered_one_after_the_other(waiting: Waiting) -> None:
    with waiting.connected() as buyer:
        buyer.sendall(waiting.poll() * 3)
        assert [head(buyer)[9:12] for _ in range(3)] == [b"204"] * 3


@pytest.mark.parametrize("ending", [(), ("Connection: close",)])
def test_news_come_over_the_connection_that_the_loop_has_answered(waiting: Waiting, ending: tuple[str, ...]) -> None:
    with waiting.connected() as buyer:
        buyer.sendall(waiting.poll())
        assert head(buyer).startswith(b"HTTP/1.1 204")
        waiting.pay()
        buyer.sendall(waiting.poll(*ending))
        said = head(buyer)
        assert said.startswith(b"HTTP/1.1 200")
        assert (b"Connection: close" in said) == bool(ending)


def test_a_client_that_wants_no_more_is_let_go(waiting: Waiting) -> None:
    with waiting.connected() as buyer:
        buyer.sendall(waiting.poll("Connection: close"))
        assert head(buyer).startswith(b"HTTP/1.1 204")
        assert buyer.recv(1) == b""
