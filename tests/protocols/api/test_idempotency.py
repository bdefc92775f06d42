"""The same request twice has one effect and one answer."""

from __future__ import annotations

from typing import Any

import pytest

from checkout import idempotency
from checkout import store as stores
from tests.clients.api import Shop, told
from tests.world import World

ASKED = {"number": "N1", "price": {"amount": 990, "currency": "CNY"}, "method": "wechat"}


def test_the_same_request_gets_the_same_answer_whatever_happened_meanwhile(shop: Shop, world: World) -> None:
    first = shop.send("POST", "/orders", ASKED, once="k1")
    world.push("9.90")
    again = shop.send("POST", "/orders", ASKED, once="k1")
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(shop.all()) == 1


def test_a_request_that_says_the_same_in_other_words_is_the_same(shop: Shop) -> None:
    first = shop.send("POST", "/orders", ASKED, once="k1")
    raw = b'{ "scene" : "qr", "method":"wechat","price":{"currency":"CNY","amount":990},"number":"N1" }'
    assert shop.send("POST", "/orders", raw=raw, once='"k1"').body == first.body


@pytest.mark.parametrize(
    "other",
    [
        ("/orders", {**ASKED, "number": "N2"}),
        ("/orders", {**ASKED, "title": "x"}),
        ("/orders/{order}/close", {}),
        ("/orders/{order}/refunds", {"reason": "x", "by_hand": True}),
    ],
    ids=str,
)
def test_another_request_under_the_same_key_is_refused(shop: Shop, other: tuple[str, Any]) -> None:
    order = told(shop.send("POST", "/orders", ASKED, once="k1"), 201)["order"]
    path, body = other
    assert shop.refused(409, "POST", path.format(order=order), body, once="k1")["code"] == "duplicate"
    assert len(shop.all()) == 1


def test_the_same_close_of_another_order_is_another_request(shop: Shop) -> None:
    first, second = shop.create("N1")["order"], shop.create("N2", 1200)["order"]
    shop.close(first, once="k1")
    assert shop.refused(409, "POST", f"/orders/{second}/close", once="k1")
    assert shop.get(second)["state"] == "pending"


def test_a_refund_is_made_once(shop: Shop, world: World) -> None:
    order = shop.create()["order"]
    world.push("9.90")
    first = shop.refund(order, amount={"amount": 100, "currency": "CNY"}, by_hand=True, once="k1")
    assert shop.refund(order, amount={"amount": 100, "currency": "CNY"}, by_hand=True, once="k1") == first
    assert len(told(shop.send("GET", f"/orders/{order}/refunds"), 200)["data"]) == 1
    assert shop.get(order)["refunded"]["amount"] == 100


def test_a_refused_request_leaves_no_trace_and_may_be_tried_again(shop: Shop, world: World) -> None:
    order = shop.create()["order"]
    asked = {"reason": "x", "by_hand": True}
    assert shop.refused(409, "POST", f"/orders/{order}/refunds", asked, once="k1")["code"] == "not_allowed"
    with world.store.read() as db:
        assert stores.answered.get(db, 1001, "k1") is None
    world.push("9.90")
    assert shop.refund(order, by_hand=True, once="k1")


def test_after_a_day_the_key_is_free_again_and_swept(shop: Shop, world: World) -> None:
    first = shop.create("N1", once="k1")
    world.clock.go(idempotency.KEPT_S - 1)
    assert shop.send("POST", "/orders", ASKED, once="k1").json()["order"] == first["order"]
    world.clock.go(1)
    second = shop.create("N2", once="k1")
    assert second["order"] != first["order"]
    shop.create("N3", 1300, once="k2")
    world.clock.go(idempotency.KEPT_S - 1)
    assert idempotency.sweep(world.store, world.clock()) == 0
    world.clock.go(1)
    assert idempotency.sweep(world.store, world.clock(), limit=1) == 1
    assert idempotency.sweep(world.store, world.clock()) == 1
    assert len(shop.all()) == 3


@pytest.mark.parametrize("key", [" ", "a b", "a,b", "x" * 256, "schlüssel", "\t"])
def test_a_key_that_cannot_be_one_is_refused(shop: Shop, key: str) -> None:
    found = shop.refused(400, "POST", "/orders", ASKED, headers={"Idempotency-Key": key})
    assert found["errors"][0]["header"] == "Idempotency-Key"
    assert shop.all() == []


def test_the_effect_and_its_answer_are_there_together_or_not_at_all(
    shop: Shop, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("checkout.store.answered.finish", _crash)
        assert shop.send("POST", "/orders", ASKED, once="k1").status == 500
    assert shop.all() == []
    assert shop.send("POST", "/orders", ASKED, once="k1").status == 201


def _crash(*_: object) -> None:
    raise RuntimeError("the power is gone")
