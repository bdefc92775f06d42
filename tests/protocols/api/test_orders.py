"""Orders of the native API, from the request to the callback and the return."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from checkout import returns
from checkout import store as stores
from checkout.model.merchants import Mode
from checkout.model.products import Product
from checkout.signing import webhook_signature
from tests.clients.api import Shop, problem
from tests.world import MERCHANT_KEY, START, World, account

NOBODYS = "0" * 32


def add_product(world: World, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "id": "tea", "merchant": 1001, "title_zh": "茶", "title_en": "Tea",
        "price": 990, "lowest": None, "highest": None,
        "max_quantity": 3, "stock": None, "per_buyer": None, "origins": (), "return_url": "", "deliver": "return",
        "goods": "", "low_stock": 5, "brand": "{}", "disabled_at": None, "created_at": START,
    }  # fmt: skip
    with world.store.transaction() as db:
        stores.products.add(db, Product(**{**fields, **changes}))


def test_a_new_order_is_201_and_holds_an_amount(shop: Shop) -> None:
    reply = shop.send("POST", "/orders", {"number": "N1", "price": {"amount": 990, "currency": "CNY"}})
    assert reply.status == 201
    order = shop.create("N2", ref="u-7", title="茶", metadata={"cart": "17"}, expires_in=60)
    assert (order["number"], order["state"], order["price"]["amount"]) == ("N2", "pending", 990)
    assert (order["ref"], order["title"], order["metadata"]) == ("u-7", "茶", {"cart": "17"})
    assert order["prompt"] == {"kind": "qr", "text": "wxp://f2f0wechat", "params": {}, "amount_typed": True}
    assert order["expires_at"] == "2026-09-21T14:14:20Z"
    assert shop.get(order["order"]) == order


def test_without_a_method_the_buyer_chooses_and_nothing_is_shown(shop: Shop, world: World) -> None:
    order = shop.create(method=None)
    assert (order["method"], order["prompt"], order["really_price"]) == (None, None, None)
    world.client.post(f"/pay/{order['order']}/method", data={"method": "alipay"})
    assert world.order(order["order"]).dialect == "api"


def test_looking_at_an_order_whose_code_nobody_saw_does_not_show_it(shop: Shop, world: World) -> None:
    order = shop.create(method=None)
    with world.store.transaction() as db:
        stores.orders.assign(
            db, order["order"], method="wechat", account="wx-main", channel="personal", really_price=990
        )
    assert shop.get(order["order"])["prompt"] is None
    assert world.order(order["order"]).shown_at is None


def test_an_order_that_its_buyer_has_renewed_answers_the_shop_that_asks_again(shop: Shop, world: World) -> None:
    first = shop.create(method=None, metadata={"cart": "17"})
    world.client.post(f"/pay/{first['order']}/method", data={"method": "alipay"})
    world.clock.go(300)
    place = world.client.post(f"/pay/{first['order']}/renew").location
    again = shop.create(method=None, metadata={"cart": "17"})
    assert again["order"] != first["order"]
    assert place == f"/pay/{again['order']}"


def test_an_order_that_its_shop_has_closed_cannot_be_renewed(shop: Shop, world: World) -> None:
    order = shop.create()
    shop.send("POST", f"/orders/{order['order']}/close")
    assert "/renew" not in world.client.get(f"/pay/{order['order']}").text
    assert world.client.post(f"/pay/{order['order']}/renew").status_code == 409
    assert [one["order"] for one in shop.send("GET", "/orders").json()["data"]] == [order["order"]]


def test_the_same_number_in_the_same_words_is_the_same_order(shop: Shop) -> None:
    first = shop.create(metadata={"a": "1"})
    asked = {"number": "N1", "price": first["price"], "method": "wechat", "metadata": {"a": "1"}}
    again = shop.send("POST", "/orders", asked)
    assert again.status == 200
    assert again.json() == first


@pytest.mark.parametrize(
    "change",
    [{"amount": 991}, {"metadata": {"a": "2"}}, {"title": "x"}, {"ref": "x"}, {"expires_in": 60}, {"method": "alipay"}],
    ids=str,
)
def test_the_same_number_with_other_details_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    first = shop.create(metadata={"a": "1"})
    asked = {"number": "N1", "price": first["price"], "method": "wechat", "metadata": {"a": "1"}, **change}
    if "amount" in change:
        asked["price"] = {"amount": asked.pop("amount"), "currency": "CNY"}
    assert shop.refused(409, "POST", "/orders", asked)["code"] == "duplicate"
    assert len(shop.all()) == 1


def test_a_paid_order_is_called_back_with_the_native_event_and_leads_home(shop: Shop, world: World) -> None:
    order = shop.create(metadata={"cart": "17"}, return_url="https://shop.example/thanks?x=1")
    assert world.push("9.90")["code"] == 1
    world.work()
    (sent,) = world.outside.sent
    assert (sent.method, sent.url) == ("POST", "https://shop.example/notify")
    event = json.loads(sent.body)
    assert event["type"] == "order.paid"
    assert event["data"]["metadata"] == {"cart": "17"}
    paid = shop.get(order["order"])
    assert (paid["state"], paid["prompt"], paid["receipt"]) == ("paid", None, event["data"]["receipt"])
    assert paid.items() >= {name: one for name, one in event["data"].items() if name != "receipt"}.items()
    at = int(sent.headers["webhook-timestamp"])
    signature = webhook_signature(MERCHANT_KEY.encode(), sent.headers["webhook-id"], at, sent.body)
    assert sent.headers["webhook-signature"] == signature
    with world.store.read() as db:
        found = stores.orders.get(db, order["order"])
    assert found is not None
    home = returns.address(world.store, world.parts.dialects, found, world.clock())
    assert home is not None
    assert parse_qs(urlsplit(home).query)["co_state"] == ["paid"]


def test_an_order_is_closed_and_closing_it_again_is_no_fault(shop: Shop) -> None:
    order = shop.create()
    closed = shop.close(order["order"])
    assert (closed["state"], closed["prompt"]) == ("closed", None)
    assert closed["closed_at"]
    assert shop.close(order["order"]) == closed


def test_a_paid_or_expired_order_cannot_be_closed(shop: Shop, world: World) -> None:
    paid, over = shop.create("N1"), shop.create("N2", 1200, expires_in=60)
    world.push("9.90")
    assert shop.refused(409, "POST", f"/orders/{paid['order']}/close")["code"] == "not_allowed"
    world.clock.go(60)
    assert shop.refused(409, "POST", f"/orders/{over['order']}/close")["code"] == "not_allowed"
    assert shop.get(over["order"])["state"] == "expired"


def test_a_product_brings_its_price_title_and_return(shop: Shop, world: World) -> None:
    add_product(world, return_url="https://site.example/tea")
    order = shop.create(price=None, product="tea", quantity=3)
    assert (order["product"], order["quantity"], order["title"]) == ("tea", 3, "茶 × 3")
    assert order["price"]["amount"] == 2970
    assert order["return_url"] == "https://site.example/tea"


@pytest.mark.parametrize(
    ("changes", "asked", "status", "code"),
    [
        ({}, {"quantity": 4}, 400, "bad_request"),
        ({"stock": 1}, {"quantity": 2}, 409, "not_allowed"),
        ({"disabled_at": START}, {}, 409, "not_allowed"),
        ({}, {"price": {"amount": 1, "currency": "CNY"}}, 400, "bad_amount"),
        ({"lowest": 100, "highest": 200}, {"price": {"amount": 99, "currency": "CNY"}}, 400, "bad_amount"),
        ({"price": 99_999_999_999}, {"quantity": 2}, 400, "bad_amount"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_product_does_not_allow_is_refused(
    shop: Shop, world: World, changes: dict[str, Any], asked: dict[str, Any], status: int, code: str
) -> None:
    add_product(world, **changes)
    assert shop.refused(status, "POST", "/orders", {"number": "N1", "product": "tea", **asked})["code"] == code
    assert shop.all() == []


def test_a_buyer_names_the_price_where_the_product_says_so(shop: Shop, world: World) -> None:
    add_product(world, lowest=100, highest=200)
    assert shop.create(amount=150, product="tea", quantity=2)["price"]["amount"] == 300


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({}, "#/price"),
        ({"price": {"amount": 1, "currency": "CNY"}, "quantity": 2}, "#/quantity"),
        ({"price": {"amount": 1, "currency": "CNY"}, "scene": "app"}, "#/method"),
        ({"price": {"amount": 1, "currency": "CNY"}, "scene": "jsapi", "method": "wechat"}, "#/openid"),
    ],
    ids=str,
)
def test_what_belongs_together_is_asked_for_together(shop: Shop, asked: dict[str, Any], pointer: str) -> None:
    found = shop.refused(400, "POST", "/orders", {"number": "N1", **asked})
    assert found["errors"][0]["pointer"] == pointer


def test_a_scene_that_no_account_serves_is_refused(shop: Shop) -> None:
    asked = {"number": "N1", "price": {"amount": 1, "currency": "CNY"}, "scene": "app", "method": "wechat"}
    assert shop.refused(409, "POST", "/orders", asked)["code"] == "not_allowed"


@pytest.mark.parametrize("url", ["https://evil.example/n", "https://shop.example@evil.example/"])
@pytest.mark.parametrize("name", ["notify_url", "return_url"])
def test_addresses_lie_on_the_merchants_own_hosts(shop: Shop, world: World, name: str, url: str) -> None:
    asked = {"number": "N1", "price": {"amount": 1, "currency": "CNY"}, name: url}
    assert shop.refused(400, "POST", "/orders", asked)["code"] == "bad_url"
    assert shop.all() == []


def test_a_merchant_in_compat_mode_names_any_public_address(shop: Shop, world: World) -> None:
    world.change_merchant(mode=Mode.COMPAT)
    assert shop.create(notify_url="https://elsewhere.example/n")["notify_url"] == "https://elsewhere.example/n"


def test_a_disabled_merchant_can_look_but_not_sell(shop: Shop, world: World) -> None:
    order = shop.create()
    world.change_merchant(disabled_at=START)
    assert shop.get(order["order"]) == order
    assert shop.refused(403, "POST", "/orders", {"number": "N2", "price": order["price"]})["code"] == "forbidden"


def test_when_all_amounts_are_taken_the_answer_says_when_to_come_again(shop: Shop, world: World) -> None:
    with world.store.transaction() as db:
        stores.accounts.update(db, account(max_offset=0))
    shop.create("N1")
    reply = shop.send(
        "POST", "/orders", {"number": "N2", "price": {"amount": 990, "currency": "CNY"}, "method": "wechat"}
    )
    assert problem(reply, 503)["code"] == "busy"
    assert int(reply.headers["retry-after"]) > 0


def test_an_order_that_is_not_there_is_not_found(shop: Shop) -> None:
    for order in (NOBODYS, "x", "N1", NOBODYS.upper(), "%00", "..%2f"):
        assert shop.send("GET", f"/orders/{order}").status == 404
    assert shop.refused(404, "POST", f"/orders/{NOBODYS}/close")["code"] == "not_found"
