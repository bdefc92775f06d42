"""Clients that take their time must cost nobody else any."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http import RequestParser  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout import catalogue
from checkout import store as stores
from checkout.catalogue import Draft, Goods
from checkout.merchants import Reach
from checkout.model.products import Receipt
from checkout.server.buffering import BufferingWorker
from checkout.server.framing import Place, Verdict, expectation, judge
from checkout.store import open_store
from tests.servers import CHECKOUT, ROOT, ask, serving
from tests.shop import Shop

WAIT, WHOLE, TOO_LONG, BROKEN = Verdict.WAIT, Verdict.WHOLE, Verdict.TOO_LONG, Verdict.BROKEN
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /createOrder HTTP/1.1", b"Host: x", *lines, b"", body])


@pytest.mark.parametrize(
    ("received", "verdict"),
    [
        (b"", WAIT),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", WAIT),
        (GET, WHOLE),
        (GET + b"GET /next", WHOLE),
        (post(b"Content-Length: 3", body=b"ab"), WAIT),
        (post(b"Content-Length: 3", body=b"abc"), WHOLE),
        (post(b"CONTENT-LENGTH:3", body=b"abcd"), WHOLE),
        (post(b"Content-Length: 0"), WHOLE),
        (post(b"X: 1", body=b"Content-Length: 9\r\n"), WHOLE),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"), WAIT),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n"), WAIT),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), WHOLE),
        (post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), WHOLE),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0;x=y\r\n\r\n"), WHOLE),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r"), WAIT),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n" + GET), WHOLE),
        (post(b"Transfer-Encoding: chunked", body=b"3;x;y=z\r\nabc\r\n00\r\n\r\n"), WHOLE),
        # What ends a body, inside a chunk of it.
        (post(b"Transfer-Encoding: chunked", body=b"ff\r\n\r\n0\r\n\r\n"), WAIT),
        (post(b"Transfer-Encoding: chunked", body=b"7\r\n\r\n0\r\n\r\n\r\n"), WAIT),
        (post(b"Transfer-Encoding: chunked", body=b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"), WHOLE),
        (post(b"Transfer-Encoding: chunked", body=b"fffffffff\r\n"), TOO_LONG),
        (post(b"Transfer-Encoding: chunked", body=b"1;" + b"x" * 300), TOO_LONG),
        (post(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n" * 240_000), TOO_LONG),
        (post(b"Content-Length: 1100000"), WAIT),
        (post(b"Content-Length: 1200000"), TOO_LONG),
        (post(b"Content-Length: " + b"9" * 30), TOO_LONG),
        (post(b"Transfer-Encoding: chunked", body=b"a" * 1_200_000), TOO_LONG),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, TOO_LONG),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", TOO_LONG),
        # The parser refuses these without waiting for more.
        (post(b"Content-Length: 3", b"Content-Length: 4"), WHOLE),
        (post(b"Content-Length: -1"), WHOLE),
        (post(b"Content-Length: abc"), WHOLE),
        (post(b"Content-Length: "), WHOLE),
        (post("Content-Length: ３".encode()), WHOLE),
        # The parser would only find these when the application reads.
        (post(b"Transfer-Encoding: chunked", body=b"x\r\n"), BROKEN),
        (post(b"Transfer-Encoding: chunked", body=b"-1\r\n"), BROKEN),
        (post(b"Transfer-Encoding: chunked", body=b"\r\n"), BROKEN),
        (post(b"Transfer-Encoding: chunked", body=b"0x0\r\n"), BROKEN),
        (post(b"Transfer-Encoding: chunked", body=b"3\r\nabcd\r\n0\r\n\r\n"), BROKEN),
        (post(b"Transfer-Encoding: chunked", body=b"3;x\ny\r\nabc\r\n0\r\n\r\n"), BROKEN),
        (post(b"Transfer-Encoding: chunked", body=b"0\r\nHost: trailer\r\n\r\n"), BROKEN),
    ],
)
def test_a_request_is_whole_when_its_head_and_its_body_are_here(received: bytes, verdict: Verdict) -> None:
    assert judge(received) is verdict


@pytest.mark.parametrize(
    ("target", "size", "verdict"),
    [
        (b"/admin/accounts/wx/codes", 8_000_000, WAIT),
        (b"/prefix/admin/accounts", 13_000_000, WAIT),
        (b"/admin/accounts/wx/codes", 14_000_000, TOO_LONG),
        (b"/admin/accounts/wx/codes", 10**12, TOO_LONG),
        (b"/administration", 2_000_000, TOO_LONG),
        (b"/createOrder?next=/admin/x", 2_000_000, TOO_LONG),
    ],
)
def test_the_owners_pages_take_photos(target: bytes, size: int, verdict: Verdict) -> None:
    assert judge(post(b"Content-Length: %d" % size).replace(b"/createOrder", target, 1)) is verdict
    chunk = b"%x\r\n" % size
    assert judge(post(b"Transfer-Encoding: chunked", body=chunk).replace(b"/createOrder", target, 1)) is verdict


def test_only_a_whole_head_asks_to_be_told_to_go_on() -> None:
    """Not the same words in a file that is sent; nor is a large body searched for them at each of its parts."""
    asked = post(b"Expect: 100-Continue", b"Content-Length: 9")
    found = expectation(asked)
    assert found
    assert found[0] == b"\r\nExpect: 100-Continue"
    assert expectation(asked[:-3]) is None
    assert expectation(post(b"Content-Length: 99", body=b"a\r\nExpect: 100-continue\r\nb")) is None


@given(body=st.binary(max_size=200), more=st.binary(max_size=20), cut=st.integers(min_value=0))
def test_no_part_of_a_request_is_taken_for_the_whole(body: bytes, more: bytes, cut: int) -> None:
    whole = post(b"Content-Length: %d" % len(body), body=body)
    assert judge(whole + more) is WHOLE
    assert judge(whole[: cut % len(whole)]) is WAIT


@given(chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=8), cut=st.integers(min_value=1, max_value=9))
def test_no_part_of_a_body_in_chunks_is_taken_for_the_whole_however_it_is_cut(chunks: list[bytes], cut: int) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    whole, place = post(b"Transfer-Encoding: chunked", body=body), Place()
    assert {judge(whole[:end], place) for end in range(0, len(whole), cut)} == {WAIT}
    assert judge(whole + GET, place) is WHOLE


CONFIG = Config()


class AskedForMore(Exception):
    pass


class Sent:
    """A socket on which all that will ever come has come: a thread would wait in its next read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, size: int) -> bytes:
        if not self._data:
            raise AskedForMore
        found, self._data = self._data[:size], self._data[size:]
        return found


