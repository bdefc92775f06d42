"""What all routes share: status codes, and the addresses that merchants name."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from flask import Flask
from msgspec.structs import replace

from checkout.errors import Code, Refusal
from checkout.web import STATUS, check_merchant_url, is_known_host, parts, url_for_buyers
from tests.world import merchant


def test_every_code_has_a_status_that_says_error() -> None:
    assert set(STATUS) == set(Code)
    assert all(400 <= status < 600 and HTTPStatus(status) for status in STATUS.values())


@pytest.mark.parametrize("code", [code for code in Code if STATUS[code] >= 500])
def test_only_our_own_trouble_is_a_5xx(code: Code) -> None:
    assert code in (Code.NO_ACCOUNT, Code.PHONE_OFFLINE, Code.BUSY, Code.DISK_FULL, Code.GATEWAY)
    assert STATUS[code] == (502 if code is Code.GATEWAY else 503)


def test_addresses_for_buyers_start_with_the_base_url(app: Flask) -> None:
    with app.test_request_context("/", base_url="http://evil.example/"):
        assert url_for_buyers("/pay/x") == "http://127.0.0.1:8000/pay/x"


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://shop.example/", True), ("http://shop.example:8080/x?y#z", True), ("https://SHOP.example/", True),
        ("https://two.example/", True), ("https://Two.Example", True), ("https://192.0.2.1/", True),
        ("https://[2001:db8::1]/", True),
        ("https://www.shop.example/", False), ("https://shop.example.evil.example/", False),
        ("https://evil.example/?https://shop.example/", False), ("https://evil.example\\@shop.example/", False),
        ("https://shop.example@evil.example/", False), ("https://x@shop.example/", False),
        ("https://shop.example./", False),
        ("//shop.example/", False), ("shop.example", False), ("", False), ("https://", False), ("https://[", False),
        ("javascript://shop.example/%0aalert(1)", False), ("https://shop.example /", False),
    ],
)  # fmt: skip
def test_a_host_is_the_merchants_own_when_browsers_and_servers_would_both_go_there(url: str, known: bool) -> None:
    owner = merchant(allow_hosts=("two.example", "192.0.2.1", "2001:db8::1"))
    assert is_known_host(url, owner) is known


def test_a_merchant_without_addresses_owns_no_host() -> None:
    owner = merchant(notify_url="", return_url="", allow_hosts=())
    assert not is_known_host("https://shop.example/", owner)
    assert not is_known_host("", owner)


@pytest.mark.parametrize(
    ("url", "what", "fine"),
    [
        ("https://shop.example/n", "notify", True), ("http://shop.example:80/n", "notify", True),
        ("https://shop.example:8443/n", "notify", False), ("https://shop.example:8443/n", "return", True),
        ("http://127.0.0.1/n", "notify", False), ("http://localhost/n", "notify", False),
        ("http://100.100.100.200/n", "notify", False), ("http://[::1]/n", "notify", False),
        ("http://127.0.0.1/n", "return", True), ("ftp://shop.example/", "return", False),
        ("javascript:alert(1)", "return", False), ("https://shop.example/\r\nX: y", "return", False),
    ],
)  # fmt: skip
def test_addresses_are_judged_by_what_they_are_for(app: Flask, url: str, what: str, fine: bool) -> None:
    public = replace(
        app.extensions["checkout"], settings=replace(app.extensions["checkout"].settings, allow_private=False)
    )
    app.extensions["checkout"] = public
    with app.test_request_context("/"):
        assert parts() is public
        if fine:
            check_merchant_url(url, what)
            return
        with pytest.raises(Refusal) as caught:
            check_merchant_url(url, what)
        assert caught.value.code is Code.BAD_URL
