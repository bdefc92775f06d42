"""The demo's shop against the real application: it asks over the native API and believes webhooks alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from checkout import api_keys
from checkout.client import Checkout, WebhookError
from checkout.demo.plugin import Plugin
from checkout.demo.shop import Shop, make_shop
from checkout.http.client import Outgoing
from checkout.signing import webhook_signature
from tests.servers import on_loopback
from tests.world import MERCHANT_KEY, World


@pytest.fixture
def base_url(world: World) -> Iterator[str]:
    with on_loopback(world.app) as url:
        yield url


@pytest.fixture
def shop(world: World, base_url: str) -> Shop:
    made = api_keys.add(
        world.store, 1001, "demo", api_keys.USUAL, actor="t", new_id=world.parts.new_id, now=world.clock()
    )
    door = Checkout(base_url, made.secret, tries=1)
    return Shop("https://shop.example", door, MERCHANT_KEY, Plugin(base_url, MERCHANT_KEY))


def sold(shop: Shop) -> str:
    shop.sell("book", "wechat", "en")
    return list(shop.sales)[-1]


def told(world: World) -> Outgoing:
    """The webhook about the last order, which is paid now."""
    world.push("9.90")
    world.work()
    return world.outside.sent[-1]


def test_the_buyer_is_sent_to_a_page_that_names_the_goods(shop: Shop, world: World) -> None:
    page = shop.sell("book", "wechat", "en")
    assert page.endswith("?lang=en")
    text = world.client.get(page.partition("/pay/")[1] + page.partition("/pay/")[2]).text
    assert "Notes on Tea, an e-book" in text


def test_a_webhook_about_its_own_order_is_believed_as_often_as_it_comes(shop: Shop, world: World) -> None:
    number, sent = sold(shop), told(world)
    assert sent.url == "https://shop.example/webhook"
    for _ in range(2):
        shop.hear(dict(sent.headers), sent.body or b"", world.clock())
        assert shop.sales[number].is_paid


def test_a_webhook_that_is_changed_old_or_about_another_price_is_not(shop: Shop, world: World) -> None:
    number, sent = sold(shop), told(world)
    headers, body = dict(sent.headers), sent.body or b""
    other = json.loads(body)
    other["data"]["price"]["amount"] = 1
    cheap = json.dumps(other).encode()
    resigned = {
        **headers,
        "webhook-signature": webhook_signature(MERCHANT_KEY.encode(), headers["webhook-id"], world.clock(), cheap),
    }
    tries = [
        (headers, body + b" ", 0), (headers, body, 301), (resigned, cheap, 0), ({}, body, 0),
        ({**headers, "webhook-signature": "v1,AAAA"}, body, 0),
    ]  # fmt: skip
    for sent_headers, sent_body, later in tries:
        with pytest.raises(WebhookError):
            shop.hear(sent_headers, sent_body, world.clock() + later)
    assert not shop.sales[number].is_paid


def test_the_web_site_refuses_what_is_not_signed_and_what_it_does_not_sell(shop: Shop) -> None:
    client = make_shop(shop, "http://pay.example").test_client()
    assert client.post("/webhook", data=b"{}").status_code == 400
    assert client.post("/buy", data={"goods": "book", "method": "cash"}).status_code == 400
    assert client.post("/buy", data={"goods": "gold", "method": "wechat"}).status_code == 400
    assert client.get("/orders/nothing").status_code == 404


def test_the_buyer_is_told_when_no_order_can_be_made(shop: Shop, world: World) -> None:
    with world.store.transaction() as db:
        db.run("UPDATE accounts SET disabled_at = 1")
    client = make_shop(shop, "http://pay.example").test_client()
    answer = client.post("/buy", data={"goods": "book", "method": "wechat"})
    assert answer.status_code == 503
    assert "No order could be made" in answer.text or "暂时无法下单" in answer.text
