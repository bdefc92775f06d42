"""Ordinary requests are read as gunicorn's parser reads them, and whatever is not ordinary is left to it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from checkout.server import fast_parser
from checkout.server.fast_parser import answered, goes_on, is_plain, is_poll, read
from checkout.server.serve import OPTIONS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CLIENT, SERVER = ("192.0.2.1", 50_000), ("127.0.0.1", 8000)
TOKEN = "0" * 32
POLL = f"GET /pay/{TOKEN}/poll?rev=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
FORM = b"payId=1&type=1"
PUSH = b"GET /appPush?type=1&price=1.00 HTTP/1.1\r\nHost: pay.example.com\r\nUser-Agent: okhttp/3.10.0\r\n\r\n"
CREATE = (
    b"POST /vmq/2/createOrder HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%s" % (len(FORM), FORM)
)
OURS = ("wsgi.input", "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess")  # told by the server, or compared below


def config() -> Any:
    made = Config()
    for name, value in OPTIONS.items():
        if name != "worker_class":
            made.set(name, value)
    return made


CONFIG = config()


def by_gunicorn(request: bytes) -> tuple[dict[str, Any], bytes, bool]:
    """(environment, body, whether the connection stays open) of a request, after which nothing may be left."""
    ours, theirs = socket.socketpair()
    with closing(ours), theirs:
        theirs.sendall(b"!")  # what a parser reads on would come from here
        parser = RequestParser(CONFIG, ours, CLIENT)
        parser.unreader.unread(request)
        asked = next(parser)
        _, environ = wsgi.create(asked, ours, CLIENT, SERVER, CONFIG)
        body = b"" if asked.method == "GET" and "CONTENT_LENGTH" not in environ else environ["wsgi.input"].read()
        assert parser.unreader.take_buffered() == b""
        return environ, body, not asked.should_close()


def agrees_with_gunicorn(request: bytes, environ: WSGIEnvironment) -> None:
    theirs, body, stays = by_gunicorn(request)
    assert {key: environ[key] for key in environ if key not in OURS} == {
        key: theirs[key] for key in theirs if key in environ and key not in OURS
    }
    assert {key for key in theirs if key.startswith(("HTTP_", "CONTENT_"))} <= set(environ)
    assert environ["wsgi.input"].read() == body
    assert environ["wsgi.multithread"] is environ["wsgi.multiprocess"] is True
    assert goes_on(environ) is stays


LAST = POLL.replace(b"Host", b"Connection: Close\r\nHost")
OLD = POLL.replace(b"1.1\r", b"1.0\r")
KEPT = OLD.replace(b"Host", b"Connection: keep-alive\r\nHost")
LONGEST = POLL.replace(b"Host", b"A: " + b"a" * (8190 - len(POLL) + 4 - 5) + b"\r\nHost")  # without its empty line
MOST = POLL.replace(b"Host", b"".join(b"A%d: 1\r\n" % n for n in range(63)) + b"Host")


@pytest.mark.parametrize("request_", [POLL, PUSH, CREATE, LAST, OLD, KEPT, LONGEST, MOST])
def test_what_phones_shops_and_pages_send_is_read_as_gunicorn_reads_it(request_: bytes) -> None:
    environ = read(request_, CLIENT, SERVER)
    assert environ is not None
    agrees_with_gunicorn(request_, environ)


CHARACTERS = "/?%#;=& \t\x00\x7f\xe9\r\n_:+,[]@\\|*~'\"{a"
WORDS = (
    "// %41 .. http: 0 5 05 1.2.3.4 close Close keep-alive host Host X-Forwarded-For Content-Length content-type"
    " Transfer-Encoding Connection Expect chunked 100-continue upgrade Upgrade Script-Name SCRIPT_NAME Path_Info Proxy"
)
PIECES = st.sampled_from([*CHARACTERS, *WORDS.split()])
TEXT = st.lists(PIECES, max_size=4).map("".join)
NAMES = st.sampled_from(["Host", "host", "Connection", "Content-Length", "Content-Type", "Accept", "X-A", "x_b"]) | TEXT
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([":", ": ", " : ", ":\t", ""]), TEXT), max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "POST", "GET", "POST", "HEAD", "get", "CONNECT"]))
    target = draw(st.just("/appPush") | TEXT.map(lambda text: "/" + text) | TEXT)
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.10", "http/1.1", ""]))
    body = draw(st.sampled_from(["", "", "abcde", "GET / HTTP/1.1\r\n\r\n"]))
    lines = [f"{method} {target} {version}", *(name + colon + value for name, colon, value in draw(FIELDS))]
    if draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
    end = draw(st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]))
    return (end.join(lines) + end * 2 + body).encode("latin-1")


@given(request=requests())
@example(request=CREATE)
@example(request=b"GET /a;b=[c]?x=%zz&&'\"{}|\\^` HTTP/1.1\r\nScript-Name: /x\r\nProxy: y\r\nA:\r\n\r\n")
def test_nothing_is_read_in_another_way_than_gunicorn_reads_it(request: bytes) -> None:
    environ = read(request, CLIENT, SERVER)
    if environ is not None:
        agrees_with_gunicorn(request, environ)


PECULIAR = {
    "two requests": POLL + POLL,
    "the beginning of a second": CREATE + b"G",
    "less than its length": CREATE[:-1],
    "a post without a length": POLL.replace(b"GET", b"POST"),
    "another method": POLL.replace(b"GET", b"HEAD"),
    "another version": POLL.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "a whole address": POLL.replace(b"GET /", b"GET http://x/"),
    "two slashes": POLL.replace(b"GET /", b"GET //"),
    "an encoded path": POLL.replace(b"/poll", b"/%70oll"),
    "a tab in the path": POLL.replace(b"/poll", b"/\tpoll"),
    "a tab in the query": POLL.replace(b"rev=1", b"rev=\t1"),
    "a fragment": POLL.replace(b"rev=1", b"rev=1#a"),
    "a second host": POLL.replace(b"Host", b"Host: y\r\nHost"),
    "a second length": CREATE.replace(b"Host", b"Content-Length: 14\r\nHost"),
    "a length that is none": CREATE.replace(b"Length: ", b"Length: +"),
    "chunks": CREATE.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
    "an expectation": CREATE.replace(b"Host", b"Expect: 100-continue\r\nHost"),
    "an upgrade": POLL.replace(b"Host", b"Upgrade: h2c\r\nHost"),
    "settings of a later version": POLL.replace(b"Host", b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nHost"),
    "a length beyond all measure": CREATE.replace(b"Length: 14", b"Length: 0000000014"),
    "several wishes": POLL.replace(b"Host", b"Connection: keep-alive, upgrade\r\nHost"),
    "a name with an underscore": POLL.replace(b"Host", b"X_Forwarded_For: 1.2.3.4\r\nHost"),
    "a space before the colon": POLL.replace(b"Host:", b"Host :"),
    "a line without a colon": POLL.replace(b"Host: x", b"Host: x\r\nAccept"),
    "a folded line": POLL.replace(b"Host: x", b"Host: x\r\n y"),
    "a byte beyond ASCII": POLL.replace(b"Host: x", b"Host: x\r\nA: \xe9"),
    "a control character": POLL.replace(b"Host: x", b"Host: x\x0b"),
    "a bare line feed": POLL.replace(b"Host: x", b"Host: x\nA: b"),
    "bare carriage returns": POLL.replace(b"Host: x", b"Host: x\rA: b"),
    "a line before it": b"\r\n" + POLL,
    "a head that is too long": POLL.replace(b"Host", b"A: " + b"a" * 8190 + b"\r\nHost"),
    "too many fields": POLL.replace(b"Host", b"".join(b"A%d: 1\r\n" % n for n in range(64)) + b"Host"),
}


@pytest.mark.parametrize("why", PECULIAR)
def test_what_is_out_of_the_ordinary_is_left_to_gunicorn(why: str) -> None:
    assert read(PECULIAR[why], CLIENT, SERVER) is None


def test_strangers_names_do_not_fill_the_memory() -> None:
    for number in range(2000):
        assert read(POLL.replace(b"Host", b"X-%d: 1\r\nHost" % number), CLIENT, SERVER)
    assert len(fast_parser._keys) == fast_parser._MOST_NAMES


@pytest.mark.parametrize("path", [b"/pay/", b"/prefix/pay/"])
def test_a_poll_is_told_by_its_first_line(path: bytes) -> None:
    assert is_poll(POLL.replace(b"/pay/", path))
    assert not is_plain(POLL.replace(b"/pay/", path))


@pytest.mark.parametrize("other", [b"POST ", b"GET /admin/?", b"GET /pay/x "])
def test_what_only_looks_like_a_poll_is_none(other: bytes) -> None:
    assert not is_poll(POLL.replace(b"GET ", other))


@pytest.mark.parametrize("target", [b"GET /appPush?a", b"POST /createOrder ", b"GET /base/vmq/12/createOrder?a=b "])
def test_plain_orders_and_reports_are_told_by_their_first_line(target: bytes) -> None:
    assert is_plain(target)
    assert not is_plain(target.replace(b"/createOrder", b"/createOrders").replace(b"/appPush", b"/appHeart"))


def saying(status: str, headers: list[tuple[str, str]], *body: bytes) -> Any:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, headers)
        return body

    return application


def plainly_read(request: bytes) -> WSGIEnvironment:
    environ = read(request, CLIENT, SERVER)
    assert environ is not None
    return environ


def test_an_answer_has_its_length_and_says_whether_the_connection_stays() -> None:
    said = answered(saying("200 OK", [("A", "b"), ("content-length", "99")], b"one", b"two"), plainly_read(PUSH))
    sent = said.written(goes_on=True)
    assert re.fullmatch(
        rb"HTTP/1\.1 200 OK\r\nServer: gunicorn\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n"
        rb"Connection: keep-alive\r\nA: b\r\nContent-Length: 6\r\n\r\nonetwo",
        sent,
    )
    assert b"\r\nConnection: close\r\n" in said.written(goes_on=False)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_nothing_new_has_no_body_and_no_length(status: str) -> None:
    sent = answered(saying(status, [("Content-Length", "1")], b"x"), plainly_read(POLL)).written(goes_on=True)
    assert b"Length" not in sent
    assert sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x00", "\u4e2d"])
def test_a_header_that_cannot_be_sent_is_not_sent(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        answered(saying("200 OK", [("A", value)]), plainly_read(PUSH))


def test_an_application_is_told_when_its_answer_was_read() -> None:
    class Body(list[bytes]):
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    body = Body([b"x"])

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    answered(application, plainly_read(PUSH))
    assert body.is_closed
