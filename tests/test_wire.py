from __future__ import annotations

import io
import itertools
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import wire
from checkout.steps import READ, Deadline, Steps, alone

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
    """What http.client makes of it; None: a fault."""
    try:
        response = HTTPResponse(cast(socket.socket, File(data)), method="POST")
        response.begin()
        body = response.read(max_body)
    except (HTTPException, ValueError, OverflowError, OSError):
        return None
    if (response.length and len(body) < max_body) or not HEAD_ENDS.search(data):
        return None
    return response.status, response.getheaders(), body


HEAD_ENDS = re.compile(rb"\n\r?\n")
ODD = [
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Length : 3\r\n",
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
        b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 60000\r\nContent-Length: 0\r\n\r\n",
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

    monkeypatch.setattr(wire, "HTTPResponse", Counted)
    with pytest.raises(TimeoutError):
        received([answer, *[b"\n0\r\n\r\n"] * 100], is_open=True)
    assert len(begun) == 1


def test_a_head_without_an_end_is_a_fault_as_soon_as_it_is_too_long() -> None:
    with pytest.raises(HTTPException):
        received([b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n" * 1000] * 20], is_open=True)


def test_interim_answers_without_an_end_are_a_fault() -> None:
    with pytest.raises(HTTPException):
        received([b"HTTP/1.1 103 E\r\n\r\n"] * 101, is_open=True)


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


def test_a_deadline_ends() -> None:
    assert 0 < Deadline(5).left() <= 5
    with pytest.raises(TimeoutError):
        Deadline(0).left()
