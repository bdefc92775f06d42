"""The event that tells a site without a server of its own about a sale."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient

from checkout.catalogue import Goods
from tests.test_selling import buy, product_of
from tests.world import World, answer


def sold(world: World, **wanted: Any) -> dict[str, Any]:
    """What is told about a sale."""
    buy(world, product_of(world, **wanted), ref="user-42")
    world.push("9.90")
    world.work()
    (sent,) = world.outside.sent
    found: dict[str, Any] = json.loads(sent.body)
    return found


def test_the_event_says_what_was_sold_to_whom(world: World) -> None:
    event = sold(world)
    assert event["type"] == "order.paid"
    data = event["data"]
    assert (data["product"], data["quantity"], data["ref"], data["state"]) == ("ebook", 1, "user-42", "paid")
    assert data["price"] == data["really_price"] == {"amount": 990, "currency": "CNY"}


def test_the_receipt_of_the_event_leads_to_the_page_and_the_goods(world: World, client: FlaskClient) -> None:
    receipt = sold(world, goods=Goods("keys", "KEY-1"))["data"]["receipt"]
    assert "KEY-1" in client.get(f"/receipt/{receipt}").text
    told = client.get(f"/api/v1/receipts/{receipt}").json
    assert told is not None
    assert (told["product"], told["ref"]) == ("ebook", "user-42")


def test_a_second_try_names_the_same_receipt(world: World) -> None:
    world.outside.reply = lambda request: answer(500)
    buy(world, product_of(world))
    world.push("9.90")
    world.work()
    world.clock.go(60)
    world.work()
    first, second = (json.loads(sent.body)["data"]["receipt"] for sent in world.outside.sent)
    assert first == second
