from __future__ import annotations

import errno
import io
import itertools
import re
import select
import socket
from collections.abc import Iterable
from contextlib import closing, suppress
from http.client import HTTPException, HTTPResponse
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.http import response, steps, wire
from checkout.http.steps import READ, WRITE, Deadline, Steps, Wait, alone
from tests.loopback import serving, silent

PIECES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 302\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 204 No\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 7\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: \xb2\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Content-Type: =?utf-8?b?////?=\r\n", b"Set-Cookie: a\r\n folded\r\n",
    b"\r\n", b"\n", b"\r", b":", b" ", b"\x00", b"\xff", b"success", b"7\r\nsuccess\r\n", b"3;x\r\nabc\r\n",
    b"0\r\n", b"0\r\n\r\n", b"-1\r\n", b"-5\r\n", b"+3\r\n", b"1_0\r\n", b"0x5\r\n", b"f" * 20 + b"\r\n",
    b"-" + b"f" * 20 + b"\r\n", b"9" * 5000 + b"\r\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=10))
def test_whatever_a_server_sends_is_an_answer_or_a_known_fault(pieces: list[bytes]) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                theirs.sendall(start + b"".join(pieces))
            ours.setblocking(False)
            try:
                response, body = alone(wire.receive(ours, "GET", 5, Deadline(5)))
            except (OSError, HTTPException, ValueError, OverflowError):
                continue
        assert 200 <= response.status <= 999
        assert len(body) <= 5
        assert all(isinstance(value, str) for pair in response.getheaders() for value in pair)


class Bits:
    """A socket that brings a bit after the other; then the other side closes, or it stays open."""

    def __init__(self, bits: Iterable[bytes], *, is_open: bool = False) -> None:
        self._bits = iter([*bits, *([] if is_open else [b""])])
        self._is_there = True

    def recv(self, _: int) -> bytes:
        self._is_there = not self._is_there
        if self._is_there:
            raise BlockingIOError
        if (bit := next(self._bits, None)) is None:
            raise TimeoutError
        return bit

    def fileno(self) -> int:
        return 0


def received(bits: Iterable[bytes], *, is_open: bool = False, max_body: int = 65536) -> tuple[int, list[Any], bytes]:
    """What is read from them: status, headers and body."""
    sock = cast(socket.socket, Bits(bits, is_open=is_open))
    steps: Steps[tuple[HTTPResponse, bytes]] = wire.receive(sock, "POST", max_body, Deadline(30))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            response, body = end.value
            return response.status, response.getheaders(), body


class File(io.BytesIO):
    def makefile(self, _: str) -> io.BytesIO:
        return self


def read_at_once(data: bytes, max_body: int) -> tuple[int, list[Any], bytes] | None:
    """What http.client makes of it, without the lines of the head at which it would stop; None: a fault."""
    if (end := HEAD_ENDS.search(data)) is None:
        return None
    status, rest, body = *data[: end.end()].partition(b"\n")[::2], data[end.end() :]
    data = status + b"\n" + ILLEGIBLE.sub(b"", rest) + body
    try:
        response = HTTPResponse(cast(socket.socket, File(data)), method="POST")
        response.begin()
        if not is_framed(response):
            return None
        body = response.read(max_body) if response.length != 0 else b""  # else it looks for chunks in a 204 too
    except (HTTPException, ValueError, OverflowError, OSError):
        return None
    if response.length and len(body) < max_body:
        return None
    return response.status, response.getheaders(), body


def is_framed(response: HTTPResponse) -> bool:
    """Whether it can be read in one way only. Knows of chunks and repeated lengths what http.client does not."""
    codings = ",".join(response.headers.get_all("Transfer-Encoding", ())).lower().replace(" ", "").split(",")
    if response.status in (204, 304):
        return True
    if not any("chunked" in coding for coding in codings):
        lengths = {one.strip() for one in ",".join(response.headers.get_all("Content-Length", ())).split(",")} - {""}
        with suppress(ValueError):
            length = int("".join(lengths))
            response.length = length if length >= 0 else None
        return len(lengths) < 2
    response.chunked, response.chunk_left, response.length = True, None, None
    return {*codings, "chunked", "identity", ""} == {"chunked", "identity", ""}