HEADS = (
    b"Transfer-Encoding: chunked", b"transfer-encoding:\tChunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding : chunked", b"Transfer_Encoding: chunked", b"Content-Length: 5", b"Content-Length: +5",
    b"Content-Length:  05 ", b"Content-Length: 5,5", b"Content-Length: 5\nX: y", b" Content-Length: 5", b"X: a",
)  # fmt: skip
BODIES = (
    b"0", b"5", b"a", b"ff", b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b";x", b" ", b"\n", b"\r", b"abcde", b"T: 1\r\n", b"-",
    b"0x", b"5\r\nabcde\r\n", b"Content-Length: 5\r\n", GET,
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(HEADS), max_size=3), st.lists(st.sampled_from(BODIES), max_size=9))
def test_what_is_whole_is_refused_at_its_head_or_read_to_its_end(heads: list[bytes], body: list[bytes]) -> None:
    received = post(*heads, body=b"".join(body))
    if judge(received) is WHOLE:
        with suppress(ParseException):
            request = next(RequestParser(CONFIG, Sent(received), ("127.0.0.1", 1)))
            try:
                request.body.read()
            except ParseException as error:  # in the middle of the application: a failure of ours
                raise AssertionError from error


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("buffering"), *CHECKOUT, "serve", "--port", "{port}") as (_server, url):
        yield url


def connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20)


def answer(sock: socket.socket) -> bytes:
    """One answer with its body, and nothing of the next one, which may have come with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(1)
        assert more, data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    whole = bytearray(body)
    while len(whole) < length:
        more = sock.recv(length - len(whole))
        assert more, len(whole)
        whole += more
    return head + b"\r\n\r\n" + whole


def is_well(url: str) -> bool:
    return all(ask(f"{url}/healthz").status == 200 for _ in range(20))


def test_a_request_may_come_byte_by_byte_and_the_connection_serves_on(url: str) -> None:
    with connected(url) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for byte in GET:
                sock.sendall(bytes([byte]))
            assert answer(sock).startswith(b"HTTP/1.1 200")


def test_requests_that_come_together_are_answered_one_after_the_other(url: str) -> None:
    with connected(url) as sock:
        sock.sendall(GET + GET + GET[:10])
        assert b'"ok"' in answer(sock)
        assert b'"ok"' in answer(sock)
        sock.sendall(GET[10:])
        assert b'"ok"' in answer(sock)


FORM = urlencode({"payId": "N1", "type": "1", "price": "9.90"}).encode()
KIND = b"Content-Type: application/x-www-form-urlencoded"


def test_a_body_in_chunks_is_read(url: str) -> None:
    with connected(url) as sock:
        sock.sendall(post(KIND, b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n" % (len(FORM), FORM)))
        sock.sendall(b"0\r\n\r\n")
        assert json.loads(answer(sock).partition(b"\r\n\r\n")[2])["msg"] == "请传入签名"


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on_once(url: str) -> None:
    with connected(url) as sock:
        sock.sendall(post(KIND, b"Expect: 100-continue", b"Content-Length: %d" % len(FORM)))
        assert sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(FORM)
        found = answer(sock)
        assert found.startswith(b"HTTP/1.1 200")
        assert json.loads(found.partition(b"\r\n\r\n")[2])["msg"] == "请传入签名"


@pytest.mark.parametrize(
    "sent",
    [post(b"Content-Length: 999999999", body=b"a"), b"GET / HTTP/1.1\r\nX: " + b"a" * 50_000],
    ids=["body", "head"],
)
def test_what_is_too_long_is_refused_before_it_is_sent(url: str, sent: bytes) -> None:
    with connected(url) as sock:
        sock.sendall(sent)
        assert sock.recv(4096).startswith(b"HTTP/1.1 413")
        assert sock.recv(4096) == b""


def test_idle_and_slow_clients_hold_up_nobody(url: str) -> None:
    with ExitStack() as stack:
        for beginning in (
            b"",
            b"G",
            GET[:-2],
            post(b"Content-Length: 50", body=b"a"),
            post(b"Transfer-Encoding: chunked"),
            post(b"Transfer-Encoding: chunked", body=b"ff\r\n\r\n0\r\n\r\n"),
        ):
            for _ in range(40):
                sock = stack.enter_context(connected(url))
                sock.sendall(beginning)
        assert is_well(url)


def test_more_that_come_at_once_than_there_are_threads_are_all_answered(url: str) -> None:
    page = b"GET /pay/nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        socks = [stack.enter_context(connected(url)) for _ in range(40)]
        for _ in range(3):
            for sock in socks:
                sock.sendall(page)
            assert all(answer(sock).startswith(b"HTTP/1.1 404") for sock in socks)


def test_clients_that_never_hang_up_hold_up_nobody(url: str) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(connected(url))
            sock.sendall(GET[:-2] + b"Connection: close\r\n\r\n")
            assert answer(sock).startswith(b"HTTP/1.1 200")
        assert is_well(url)


def test_clients_that_break_off_in_the_middle_leave_nothing_behind(url: str) -> None:
    for sent in (b"G", GET, post(b"Content-Length: 50", body=b"a")) * 20:
        with connected(url) as sock:
            sock.sendall(sent)
    assert is_well(url)


def test_more_clients_than_there_is_room_for_push_out_those_that_are_silent(tmp_path: Path) -> None:
    limited = 'ulimit -n 600 && exec "$@"'  # leaves room for 88
    command = ("sh", "-c", limited, "sh", sys.executable, "-m", "checkout", "serve", "--port", "{port}")
    with serving(tmp_path, *command) as (_server, url), ExitStack() as stack:
        socks = [stack.enter_context(connected(url)) for _ in range(200)]
        assert is_well(url)
        assert socks[0].recv(1) == b""
        socks[-1].sendall(GET)
        assert answer(socks[-1]).startswith(b"HTTP/1.1 200")


BIG = next((ROOT / "static" / "vendor").glob("htmx-*.min.js"))
GET_BIG = f"GET /static/vendor/{BIG.name} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def deaf(url: str) -> socket.socket:
    """A client with next to no room for what it is sent."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    return sock


