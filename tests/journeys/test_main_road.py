"""The main road: a shop asks, a buyer pays, the phone reports, the shop is told."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from checkout.model.orders import State
from checkout.model.payments import Judgement
from tests.world import MERCHANT_KEY, World, md5


def test_a_vmq_order_is_paid_by_a_push_and_the_merchant_is_told(world: World) -> None:
    created = world.create("N1", "9.9", param="user-42")["data"]
    assert created["reallyPrice"] == "9.90"
    assert world.push("9.9") == {"code": 1, "msg": "成功", "data": None}
    assert world.order(created["orderId"]).state is State.PAID
    assert world.work() == 1
    (sent,) = world.outside.sent
    values = dict(parse_qsl(urlsplit(sent.url).query, keep_blank_values=True))
    assert sent.method == "GET"
    assert sent.url.startswith("https://shop.example/notify?")
    assert values["sign"] == md5("N1", "user-42", "1", "9.90", "9.90", MERCHANT_KEY)
    assert world.work() == 0


def test_two_orders_of_one_price_get_two_amounts_and_each_push_finds_its_own(world: World) -> None:
    first, second = world.create("A")["data"], world.create("B")["data"]
    assert (first["reallyPrice"], second["reallyPrice"]) == ("9.90", "9.91")
    world.push("9.91")
    assert world.order(first["orderId"]).state is State.PENDING
    assert world.order(second["orderId"]).state is State.PAID
    assert [payment.judgement for payment in world.payments()] == [Judgement.MATCHED]
