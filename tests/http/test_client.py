from __future__ import annotations

import itertools
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from checkout import __version__
from checkout.http.client import Answer, Client, Forbidden, Outgoing, Reason, Unreachable
from tests.loopback import Behaviour, answering, ok, read_request, serving

HTTP = b"HTTP/1.1 "
SOON = 0.15  # a deadline in seconds; what is tested against it would take ten times as long


def ask(behave: Behaviour, *, deadline_s: float = 5, max_body: int = 65536, method: str = "GET") -> Answer:
    """The answer of a server that behaves so."""
    with serving(behave) as server:
        client = Client(allow_private=True, max_body=max_body)
        return client.send(Outgoing(method, f"http://127.0.0.1:{server.port}/n"), deadline_s=deadline_s)


def why(behave: Behaviour, *, deadline_s: float = 5) -> Reason:
    """The reason why there is no answer of a server that behaves so."""
    with pytest.raises(Unreachable) as outcome:
        ask(behave, deadline_s=deadline_s)
    assert type(outcome.value) is Unreachable
    assert outcome.value.message == str(outcome.value)
    return outcome.value.reason


# What is sent


def test_a_request_is_sent_as_it_was_asked_for() -> None:
    seen: list[bytes] = []
    with serving(answering(ok(), seen=seen)) as server:
        answer = Client(allow_private=True).send(
            Outgoing(
                "POST",
                f"http://127.0.0.1:{server.port}/notify?a=1#part",
                {"Content-Type": "application/x-www-form-urlencoded"},
                b"b=2",
            )
        )
    assert (answer.status, answer.body) == (200, b"success")
    assert answer.elapsed_ms >= 0
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert body == b"b=2"
    assert head.decode().split("\r\n") == [
        "POST /notify?a=1 HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Connection: close",
        f"User-Agent: Checkout/{__version__}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Length: 3",
    ]


def test_a_get_has_no_length_and_an_empty_post_has_one() -> None:
    seen: list[bytes] = []
    ask(answering(ok(), seen=seen))
    ask(answering(ok(), seen=seen), method="POST")
    assert b"Content-Length" not in seen[0]
    assert b"\r\nContent-Length: 0\r\n" in seen[1]


def test_the_caller_may_replace_the_user_agent_and_the_accept_header() -> None:
    seen: list[bytes] = []
    with serving(answering(ok(), seen=seen)) as server:
        headers = {"user-agent": "Shop/1", "Accept": "application/json"}
        Client(allow_private=True).send(Outgoing("GET", f"http://127.0.0.1:{server.port}", headers))
    assert b"user-agent: Shop/1" in seen[0]
    assert b"Accept: application/json" in seen[0]
    assert seen[0].lower().count(b"user-agent:") == seen[0].count(b"Accept:") == 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET /x HTTP/1.1\r\nX:", {}),
        ("get", {}),
        ("", {}),
        ("GET", {"X": "a\r\nY: b"}),
        ("GET", {"X": "a\nb"}),
        ("GET", {"X": "支付"}),
        ("GET", {"X\r\nY": "a"}),
        ("GET", {"X: Y": "a"}),
        ("GET", {"": "a"}),
        ("GET", {"host": "other.example"}),
        ("GET", {"Content-Length": "5"}),
        ("GET", {"Transfer-Encoding": "chunked"}),
        ("GET", {"CONNECTION": "keep-alive"}),
        ("GET", {"Expect": "100-continue"}),
    ],
)
def test_a_request_that_would_be_read_as_another_is_not_sent(method: str, headers: dict[str, str]) -> None:
    with serving(answering(ok())) as server:
        with pytest.raises(Forbidden) as refusal:
            Client(allow_private=True).send(Outgoing(method, f"http://127.0.0.1:{server.port}/", headers))
        assert server.connections == 0
    assert refusal.value.reason == Reason.REQUEST


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(ok(b"proxy"))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert ask(answering(ok(b"server"))).body == b"server"
        assert proxy.connections == 0