def test_clients_that_ask_and_take_nothing_hold_up_nobody(url: str) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(deaf(url)).sendall(GET_BIG * 100)
        assert is_well(url)


def test_answers_that_are_taken_late_come_whole_and_in_order(url: str) -> None:
    with deaf(url) as sock:
        sock.sendall(GET_BIG * 30)
        assert is_well(url)
        for _ in range(30):
            assert answer(sock).endswith(b"\r\n\r\n" + BIG.read_bytes())
        sock.sendall(GET)
        assert b'"ok"' in answer(sock)


GOODS = bytes(range(256)) * 8_000


def sold(folder: Path) -> Receipt:
    """A shop in `folder` that has sold a file."""
    store = open_store(str(folder / "data" / "checkout.db"))
    (folder / "goods").write_bytes(GOODS)
    shop = Shop(store).fill()
    draft = Draft(title_zh="书", price=990, goods=Goods("file", str(folder / "goods")))
    catalogue.add(store, "ebook", draft, Reach(True), actor="test", new_id=shop.new_id, now=shop.now)
    order = shop.open(product="ebook")
    shop.push(990)
    with store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    store.close()
    assert receipt
    return receipt


def test_a_bought_file_that_is_taken_slowly_holds_up_nobody_and_comes_whole(tmp_path: Path) -> None:
    receipt = sold(tmp_path)
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}") as (_server, url), ExitStack() as stack:
        place = re.search(rf"/receipt/{receipt.token}/file[^\"]+", ask(f"{url}/receipt/{receipt.token}").text)
        assert place
        whole = f"GET {place[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        part = whole[:-2] + b"Range: bytes=500000-1499999\r\n\r\n"
        slow = [stack.enter_context(deaf(url)) for _ in range(24)]
        for sock, asked in zip(slow, [whole, part] * 12, strict=True):
            sock.sendall(asked)
        assert is_well(url)
        assert answer(slow[0]).endswith(b"\r\n\r\n" + GOODS)
        assert answer(slow[1]).endswith(b"\r\n\r\n" + GOODS[500_000:1_500_000])
        slow[1].sendall(GET)
        assert b'"ok"' in answer(slow[1])


def test_a_signal_that_comes_while_the_worker_looks_for_its_parent_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = BufferingWorker(0, os.getppid(), [], Mock(), 30, Config(), Mock())
    with closing(worker.tmp):
        assert worker.is_parent_alive()

        def end(_worker: ThreadWorker) -> bool:
            worker.handle_exit(signal.SIGTERM, None)
            return True

        monkeypatch.setattr(ThreadWorker, "is_parent_alive", end)
        monkeypatch.setattr(worker.method_queue, "defer", lambda _call: None)
        assert not worker.is_parent_alive()
        assert not worker.alive
