"""Which names a request may ask by, and what one that asks by another is told."""

from __future__ import annotations

import logging
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from msgspec.structs import replace
from werkzeug.test import TestResponse, create_environ, run_wsgi_app
from werkzeug.wrappers import Request

from checkout.app import create_app
from checkout.settings import Settings
from tests import proxies
from tests.pages.shop import rev_in
from tests.servers import CHECKOUT, serving
from tests.world import DEVICE_KEY, MERCHANT_KEY, FakeClock, Outside, World, md5

OWN = ["pay.example", "PAY.Example", "pay.example.", "pay.example:8000", "Pay.Example.:443", "pay.example:"]
ADDRESSES = ["203.0.113.7", "192.168.1.5:8000", "127.0.0.1", "[::1]:8000", "[2001:db8::7]", "[::ffff:10.0.0.1]:80"]
PRIVATE = [
    "localhost", "LOCALHOST:8000", "shop.localhost", "checkout", "checkout_server:8000", "nas.local", "pi.lan",
    "host.docker.internal:8000", "checkout.shop.svc.cluster.local", "box.home.arpa", "shop.test",
]  # fmt: skip
FOREIGN = [
    "evil.example", "evil.example:8000", "evil.example.", "pay.example.evil.example", "evilpay.example",
    "x.pay.example", "pay-example.com", "127.0.0.1.evil.example", "1.2.3.4.5", "0x7f.0.0.1", "127.1", "localhost.com",
    "evil.localhost.com", "pay.example.local.com", "evilpay.example:443", "xn--pa-fka.example",
]  # fmt: skip
MALFORMED = [
    "", " ", ":8000", ":", ".", "..", "pay.example,evil.com", "pay.example, pay.example", "pay.example evil.com",
    "evil.com@pay.example", "pay.example@evil.com", "pay.example:80:80", "pay.example:x", "pay.example:-1",
    "pay.example:65536", "pay.example:0", "pay.example:８０", "pay..example", ".pay.example", "pay.example..",
    "pay.example/x", "pay.example?x", "pay.example#x", "pay.example\\evil.com", "pay.example%00", "pay%2eexample",
    "pay.example\r\nX: y", "pay.example\n", "pay.example\0", "pay.example\t", "payー.example", "ｐａｙ.example",
    "p\u0430y.example", "[", "[]", "[::1", "::1", "[::1]x", "[::1%25lo]", "[fe80::1%lo]", "[:::]", "[1.2.3.4]",
    "[pay.example]", "http://pay.example", "<script>", "*", "*.example", "pay.example\xa0", "a" * 64, "a." * 128 + "a",
    "x" * 8000, "pay.example:" + "0" * 5000,
]  # fmt: skip


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A shop with a public address."""
    return replace(settings, base_url="https://pay.example")


def asked(app: Flask, host: str | None, path: str = "/healthz", **environ: str) -> TestResponse:
    """As a server hands on what a client of HTTP/1.1 writes; None: no such line."""
    given: dict[str, Any] = create_environ(path) | {"SERVER_PROTOCOL": "HTTP/1.1", "RAW_URI": path, **environ}
    del given["HTTP_HOST"]
    if host is not None:
        given["HTTP_HOST"] = host.encode().decode("latin-1")
    return TestResponse(*run_wsgi_app(app, given), request=Request(given))


def with_settings(settings: Settings, outside: Outside, **changes: Any) -> Flask:
    return create_app(replace(settings, **changes), send=outside.send, work=False)


def test_the_servers_name_addresses_and_names_of_private_networks_are_answered(app: Flask) -> None:
    for host in (OWN + ADDRESSES + PRIVATE) * 2:
        assert asked(app, host).status_code == 200, host


def test_a_request_by_another_name_is_told_where_names_are_listed(app: Flask) -> None:
    for host in FOREIGN * 2:
        answer = asked(app, host)
        assert (answer.status_code, host.rstrip(".") in answer.text) == (421, False), host
        assert "trusted_hosts (CHECKOUT_TRUSTED_HOSTS)" in answer.text


def test_a_host_that_is_none_is_refused_at_every_door(app: Flask, settings: Settings, outside: Outside) -> None:
    local = with_settings(settings, outside, base_url="http://127.0.0.1:8000")
    for one in (app, local):
        for host in MALFORMED:
            for path in ("/healthz", "/appPush", "/api/v1/orders", "/admin"):
                answer = asked(one, host, path)
                assert (answer.status_code, "Host header" in answer.text) == (400, True), (host, path)
    local.extensions["checkout"].store.close()


def test_only_http_1_0_may_leave_its_host_out(app: Flask) -> None:
    assert asked(app, None, SERVER_PROTOCOL="HTTP/1.0").status_code == 200
    assert asked(app, None).status_code == 400
    assert asked(app, "", SERVER_PROTOCOL="HTTP/1.0").status_code == 400


def test_the_target_of_a_request_counts_more_than_its_host(app: Flask) -> None:
    for target in (
        "http://evil.example/healthz",
        "HTTPS://evil.example:443",
        "x://evil.example?",
        "a+b://evil.example#",
    ):
        assert asked(app, "pay.example", RAW_URI=target).status_code == 421, target
    for target in (
        "http://evil.example@pay.example/",
        "http://pay.example@evil.example/",
        "http:///healthz",
        "http://\\x",
    ):
        assert asked(app, "pay.example", RAW_URI=target).status_code == 400, target
    for target in ("http://pay.example/healthz", "https://PAY.example.:443/healthz"):
        assert asked(app, "evil.example", RAW_URI=target).status_code == 200, target


@pytest.mark.parametrize("header", ["X_FORWARDED_HOST", "FORWARDED", "X_HOST", "X_ORIGINAL_HOST", "X_FORWARDED_SERVER"])
def test_what_is_said_about_the_host_elsewhere_is_not_heard(settings: Settings, outside: Outside, header: str) -> None:
    behind = with_settings(settings, outside, trusted_proxies=("127.0.0.1/32",))
    said = {
        "REMOTE_ADDR": "127.0.0.1",
        f"HTTP_{header}": "host=pay.example" if header == "FORWARDED" else "pay.example",
    }
    assert asked(behind, "evil.example", **said).status_code == 421
    assert asked(behind, "pay.example", **{**said, f"HTTP_{header}": "evil.example"}).status_code == 200
    behind.extensions["checkout"].store.close()


def test_names_that_the_owner_lists_are_answered(settings: Settings, outside: Outside) -> None:
    listed = with_settings(settings, outside, trusted_hosts=("shop.example.com", ".example.org"))
    for host in ("shop.example.com", "Shop.Example.com.:8443", "example.org", "a.b.example.org", "pay.example"):
        assert asked(listed, host).status_code == 200, host
    for host in ("example.com", "x.shop.example.com", "badexample.org", "evil.example"):
        assert asked(listed, host).status_code == 421, host
    listed.extensions["checkout"].store.close()


def test_until_the_public_address_is_set_every_name_is_answered_unless_names_are_listed(
    settings: Settings, outside: Outside
) -> None:
    for base_url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        for names, status in (((), 200), (("pay.example",), 421)):
            one = with_settings(settings, outside, base_url=base_url, trusted_hosts=names)
            assert asked(one, "my-vps.example").status_code == status
            assert asked(one, "pay.example").status_code == asked(one, "127.0.0.1:8000").status_code == 200
            one.extensions["checkout"].store.close()


def test_what_is_answered_before_flask_is_asked_for_its_name_too(world: World) -> None:
    token = world.create("N1", "9.90")["data"]["orderId"]
    poll = f"/pay/{token}/poll?rev={rev_in(asked(world.app, 'pay.example', f'/pay/{token}').text)}"
    assert asked(world.app, "pay.example", poll).status_code == 204
    assert asked(world.app, "evil.example", poll).status_code == 421
    order = {"payId": "N2", "type": "1", "price": "5.00", "sign": md5("N2", "", "1", "5.00", MERCHANT_KEY)}
    path = "/createOrder?" + "&".join(f"{name}={value}" for name, value in order.items())
    assert asked(world.app, "evil.example", path).status_code == 421
    assert asked(world.app, "pay.example", path).status_code == 200


def test_reports_of_money_are_taken_whatever_they_call_the_server(world: World, clock: FakeClock) -> None:
    world.create("N1", "9.90")
    t = str(clock() * 1000)
    push = f"/appPush?type=1&price=9.90&t={t}&sign={md5('1', '9.90', t, DEVICE_KEY)}"
    assert '"code":1' in asked(world.app, "old-name.example", push).text
    assert [one.amount for one in world.payments()] == [990]
    for path in ("/appHeart", "/monitor/push/x", "/monitor/smsforwarder/x", "/notify/alipay"):
        assert asked(world.app, "old-name.example", path).status_code != 421, path
    for path in (
        "/admin/appPush",
        "/appPush/x",
        "/monitor",
        "/createOrder",
        "/getOrder",
        "/metrics",
        "/",
        "/static/x",
        "/return/alipay",
    ):
        assert asked(world.app, "old-name.example", path).status_code == 421, path


def test_a_name_stands_in_the_log_once_and_no_more_than_a_hundred_do(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "checkout.hosts"):
        for number in range(120):
            asked(app, f"Shop{number}.example.com:8000")
            asked(app, f"shop{number}.example.com")
    assert [one.getMessage().partition("that names ")[2].partition(".example")[0] for one in caplog.records] == [
        f"shop{number}" for number in range(100)
    ]
    assert "trusted_hosts" in caplog.records[0].getMessage()


def test_a_refusal_has_the_form_that_its_client_expects(app: Flask) -> None:
    page = asked(app, "evil.example", "/pay/x", HTTP_ACCEPT="text/html", HTTP_ACCEPT_LANGUAGE="en")
    assert page.content_type.startswith("text/html")
    assert "trusted_hosts" in page.text
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    problem = asked(app, "evil.example", "/api/v1/orders")
    assert problem.content_type == "application/problem+json"
    assert problem.get_json()["status"] == 421
    assert asked(app, "evil.example", "/admin").content_type.startswith("text/plain")


RAW = {
    b"GET /healthz HTTP/1.1\r\nHost: pay.example\r\n": b"200",
    b"GET /healthz HTTP/1.0\r\n": b"200",
    b"GET /pay/0123456789abcdef0123456789abcdef/poll?rev=1 HTTP/1.1\r\nHost: evil.example\r\n": b"421",
    b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n": b"421",
    b"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n": b"421",
    b"GET http://evil.example/healthz HTTP/1.1\r\nHost: pay.example\r\n": b"421",
    b"GET http://pay.example/healthz HTTP/1.1\r\nHost: evil.example\r\n": b"200",
    b"GET //evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n": b"421",
    b"GET /healthz HTTP/1.1\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost:\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost: pay.example\r\nHost: evil.example\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nHost: pay.example\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost: pay.example\r\nHost: pay.example\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost: pay.example, evil.example\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost: pay.example\r\n evil.example\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost : pay.example\r\n": b"400",
    b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: pay.example\r\n": b"421",
    b"GET /healthz HTTP/1.1\r\nHost: p\xd0\xb0y.example\r\n": b"400",
    b"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n": b"421",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n": b"421",
}


def test_the_server_itself_keeps_to_it(tmp_path: Path) -> None:
    environ = {"CHECKOUT_BASE_URL": "https://pay.example"}
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}", environ=environ) as (server, url):
        said = {request: _status(int(url.rpartition(":")[2]), request) for request in RAW}
    assert said == RAW
    assert server.log.count("Refused: a request that names evil.example") == 1


@pytest.mark.parametrize("kind", proxies.KINDS)
def test_behind_the_documented_proxy_a_forged_host_reaches_no_answer(tmp_path: Path, kind: str) -> None:
    proxies.required(kind)
    environ = {"CHECKOUT_BASE_URL": "https://pay.example", "CHECKOUT_TRUSTED_PROXIES": "127.0.0.1"}
    with (
        serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}", environ=environ) as (_, url),
        proxies.before(kind, tmp_path, url) as port,
    ):
        for path in ("/", "/admin", "/admin/", "/pay", "/static", "/metrics", "/appPush/", "//evil.example/admin"):
            said = _said(port, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n".encode())
            assert b"evil.example" not in said, said
        assert _status(port, b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n") == b"421"
        assert _status(port, b"GET /healthz HTTP/1.1\r\nHost: pay.example\r\n") == b"200"


def _status(port: int, request: bytes) -> bytes:
    return _said(port, request).split(b" ")[1]


def _said(port: int, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as connection:
        connection.sendall(request + b"Connection: close\r\n\r\n")
        return connection.makefile("rb").read()