def test_one_client_serves_many_threads() -> None:
    def echo(sock: socket.socket) -> None:
        sock.sendall(ok(read_request(sock).split(b" ")[1]))

    with serving(echo) as server, ThreadPoolExecutor(8) as pool:
        client = Client(allow_private=True, resolve=lambda host: ["127.0.0.1"])
        urls = [f"http://{host}:{server.port}/{n}" for n in range(50) for host in ("127.0.0.1", "shop.example")]
        bodies = [answer.body for answer in pool.map(lambda url: client.send(Outgoing("GET", url)), urls)]
    assert bodies == [b"/%d" % n for n in range(50) for _ in range(2)]


# What comes back


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with serving(answering(ok())) as elsewhere:
        location = b"Location: http://127.0.0.1:%d/\r\n" % elsewhere.port
        answer = ask(answering(HTTP + b"%d Moved\r\n" % status + location + b"Content-Length: 0\r\n\r\n"))
        assert elsewhere.connections == 0
    assert answer.status == status
    assert answer.headers["location"] == f"http://127.0.0.1:{elsewhere.port}/"


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 429, 500, 503, 599])
def test_each_status_is_an_answer(status: int) -> None:
    assert ask(answering(HTTP + b"%d Said\r\nContent-Length: 0\r\n\r\n" % status)).status == status


def test_headers_are_found_in_either_case_and_repeated_ones_are_joined() -> None:
    headers = ask(answering(HTTP + b"200 OK\r\nX-One: a\r\nx-one: b\r\nContent-Length: 0\r\n\r\n")).headers
    assert headers["X-ONE"] == headers.get("x-one") == "a, b"
    assert dict(headers) == {"x-one": "a, b", "content-length": "0"}
    assert len(headers) == 2
    assert "X-Two" not in headers


@pytest.mark.parametrize(
    "answer",
    [
        HTTP + b"200 OK\r\n\r\nsuccess",
        b"HTTP/1.0 200\r\n\r\nsuccess",
        HTTP + b"200 OK\nContent-Length: 7\n\nsuccess",
        HTTP + b"200 OK\r\nContent-Length: 7\r\n\r\nsuccess and more",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsuc\r\n4;x=y\r\ncess\r\n0\r\nT: z\r\n\r\n",
        HTTP + b"100 Continue\r\n\r\n" + ok(),
        HTTP + b"103 Early Hints\r\nLink: </a>\r\n\r\n" + HTTP + b"103 Early Hints\r\n\r\n" + ok(),
    ],
)
def test_a_body_is_read_in_each_framing(answer: bytes) -> None:
    assert ask(answering(answer)).body == b"success"
    assert ask(answering(*(answer[i : i + 1] for i in range(len(answer))))).body == b"success"


@pytest.mark.parametrize(
    "head",
    [
        b"get-ban-to-cache-result/forum.php: userdata not support\r\n",  # club.huawei.com, behind nginx
        b"X[a]@(b): c\r\n",
        b"X-A : b\r\n",
        b"X A: b\r\n",
        b"X-A : b\r\n folded\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        "支付: yes\r\n".encode(),
        b"X: a\x0bb\r\n",
        "X: 支付\r\n".encode(),
        "X: 支付\r\n".encode("gbk"),
        b"X: a\r\n b\r\n",
        b"X:\r\n",
        b"Content-Length: 7\r\n",
        b"Transfer-Encoding: identity\r\n",
    ],
)
def test_heads_that_servers_should_not_send_and_do_are_read_as_curl_and_requests_read_them(head: bytes) -> None:
    """A shop that has said "success" must not be told again for the sake of a header that nobody looks at."""
    for length in (b"Content-Length: 7\r\n", b""):
        assert ask(answering(HTTP + b"200 OK\r\n" + head + length + b"\r\nsuccess")).body == b"success"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n7\r\nsuccess\r\n0\r\n\r\n"
    assert ask(answering(HTTP + b"200 OK\r\n" + head + chunks)).body == b"success"