HEAD_ENDS = re.compile(rb"\n\r?\n")
ILLEGIBLE = re.compile(rb"^(?![!-9;-~]*:|[ \t]|\r?\n).*\n(?:[ \t].*\n)*", re.MULTILINE)  # with what is folded behind it
ODD = [
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Length : 3\r\n",
    b"Content-Length: 7, 7\r\n", b"Content-Length: 8\r\n", b"Content-Length:\r\n", b"Content-Length: ,\r\n",
    b"Transfer-Encoding: , Chunked \r\n", b"Transfer-Encoding: chunked,identity,chunked\r\n",
    b"Content-Length: +7\r\n", b"X: a\rContent-Length: 3\r\n", b"no header\r\n", b"7\nsuccess\r\n0\n",
]  # fmt: skip
STARTS = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1  204 \n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]


@given(st.sampled_from(STARTS), st.lists(st.sampled_from(PIECES + ODD), max_size=8), st.lists(st.integers(1, 150)))
def test_in_whatever_bits_an_answer_comes_it_is_read_as_http_client_reads_it_whole(
    start: bytes, pieces: list[bytes], cuts: list[int]
) -> None:
    data = start + b"".join(pieces)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    bits = [data[here:there] for here, there in itertools.pairwise(places)]
    found = None
    with suppress(HTTPException, ValueError, OSError):
        found = received(bits, max_body=9)
    assert found == read_at_once(data, 9)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 7\r\n\r\nsuccess",
        b"HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\nsuccess",
        b"HTTP/1.1  204 No\r\n\r\n",
        b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n7\r\nsuccess\r\n0\r\nT: t\r\n\r\n",
    ],
)
def test_who_leaves_the_connection_open_is_not_waited_for(answer: bytes) -> None:
    for bits in ([answer], [answer[n : n + 1] for n in range(len(answer))]):
        assert received(bits, is_open=True)[2] in (b"success", b"")


CHUNKS = b"1\r\nx\r\n" * 5000 + b"99999\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 60000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + CHUNKS,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"\n0\r\n\r\n",
    ],
)
def test_what_has_come_is_not_read_again_for_every_bit_that_follows(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []

    class Counted(HTTPResponse):
        def begin(self) -> None:
            begun.append(b"")
            super().begin()

    monkeypatch.setattr(response, "HTTPResponse", Counted)
    with pytest.raises(TimeoutError):
        received([answer, *[b"\n0\r\n\r\n"] * 100], is_open=True)
    assert len(begun) == 1


def test_a_head_without_an_end_is_a_fault_as_soon_as_it_is_too_long() -> None:
    with pytest.raises(HTTPException):
        received([b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n" * 1000] * 20], is_open=True)


def test_a_hundred_interim_answers_are_passed_over_and_one_more_is_a_fault() -> None:
    interim = b"HTTP/1.1 103 E\r\n\r\n"
    assert received([interim] * 100 + [b"HTTP/1.1 204 No\r\n\r\n"], is_open=True)[0] == 204
    with pytest.raises(HTTPException):
        received([interim] * 101, is_open=True)


def test_a_line_about_a_chunk_without_an_end_is_a_fault() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for line in (b"7;", b"0\r\nT: "):
        with pytest.raises(HTTPException):
            received([head + line, *[b"x" * 8192] * 9], is_open=True)


def test_whoever_has_much_to_say_lets_others_go_on_meanwhile() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60000)
        ours.setblocking(False)
        waits = list(wire.receive(ours, "POST", 65536, Deadline(5)))
    assert len(waits) >= 3
    assert all(wait.event != READ for wait in waits)


def test_a_deadline_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    times = SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr(steps, "time", times)
    deadline = Deadline(5)
    times.monotonic = lambda: 104.5
    assert deadline.left() == 0.5
    assert deadline.share(2).left() == 0.25
    for now in (105.0, 106.0):
        times.monotonic = lambda now=now: now
        with pytest.raises(TimeoutError):
            deadline.left()


def test_after_the_deadline_nothing_is_done_but_what_may_be_late_and_need_not_wait() -> None:
    called: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(TimeoutError):
            alone(steps.ready(lambda: called.append("late"), ours, WRITE, Deadline(0)))
        with pytest.raises(TimeoutError):
            alone(steps.ready(lambda: ours.recv(1), ours, READ, Deadline(0), even_late=True))
        theirs.sendall(b"x")
        assert alone(steps.ready(lambda: ours.recv(1), ours, READ, Deadline(0), even_late=True)) == b"x"
    assert called == []


def test_who_has_nothing_else_to_do_waits_for_what_is_asked_for_and_not_beyond_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, ...]] = []
    poll = SimpleNamespace(register=lambda *values: asked.append(values), poll=lambda *values: asked.append(values))
    monkeypatch.setattr(steps, "select", SimpleNamespace(poll=lambda: poll))
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=lambda: 100.0))

    def work() -> Steps[str]:
        yield Wait(ours, READ, 100.25)
        yield Wait(theirs, WRITE, 99)
        return "done"

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert alone(work()) == "done"
    assert asked == [(ours, select.POLLIN), (250,), (theirs, select.POLLOUT), (0,)]


