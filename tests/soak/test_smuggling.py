"""Requests that two servers could cut differently are refused, by the bare server and through nginx."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests import proxies
from tests.servers import CHECKOUT, serving

_HOST = b"Host: shop\r\n"
_HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: shop\r\n\r\n"
AMBIGUOUS = {
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 40\r\n\r\n",
    "a signed length": b"Content-Length: +0\r\n\r\n",
    "an odd coding": b"Transfer-Encoding: xchunked\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"X: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an underscore": b"Content_Length: 40\r\nContent-Length: abc\r\n\r\n",
    "a wrong size of a chunk": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
}


@pytest.fixture(scope="module", params=["bare", "nginx"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("smuggling")
    if request.param != "bare":
        proxies.required(request.param)
    with serving(folder, *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        if request.param == "bare":
            yield urlsplit(url).port or 0
            return
        with proxies.before(request.param, folder, url) as front:
            yield front


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_can_be_cut_in_two_ways_hides_no_second_one(port: int, case: str) -> None:
    answers = _raw(port, b"POST /appPush HTTP/1.1\r\n" + _HOST + AMBIGUOUS[case] + _HIDDEN)
    assert answers.count(b"HTTP/1.1 ") <= 1, answers
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answers


def test_two_whole_requests_on_one_connection_are_two(port: int) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
    assert _raw(port, first + last).count(b"HTTP/1.1 200") == 2


def _raw(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        found = b""
        with suppress(OSError):
            while piece := connection.recv(65_536):
                found += piece
    return found