@pytest.mark.parametrize(
    "answer",
    [
        HTTP + "200 支付成功\r\nContent-Length: 7\r\n\r\nsuccess".encode(),
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsuccess\r\n0\r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n7\r\nsuccess\r\n0\r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7  \r\nsuccess\r\n0  \r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7 ;x=y\r\nsuccess\r\n0\r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\nsuccess\r\n0\n\r\n",
    ],
)
def test_framing_that_servers_should_not_send_and_do_is_read_as_curl_and_requests_read_it(answer: bytes) -> None:
    assert ask(answering(answer)).body == b"success"


def test_a_body_is_not_decoded() -> None:
    coded = b"\x1f\x8b\x08\x00"
    head = HTTP + b"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    assert ask(answering(head + coded)).body == coded


def test_the_answer_to_head_has_no_body() -> None:
    assert ask(answering(HTTP + b"200 OK\r\nContent-Length: 7\r\n\r\n"), method="HEAD").body == b""


@pytest.mark.parametrize("head", [b"Content-Length: 100000000\r\n", b""])
def test_of_a_hundred_megabytes_only_the_first_64_kib_are_taken(head: bytes) -> None:
    sent = itertools.count()

    def flood(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(HTTP + b"200 OK\r\n" + head + b"\r\n")
        for _ in range(100):
            sock.sendall(b"x" * 1_000_000)
            next(sent)

    assert ask(flood).body == b"x" * 65536
    assert next(sent) < 50  # what the socket buffers of both sides hold


@pytest.mark.parametrize("size", [0, 1, 6, 7, 8])
def test_a_body_is_cut_at_the_limit_of_the_client(size: int) -> None:
    chunked = HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsuc\r\n4\r\ncess\r\n0\r\n\r\n"
    for answer in (ok(), chunked, HTTP + b"200 OK\r\n\r\nsuccess"):
        assert ask(answering(answer), max_body=size).body == b"success"[:size]


def test_a_body_in_chunks_of_one_byte_is_read_up_to_the_limit() -> None:
    chunks = HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 70_000
    assert ask(answering(chunks)).body == b"x" * 65536


# What goes wrong


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"success",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nx",
        b"\rHTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1\x0b199 Nearly\r\n\r\n",
        b"\x00\xff" * 100,
        HTTP + b"200 OK",
        HTTP + b"200 OK\r\nContent-Length: 7\r\n",
        HTTP + b"200 OK\r\nContent-Length: 8\r\n\r\nsuccess",
        HTTP + b"200 OK\r\nContent-Length: 8\r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsucc",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsuccess\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nsuccess\r\n0\r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-ffffffffffffffffff\r\nsuccess\r\n0\r\n\r\n",
        HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsuccess\r\n0\r\n\r\n",
        HTTP + b"200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        HTTP + b"200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        HTTP + b"200 OK\r\n" + b"no field\r\n" * 200 + b"\r\n",
    ],
)
def test_garbage_and_cut_answers_are_no_answers(answer: bytes) -> None:
    assert why(answering(answer)) in (Reason.ANSWER, Reason.CONNECT)


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"", (HTTP + b"103 Early Hints\r\n\r\n") * 100),
        (b"", HTTP + b"100 Continue\r\n" + b"X: y\r\n" * 50 + b"\r\n"),
        (HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 10_000),
        (HTTP + b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"Trailer: x\r\n" * 1000),
    ],
)
def test_an_endless_answer_is_given_up_long_before_it_fills_the_memory(start: bytes, endless: bytes) -> None:
    sent = itertools.count()

    def flood(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(start)
        for _ in range(50_000_000 // len(endless)):
            sock.sendall(endless)
            next(sent)

    assert why(flood) == Reason.ANSWER
    assert next(sent) * len(endless) < 25_000_000  # what the socket buffers of both sides hold


def test_a_server_that_hangs_up_at_once_has_not_answered() -> None:
    assert why(lambda sock: None) == Reason.CONNECT


def test_a_port_where_nobody_listens_is_a_connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable) as outcome:
        Client(allow_private=True).send(Outgoing("GET", f"http://127.0.0.1:{port}/?sign=c0ffee"))
    assert outcome.value.reason == Reason.CONNECT
    assert "c0ffee" not in outcome.value.message
