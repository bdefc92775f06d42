from __future__ import annotations

import socket
from http.client import HTTPException

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout import wire
from checkout.steps import Deadline, alone

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


def test_a_deadline_ends() -> None:
    assert 0 < Deadline(5).left() <= 5
    with pytest.raises(TimeoutError):
        Deadline(0).left()