# Where an answer ends, while the other side stays


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def after(data: bytes, method: str, max_body: int) -> tuple[int, bytes] | None:
    """Sends byte by byte: after how many the answer was given, and its body; None: there is none yet."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        receiving = wire.receive(ours, method, max_body, Deadline(10))
        next(receiving)
        for count in range(1, len(data) + 1):
            theirs.sendall(data[count - 1 : count])
            try:
                while next(receiving).event != READ:
                    pass
            except StopIteration as end:
                return count, end.value[1]
    return None


@pytest.mark.parametrize(
    ("answer", "method", "body"),
    [
        (OK + b"Content-Length: 7\r\n\r\nsuccess", "GET", b"success"),
        (OK + b"content-length:7\r\n\r\nsuccess", "GET", b"success"),
        (OK + b"Content-Length: 7\r\nX: y\r\n\r\nsuccess", "GET", b"success"),
        (OK + b"Content-Length: 0\r\n\r\n", "GET", b""),
        (OK + b"Content-Length: 7\r\n\r\n", "HEAD", b""),
        (CHUNKED, "HEAD", b""),
        (OK + b"\r\n", "HEAD", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "GET", b""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", "GET", b""),
        (CHUNKED + b"7\r\nsuccess\r\n0\r\n\r\n", "GET", b"success"),
        (OK + b"transfer-encoding:chunked\r\n\r\n0\r\n\r\n", "GET", b""),
        (CHUNKED + b"7\r\nsuccess\r\n0\r\nA: b\r\nC: d\r\n\r\n", "GET", b"success"),
        (CHUNKED + b"10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n", "GET", b"x" * 16),
        (CHUNKED + b"9\r\na\n0\r\n\r\nbc\r\n0\r\n\r\n", "GET", b"a\n0\r\n\r\nbc"),
        (OK + b"\r\n" + b"x" * 20, "GET", b"x" * 20),
        (OK + b"Content-Length: 21\r\n\r\n" + b"x" * 20, "GET", b"x" * 20),
    ],
)  # fmt: skip
def test_an_answer_is_whole_with_its_last_byte_and_the_close_is_not_waited_for(
    answer: bytes, method: str, body: bytes
) -> None:
    assert after(answer, method, 20) == (len(answer), body)


CHUNKS_OF_SUCCESS = b"3\r\nsuc\r\n4\r\ncess\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: \t Chunked \r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: , chunked,\r\n",
        b"Transfer-Encoding: chunked,chunked\r\nContent-Length: 0\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_chunks_are_told_from_the_body_however_it_is_said_that_there_are_some(head: bytes) -> None:
    """A shop whose "success" is taken for something else is told again and again."""
    answer = OK + head + b"\r\n" + CHUNKS_OF_SUCCESS
    assert after(answer, "POST", 20) == (len(answer), b"success")


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked;q=1\r\n",
        b"Transfer-Encoding: xchunked\r\n",
    ],
)
def test_chunks_of_what_we_cannot_decode_are_no_answer_unless_there_is_no_body(head: bytes) -> None:
    with pytest.raises(HTTPException):
        after(OK + head + b"\r\n", "POST", 20)
    assert received([b"HTTP/1.1 204 No Content\r\n" + head + b"\r\n"])[2] == b""
    assert received([b"HTTP/1.1 304 Not Modified\r\n" + head + b"\r\n"])[2] == b""
    assert after(OK + head + b"\r\n", "HEAD", 20) == (len(OK + head) + 2, b"")


def test_a_coding_without_chunks_does_not_change_where_the_body_ends() -> None:
    """Shops say "binary" where they mean Content-Transfer-Encoding."""
    answer = OK + b"Transfer-Encoding: binary\r\nContent-Length: 7\r\n\r\nsuccess"
    assert after(answer, "POST", 20) == (len(answer), b"success")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 7\r\ncontent-length: 7 \r\n",
        b"Content-Length: 7, 7\r\n",
        b"Content-Length:\r\nContent-Length: 7\r\n",
    ],
)
def test_one_length_may_be_given_twice(head: bytes) -> None:
    answer = OK + head + b"\r\nsuccess"
    assert after(answer, "POST", 20) == (len(answer), b"success")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 7\r\nContent-Length: 8\r\n",
        b"Content-Length: 7, 8\r\n",
        b"Content-Length: 7\r\nContent-Length: seven\r\n",
    ],
)
def test_of_two_lengths_neither_is_relied_on_but_chunks_end_by_themselves(head: bytes) -> None:
    with pytest.raises(HTTPException):
        after(OK + head + b"\r\n", "POST", 20)
    answer = OK + head + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS_OF_SUCCESS
    assert after(answer, "POST", 20) == (len(answer), b"success")
    assert received([b"HTTP/1.1 204 No Content\r\n" + head + b"\r\n"])[2] == b""


@pytest.mark.parametrize("length", [b"", b"-1", b"seven", b"9" * 5000])
def test_what_is_no_length_counts_for_nothing(length: bytes) -> None:
    assert received([OK + b"Content-Length: " + length + b"\r\n\r\nsuccess"])[2] == b"success"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_what_is_no_answer_is_known_by_its_first_byte(start: bytes) -> None:
    assert after(start, "GET", 20) is None
    with pytest.raises(HTTPException):
        after(start + b"S", "GET", 20)


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (b"", ConnectionResetError),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", ConnectionResetError),
        (b"HTTP/1.1 200 OK\r\n", HTTPException),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP", HTTPException),
    ],
)
def test_who_closes_without_an_answer_is_told_from_who_is_cut_off_within_one(
    sent: bytes, fault: type[Exception]
) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            theirs.sendall(sent)
        with pytest.raises(fault):
            alone(wire.receive(ours, "GET", 20, Deadline(10)))


def test_as_much_as_is_read_of_a_body_is_enough_where_its_chunks_go_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(CHUNKED + b"7\r\nsuccess\r\n" + b"1\r\nx\r\n" * 12_000)
        _, body = alone(wire.receive(ours, "GET", 7, Deadline(10)))
    assert body == b"success"


def test_an_answer_that_is_there_is_read_though_the_deadline_has_passed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(OK + b"Content-Length: 7\r\n\r\nsuccess")
        assert alone(wire.receive(ours, "POST", 100, Deadline(0)))[1] == b"success"


def test_what_comes_behind_an_answer_without_a_body_is_not_read() -> None:
    """A server may not chunk what has no body (RFC 9112, section 6.1); some do."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        response, body = alone(wire.receive(ours, "POST", 100, Deadline(10)))
    assert (response.status, body) == (204, b"")


