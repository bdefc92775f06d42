"""Shops that ask how an order stands: once all of its money went back, none hears that it is paid."""

from __future__ import annotations

from typing import Any

import pytest

from checkout.refunds import ledger
from tests.clients.epay import Shop
from tests.clients.forms import raw_path
from tests.world import MERCHANT_KEY, World


@pytest.fixture
def token(world: World) -> str:
    """An order that was paid with 9.90."""
    opened: str = world.create("N1", "9.90")["data"]["orderId"]
    world.push("9.90")
    return opened


def spoken_by(world: World, dialect: str) -> None:
    with world.store.transaction() as db:
        db.run("UPDATE orders SET dialect = :dialect", dialect=dialect)


def send_back(world: World, token: str, amount: int | None = None) -> None:
    new_id, now = world.parts.new_id, world.clock()
    ledger.by_hand(world.store, token, amount=amount, reason="returned", actor="test", new_id=new_id, now=now)


@pytest.mark.parametrize(("dialect", "failure"), [("vmq", -1), ("gogo", 0)])
def test_in_vmq_and_gogo_a_refunded_order_is_no_longer_paid(
    world: World, token: str, dialect: str, failure: int
) -> None:
    spoken_by(world, dialect)

    def ask(what: str) -> dict[str, Any]:
        found: dict[str, Any] = world.client.get(f"/{what}?orderId={token}").get_json()
        return found

    send_back(world, token, 100)
    assert (ask("checkOrder")["code"], ask("getOrder")["data"]["state"]) == (1, 2)
    send_back(world, token)
    assert ask("checkOrder") == {"code": failure, "msg": "订单已退款", "data": None}
    assert ask("getOrder")["data"]["state"] == -1


def test_in_bufpay_a_refunded_order_is_no_longer_paid(world: World, token: str) -> None:
    spoken_by(world, "bufpay")
    send_back(world, token, 100)
    assert world.client.get(f"/api/query/{token}").get_json() == {"status": "payed"}
    send_back(world, token)
    assert world.client.get(f"/api/query/{token}").get_json() == {"status": "expire"}


def test_in_epay_a_refunded_order_is_no_longer_paid(world: World, token: str) -> None:
    spoken_by(world, "epay")
    shop = Shop(raw_path(world.app), "1001", MERCHANT_KEY)
    send_back(world, token, 100)
    assert (shop.ask("order", trade_no=token)["status"], shop.ask("orders")["data"][0]["status"]) == (1, 1)
    send_back(world, token)
    found = shop.ask("order", trade_no=token)
    assert (found["status"], "trade_status" in found, shop.ask("orders")["data"][0]["status"]) == (0, False, 0)
