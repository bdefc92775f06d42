"""Requests that two servers could cut differently: by the bare server, through nginx and through Caddy, with the files
of deploy/, nothing reaches the shop that its sender is not answered for."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests import proxies
from tests.servers import CHECKOUT, Server, ask, serving

_HOST = b"Host: shop\r\n"
_HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
AMBIGUOUS = {
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 40\r\n\r\n",
    "a signed length": b"Content-Length: +0\r\n\r\n",
    "an odd coding": b"Transfer-Encoding: xchunked\r\n\r\n",
    "a coding after the chunks": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"X: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an underscore": b"Content_Length: 40\r\nContent-Length: abc\r\n\r\n",
    "a wrong size of a chunk": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk longer than its size": b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
}
# Caddy reads these as RFC 9112 has it (6.3: chunks win over a length; 5.2: a folded line is one) and passes on what can
# be read in one way only. What stands behind them is a request of its own then, for both.
_READ_BY_CADDY = {"length and chunks", "a folded header"}
_ANSWERED = re.compile(rb"(?im)^x-request-id: ([0-9a-f]{16})\r$")
_LOGGED = re.compile(rb'"request": "([0-9a-f]{16})"')


@dataclass
class Way:
    """`port` leads to the server, directly or through the proxy `kind`; `seen` are requests of before."""

    kind: str
    port: int
    server: Server
    seen: set[bytes] = field(default_factory=set)

    def heard(self) -> set[bytes]:
        """The numbers of the requests that reached the application since it was asked last."""
        last = ask(f"http://127.0.0.1:{self.port}/healthz")
        assert (last.status, json.loads(last.text)) == (200, {"status": "ok"})  # and no answer to what was hidden
        own, deadline = last.headers["X-Request-Id"].encode(), time.monotonic() + 60
        while own not in (found := set(_LOGGED.findall(self.server.log.encode()))):
            assert time.monotonic() < deadline, self.server.log
            time.sleep(0.02)
        news, self.seen = found - self.seen - {own}, found
        return news


@pytest.fixture(scope="module", params=["bare", *proxies.KINDS])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("smuggling")
    if request.param != "bare":
        proxies.required(request.param)
    said = {"CHECKOUT_LOG_LEVEL": "info", "CHECKOUT_LOG_FORMAT": "json"}
    with serving(folder, *CHECKOUT, "serve", "--port", "{port}", environ=said) as (server, url):
        if request.param == "bare":
            yield Way("bare", urlsplit(url).port or 0, server)
            return
        with proxies.before(request.param, folder, url) as port:
            yield Way(request.param, port, server)


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_can_be_cut_in_two_ways_hides_no_second_one(way: Way, case: str) -> None:
    way.heard()
    answers = _raw(way.port, b"POST /appPush HTTP/1.1\r\n" + _HOST + AMBIGUOUS[case] + _HIDDEN)
    assert way.heard() == set(_ANSWERED.findall(answers)), answers
    if way.kind == "caddy" and case in _READ_BY_CADDY:
        return
    assert answers.count(b"HTTP/1.1 ") <= 1, answers
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501", b"HTTP/1.1 502")), answers


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server as most are: with a log of requests, as above, everything is answered by threads."""
    with serving(tmp_path_factory.mktemp("quiet"), *CHECKOUT, "serve", "--port", "{port}") as (_, url):
        yield urlsplit(url).port or 0


@pytest.mark.parametrize("path", [b"/appPush", b"/createOrder", b"/pay/" + b"0" * 32 + b"/poll?rev=1"])
@pytest.mark.parametrize("case", AMBIGUOUS)
def test_the_desk_and_the_loop_hide_no_second_request_either(quiet: int, case: str, path: bytes) -> None:
    method = b"GET " if b"poll" in path else b"POST "
    head = _HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
    answers = _raw(quiet, method + path + b" HTTP/1.1\r\n" + head + AMBIGUOUS[case] + _HIDDEN)
    assert answers.count(b"HTTP/1.1 ") == 1, answers
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answers


def test_two_whole_requests_on_one_connection_are_two(way: Way) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
    way.heard()
    answers = _raw(way.port, first + last)
    assert answers.count(b"HTTP/1.1 200") == 2
    assert way.heard() == set(_ANSWERED.findall(answers))


def _raw(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        found = b""
        with suppress(OSError):
            while piece := connection.recv(65_536):
                found += piece
    return found
