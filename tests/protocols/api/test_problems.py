"""Whatever is wrong, the answer is a problem document that says what, and nothing is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checkout.errors import StoreError
from tests.clients.api import Shop, problem
from tests.world import World

PRICE = {"amount": 990, "currency": "CNY"}
GOOD = {"number": "N1", "price": PRICE}


def pointers(found: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in found["errors"]]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"number": 1}, "#/number"), ({"number": ""}, "#/number"), ({"number": "x" * 101}, "#/number"),
        ({"number": None}, "#/number"), ({"number": "a\nb"}, "#/number"), ({"number": "a\n"}, "#/number"),
        ({"number": "\ud800"}, "#/number"), ({"number": ["N1"]}, "#/number"),
        ({"price": 990}, "#/price"), ({"price": "9.90"}, "#/price"), ({"price": {}}, "#/price"),
        ({"price": {**PRICE, "amount": 9.9}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": 990.0}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": True}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": "990"}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": "９９０"}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": 0}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": -1}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": 10**11}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": 10**40}}, "#/price/amount"),
        ({"price": {**PRICE, "amount": None}}, "#/price/amount"),
        ({"price": {**PRICE, "currency": "USD"}}, "#/price/currency"), ({"price": {"amount": 1}}, "#/price"),
        ({"price": {**PRICE, "amout": 1}}, "#/price/amout"),
        ({"quantity": 0}, "#/quantity"), ({"quantity": True}, "#/quantity"), ({"quantity": 1.0}, "#/quantity"),
        ({"method": "cash"}, "#/method"), ({"method": ""}, "#/method"), ({"scene": "QR"}, "#/scene"),
        ({"metadata": []}, "#/metadata"), ({"metadata": {"a": 1}}, "#/metadata"),
        ({"metadata": {"a": None}}, "#/metadata"),
        ({"metadata": {"": "x"}}, "#/metadata"), ({"metadata": {"a": "x" * 501}}, "#/metadata"),
        ({"metadata": {str(i): "" for i in range(21)}}, "#/metadata"), ({"metadata": {"a": {"b": "c"}}}, "#/metadata"),
        ({"metadata": {"a/b~": "\x00"}}, "#/metadata/a~1b~0"), ({"metadata": {"\x7f": ""}}, "#/metadata"),
        ({"expires_in": 59}, "#/expires_in"), ({"expires_in": 3601}, "#/expires_in"),
        ({"expires_in": "60"}, "#/expires_in"),
        ({"notify_url": "javascript:alert(1)"}, "#/notify_url"), ({"return_url": "//x.example"}, "#/return_url"),
        ({"notify_url": "https://shop.example/\r\nX: y"}, "#/notify_url"),
        ({"notify_url": "https://shöp.example/"}, "#/notify_url"),
        ({"product": "../tea"}, "#/product"), ({"product": 5}, "#/product"), ({"openid": "a b"}, "#/openid"),
        ({"state": "paid"}, "#/state"), ({"merchant": 1002}, "#/merchant"), ({"really_price": PRICE}, "#/really_price"),
        ({"Number": "x"}, "#/Number"), ({"ref": "x" * 201}, "#/ref"), ({"title": 5}, "#/title"),
    ],
    ids=lambda one: str(one)[:60],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_written(shop: Shop, changes: dict[str, Any], pointer: str) -> None:
    found = shop.refused(400, "POST", "/orders", {**GOOD, **changes}, once="k1")
    assert found["code"] == "bad_request"
    assert pointers(found) == [pointer]
    assert shop.all() == []
    assert shop.send("POST", "/orders", GOOD, once="k1").status == 201, "a refused request leaves its key free"


def test_all_faults_are_named_at_once(shop: Shop) -> None:
    found = shop.refused(400, "POST", "/orders", {"price": {"amount": "1", "currency": "CNY"}, "colour": "red"})
    assert pointers(found) == ["#/number", "#/price/amount", "#/colour"]


def test_many_faults_are_cut_short(shop: Shop) -> None:
    assert len(shop.refused(400, "POST", "/orders", {**GOOD, **{f"x{i}": 1 for i in range(500)}})["errors"]) == 20


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"[]", b"null", b"1", b'"x"', b"\xff{}", b"\xef\xbb\xbf{}", b'{"number": NaN}', b"number=N1",
        b'{"number":"N1","number":"N2","price":{"amount":1,"currency":"CNY"}}',
        b'{"number":"N1","price":{"amount":1,"amount":2,"currency":"CNY"}}',
        b"[" * 5000, b'{"metadata":' + b'{"a":' * 40 + b"1" + b"}" * 41, b'{"a":' * 5000,
        b'{"number":' + b"9" * 5000 + b"}",
        b'{"number":1e400}', b'{"number":"\\ud800"}', '{"number":"N1"}'.encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:30]),
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(shop: Shop, raw: bytes) -> None:
    assert shop.refused(400, "POST", "/orders", raw=raw)["code"] == "bad_request"


def test_a_body_must_be_json_in_utf8_and_of_a_sane_size(shop: Shop) -> None:
    body = json.dumps(GOOD).encode()
    for kind in ("application/x-www-form-urlencoded", "text/plain", "", "application/json; charset=gbk", "text/json"):
        found = shop.refused(415, "POST", "/orders", raw=body, headers={"Content-Type": kind})
        assert found["code"] == "unsupported_media_type"
    assert shop.refused(413, "POST", "/orders", raw=b'{"x":"' + b"x" * 65536 + b'"}')["code"] == "too_large"
    assert shop.refused(413, "POST", "/orders", raw=b" " * 1_100_000)["code"] == "too_large"
    accepted = shop.send("POST", "/orders", raw=body, headers={"Content-Type": "application/json; charset=UTF-8"})
    assert accepted.status == 201


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 404), ("GET", "", 404), ("GET", "/nothing", 404), ("GET", "/orders/", 404), ("PUT", "/orders", 405),
    ("DELETE", "/orders/" + "0" * 32, 405), ("OPTIONS", "/orders", 405), ("TRACE", "/orders", 405),
    ("POST", "/openapi.json", 405), ("GET", "/orders/x/close", 405), ("PATCH", "/receipts/x", 405),
    ("GET", "/receipts/x", 404),
])  # fmt: skip
def test_a_wrong_path_or_method_gets_a_problem_too(shop: Shop, method: str, path: str, status: int) -> None:
    reply = shop.send(method, path, headers={"Accept": "text/html"})
    assert problem(reply, status)["code"] == ("not_found" if status == 404 else "method_not_allowed")
    assert (status == 405) == ("allow" in reply.headers)


def test_pages_outside_the_api_keep_their_own_words(world: World) -> None:
    assert world.client.get("/api/v10/orders", headers={"Accept": "text/html"}).mimetype == "text/html"


def test_a_fault_of_ours_is_a_problem_without_its_cause(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("checkout.store.merchant_orders.listed", broken)
    reply = shop.send("GET", "/orders")
    assert problem(reply, 500)["code"] == "internal"
    assert b"secret" not in reply.body


def test_a_database_that_cannot_be_used_is_worth_another_try(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr("checkout.store.orders.add", broken)
    reply = shop.send("POST", "/orders", GOOD)
    assert problem(reply, 503)["code"] == "unavailable"
    assert reply.headers["retry-after"] == "2"


def test_no_answer_may_be_kept_or_framed(shop: Shop) -> None:
    for path in ("/orders", "/nothing", "/openapi.json"):
        headers = shop.send("GET", path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