def test_addresses_are_tried_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, object]] = []
    sockets: list[socket.socket] = []

    def refused(sock: socket.socket, address: object) -> int:
        tried.append((sock.family, address))
        sockets.append(sock)
        return errno.ECONNREFUSED

    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    with pytest.raises(ConnectionRefusedError):
        alone(wire.connected(["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"], 80, Deadline(10)))
    assert tried == [
        (socket.AF_INET, ("192.0.2.1", 80)), (socket.AF_INET6, ("2001:db8::1", 80)),
        (socket.AF_INET, ("192.0.2.2", 80)), (socket.AF_INET6, ("2001:db8::2", 80)),
    ]  # fmt: skip
    assert all(sock.fileno() == -1 for sock in sockets)


def test_the_first_of_two_addresses_that_takes_a_connection_has_it_and_gets_small_pieces_at_once() -> None:
    with (
        serving(silent) as server,
        socket.create_server(("127.0.0.2", server.port)),
        alone(wire.connected(["127.0.0.1", "127.0.0.2"], server.port, Deadline(10))) as sock,
    ):
        assert sock.getpeername() == ("127.0.0.1", server.port)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not sock.getblocking()


def test_a_connection_that_is_not_made_yet_is_waited_for_again() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
        closing(wire.connected(["127.0.0.1"], full.getsockname()[1], Deadline(10))) as connecting,
    ):
        first, again = next(connecting), next(connecting)
        assert (first.file, first.event) == (again.file, again.event)
        assert first.event == WRITE


def test_a_connection_that_takes_its_time_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere every one does; on this machine none."""
    has_peer, early = wire._has_peer, [True]
    monkeypatch.setattr(wire, "_has_peer", lambda sock: not (early and early.pop()) and has_peer(sock))
    with serving(silent) as server:
        connecting = wire.connected(["127.0.0.1"], server.port, Deadline(10))
        assert next(connecting).event == WRITE
        with alone(connecting) as sock:
            assert sock.getpeername() == ("127.0.0.1", server.port)


def test_nobody_is_called_when_the_deadline_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(sock: socket.socket, address: object) -> int:
        raise AssertionError("not allowed")

    monkeypatch.setattr(socket.socket, "connect_ex", never)
    with pytest.raises(TimeoutError):
        alone(wire.connected(["127.0.0.1"], 80, Deadline(0)))
