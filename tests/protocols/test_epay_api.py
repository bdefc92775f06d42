"""What a merchant's server asks epay's api.php."""

from __future__ import annotations

import pytest

from tests.clients.epay import Shop
from tests.clients.forms import get, members, post, post_multipart, raw_path
from tests.world import DEVICE_KEY, MERCHANT_KEY, World


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(raw_path(world.app), "1001", MERCHANT_KEY)


def test_act_and_parameters_may_stand_in_query_and_body(shop: Shop) -> None:
    made = shop.create("A", "1")
    asked = {"pid": "1001", "key": MERCHANT_KEY, "trade_no": made["trade_no"]}
    assert members(post(shop.wire, "/api.php?act=order", asked))["out_trade_no"] == "A"
    assert members(get(shop.wire, "/api.php", {**asked, "act": "order"}))["out_trade_no"] == "A"
    assert members(post_multipart(shop.wire, "/api.php", {**asked, "act": "order"}))["out_trade_no"] == "A"


def test_a_query_is_authenticated_by_sign_as_well(shop: Shop) -> None:
    shop.create("A", "1")
    values = shop.signed({"act": "order", "pid": "1001", "out_trade_no": "A"})
    assert shop.asked("api.php", values)["code"] == 1
    assert shop.failure(post(shop.wire, "/api.php", {**values, "out_trade_no": "B"})) == -3


@pytest.mark.parametrize("key", ["", "x", MERCHANT_KEY + "0", MERCHANT_KEY.upper(), DEVICE_KEY])
def test_a_wrong_key_is_refused_for_every_act(shop: Shop, key: str) -> None:
    shop.create("A", "1")
    for act in ("order", "orders", "query", "settle", "refund", "x"):
        asked = {"act": act, "pid": "1001", "key": key, "out_trade_no": "A"}
        assert shop.failure(post(shop.wire, "/api.php", asked)) == -3


def test_times_are_those_of_beijing(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    world.clock.go(60)
    world.push("1.0", kind="2")
    found = shop.order("A")
    assert (found["addtime"], found["endtime"]) == ("2026-09-21 22:13:20", "2026-09-21 22:14:20")


def test_an_order_that_is_not_the_dialects_is_not_found(world: World, shop: Shop) -> None:
    vmq = world.create("V1")["data"]["orderId"]
    for named in (
        {"out_trade_no": "X"},
        {"trade_no": "0" * 32},
        {"trade_no": "x"},
        {"trade_no": vmq},
        {"out_trade_no": "V1"},
    ):
        assert shop.ask("order", **named) == {"code": -1, "msg": "订单号不存在"}
    assert shop.ask("order")["code"] == -1


def test_orders_are_listed_newest_first_in_pages(world: World, shop: Shop) -> None:
    for number in range(5):
        shop.create(f"N{number}", "1")
        world.clock.go(1)
    world.create("V1")

    def numbers(**more: str) -> list[str]:
        found = shop.ask("orders", **more)
        assert found["code"] == 1
        data = found["data"]
        assert isinstance(data, list)
        assert found["count"] == len(data)
        assert all(type(one["status"]) is int and type(one["money"]) is str for one in data)
        return [one["out_trade_no"] for one in data]

    assert numbers() == ["N4", "N3", "N2", "N1", "N0"]
    assert numbers(limit="2") == ["N4", "N3"]
    assert numbers(limit="2", page="2") == ["N2", "N1"]
    assert numbers(limit="2", offset="3") == ["N1", "N0"]
    assert numbers(limit="999", page="0") == ["N4", "N3", "N2", "N1", "N0"]
    assert numbers(limit="0") == []
    for bad in ("-1", "x", "1.5", "１", "1" * 10):
        assert shop.ask("orders", limit=bad)["code"] == -1
        assert shop.ask("orders", page=bad)["code"] == -1


def test_at_most_fifty_orders_at_once(world: World, shop: Shop) -> None:
    for number in range(51):
        shop.create(f"N{number}", f"{number + 1}")
    assert shop.ask("orders", limit="51")["count"] == 50


def test_query_tells_the_account_and_never_the_key(world: World, shop: Shop) -> None:
    shop.create("yesterday", "1")
    world.clock.go(86_400)
    shop.create("today", "1")
    reply = post(shop.wire, "/api.php", {"act": "query", "pid": "1001", "key": MERCHANT_KEY})
    assert MERCHANT_KEY.encode() not in reply.body
    found = members(reply)
    assert set(found) == {
        "code", "msg", "pid", "active", "money", "type", "account", "username", "orders", "orders_today",
        "orders_lastday", "order_today", "order_lastday",
    }  # fmt: skip
    assert (found["code"], found["pid"], found["active"], found["money"]) == (1, 1001, 1, "0.00")
    assert (found["orders"], found["orders_today"], found["orders_lastday"]) == (2, 1, 1)
    assert (found["order_today"], found["order_lastday"]) == (1, 1)


def test_settle_is_an_empty_list(shop: Shop) -> None:
    found = shop.ask("settle")
    assert (found["code"], found["data"]) == (1, [])


def test_a_refund_is_refused_with_the_reason(world: World, shop: Shop) -> None:
    shop.create("A", "1")
    assert shop.ask("refund", out_trade_no="A", money="1.00")["msg"] == "订单未支付，无法退款"
    world.push("1.0", kind="2")
    found = shop.ask("refund", out_trade_no="A", money="1.00")
    assert found["code"] == -1
    assert "手动退款" in str(found["msg"])
    assert shop.ask("refund", out_trade_no="A", money="x")["code"] == -1
    assert shop.ask("refund", out_trade_no="B", money="1")["msg"] == "订单号不存在"
    assert shop.ask("refund", out_trade_no="A", money="")["code"] == -1


def test_an_act_that_we_do_not_know(shop: Shop) -> None:
    for act in ("", "apply", "ORDER", "中文"):
        assert shop.ask(act)["code"] == -1
