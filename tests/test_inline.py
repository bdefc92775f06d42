"""What the server's loop answers without a thread, and what it leaves to one."""

from __future__ import annotations

import os
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
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from checkout import logs
from checkout.access import Access
from checkout.inline import Elsewhere, at_desk, in_loop, need_desk, need_thread
from checkout.server import buffering, fast_paths
from checkout.server.connections import Connection
from checkout.server.fast_parser import Answer, is_poll
from tests.pages.shop import opened, rev_in, settled
from tests.servers import ask, serving
from tests.soak.crash import Ledger, open_order, push, set_up
from tests.world import MERCHANT_KEY, World, md5

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from checkout.server.desk import Desk

CONFIG = Config()
TOKEN = "0" * 32
_LONG_S = 60
POLL = f"GET /pay/{TOKEN}/poll?rev=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_only_the_loop_and_the_desk_are_told_that_a_thread_is_needed() -> None:
    need_thread()
    need_desk()
    with in_loop(), pytest.raises(Elsewhere):
        need_thread()
    with in_loop(), pytest.raises(Elsewhere):
        need_desk()
    with at_desk(), pytest.raises(Elsewhere):
        need_thread()
    with at_desk():
        need_desk()
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


def test_a_loop_that_had_to_wait_once_leaves_polls_to_the_threads(
    monkeypatch: pytest.MonkeyPatch, looping: Looping
) -> None:
    """Such as for a disk that does not answer: buyers' polls would come one after the other then."""
    monkeypatch.setattr(fast_paths, "_PROMPT_S", -1)
    ours, theirs = socket.socketpair()
    with theirs, closing(Connection(CONFIG, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))) as conn:
        looping._wait(conn, 5)
        looping._take(conn, POLL)
        assert looping.in_threads == []
        looping._take(conn, POLL)
        assert looping.in_threads == [conn]


@pytest.mark.parametrize(("size", "goes_to_desk"), [(1000, True), (100_000, False)])
def test_what_is_long_does_not_wait_at_the_desk(looping: Looping, size: int, goes_to_desk: bool) -> None:
    """All who wait there are kept in memory, twice; no order is so long."""
    at = list[Any]()
    assert looping.fast_paths is not None
    looping.fast_paths._desk = cast("Desk[Any, Answer]", SimpleNamespace(take=at.append))
    ours, theirs = socket.socketpair()
    with theirs, closing(Connection(CONFIG, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))) as conn:
        looping._wait(conn, 5)
        looping._take(conn, b"POST /createOrder HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (size, b"x" * size))
        assert ([client.conn for client in at], looping.in_threads) == (([conn], []) if goes_to_desk else ([], [conn]))


def nothing_new(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return ()


class Looping(buffering.BufferingWorker):
    """A worker without a master, whose loop does not run; what it gives to a thread is noted."""

    def __init__(self) -> None:
        super().__init__(1, os.getppid(), [], Mock(), 30, CONFIG, Mock())
        self.poller, self.in_threads = selectors.DefaultSelector(), list[object]()
        self.fast_paths = fast_paths.FastPaths(
            nothing_new, Mock(), Mock(collect=lambda seconds: time.sleep(seconds)), Mock()
        )

    def enqueue_req(self, conn: Connection) -> None:
        self.in_threads.append(conn)


@pytest.fixture
def looping() -> Iterator[Looping]:
    worker = Looping()
    with closing(worker.poller), closing(worker.tmp):
        yield worker


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
    slow = f"from checkout.server import fast_paths; fast_paths._PROMPT_S = {_LONG_S}"
    serve = (sys.executable, "-c", f"{slow}; from checkout import cli; cli.main()", "serve", "--port", "{port}")
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


def order(number: str) -> bytes:
    values = {"payId": number, "type": "1", "price": "5.00", "sign": md5(number, "", "1", "5.00", MERCHANT_KEY)}
    return f"GET /createOrder?{urlencode(values)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.fixture
def locked(shops: Path) -> Iterator[sqlite3.Connection]:
    """Another program has the database, so that whoever is at the desk stays there for a while."""
    with closing(sqlite3.connect(shops)) as other:
        yield other


def test_who_asks_again_before_the_answer_gets_both_in_turn(waiting: Waiting, locked: sqlite3.Connection) -> None:
    with waiting.connected() as shop:
        locked.execute("BEGIN IMMEDIATE")
        shop.sendall(order("A1"))
        shop.settimeout(0.3)
        with pytest.raises(TimeoutError):
            shop.recv(1)
        shop.settimeout(60)
        shop.sendall(order("A2") + waiting.poll())
        locked.rollback()
        bodies = [answer(shop) for _ in range(2)]
        assert [f'"payId":"{number}"' in body for number, body in zip(("A1", "A2"), bodies, strict=True)] == [True] * 2
        assert head(shop).startswith(b"HTTP/1.1 204")


def test_who_hangs_up_before_the_answer_keeps_nobody_from_theirs(waiting: Waiting, locked: sqlite3.Connection) -> None:
    locked.execute("BEGIN IMMEDIATE")
    for number in range(3):
        with waiting.connected() as shop:
            shop.sendall(order(f"H{number}"))
    with waiting.connected() as shop:
        shop.sendall(order("H3"))
        locked.rollback()
        assert '"payId":"H3"' in answer(shop)
        for number in range(3):
            shop.sendall(order(f"H{number}"))
            assert f'"payId":"H{number}"' in answer(shop)


def test_a_database_that_stays_locked_is_said_and_the_next_order_is_taken(
    waiting: Waiting, locked: sqlite3.Connection
) -> None:
    with waiting.connected() as shop:
        locked.execute("BEGIN IMMEDIATE")
        shop.sendall(order("L1"))
        assert head(shop).startswith(b"HTTP/1.1 503")
    locked.rollback()
    with waiting.connected() as shop:
        shop.sendall(order("L1"))
        assert '"code":1' in answer(shop)


def answer(sock: Any) -> str:
    said = head(sock).decode()
    assert said.startswith("HTTP/1.1 200"), said
    length, body = int(said.partition("Content-Length: ")[2].partition("\r\n")[0]), b""
    while len(body) < length:
        body += sock.recv(length - len(body))
    return body.decode()
