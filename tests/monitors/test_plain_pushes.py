"""Plain pushes of V免签's app are answered before Flask; nobody can tell."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from checkout import payments, plain
from checkout.errors import StoreError
from checkout.store.sqlite import SqliteStore
from tests.world import DEVICE_KEY, START, World, md5

FORM = "application/x-www-form-urlencoded"
T = str(START * 1000)


def said(price: str = "9.90", kind: str = "1", t: str = T, **more: str) -> dict[str, str]:
    return {"type": kind, "price": price, "t": t, "sign": md5(kind, price, t, DEVICE_KEY), **more}


def test_a_plain_push_never_reaches_flask(world: World, dispatched: list[str]) -> None:
    due = world.create()["data"]["reallyPrice"]
    good = world.client.get("/appPush", query_string=said(due))
    assert good.get_json() == {"code": 1, "msg": "成功", "data": None}
    assert world.client.post("/appPush", data=said("5.00", text="微信支付收款")).get_json()["code"] == 1
    assert dispatched == []
    assert [payment.amount for payment in world.payments()] == [500, 990]


def test_it_answers_as_the_route_does_and_stores_nothing_twice(world: World, dispatched: list[str]) -> None:
    quick = world.client.post("/appPush", data=said())
    assert dispatched == []
    again = world.client.post("/appPush?other=1", data=said())
    assert dispatched == ["request"]
    assert (quick.status_code, quick.data, list(quick.headers)) == (200, again.data, list(again.headers))
    assert len(world.payments()) == 1


@pytest.mark.parametrize(
    "changes", [{"sign": "0" * 32}, {"sign": ""}, {"type": "3"}, {"price": ""}, {"t": "1"}, {"price": "9.91"}]
)
def test_what_is_refused_is_said_by_the_route_and_stored_nowhere(
    world: World, dispatched: list[str], changes: dict[str, str]
) -> None:
    answer = world.client.post("/appPush", data={**said(), **changes})
    assert dispatched == ["request"]
    assert answer.get_json()["code"] == -1
    assert world.payments() == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda world: world.client.post("/appPush", json=said()),
        lambda world: world.client.post("/appPush", data=said(), content_type="multipart/form-data"),
        lambda world: world.client.post("/appPush", query_string={"type": "1"}, data=said()),
        lambda world: world.client.get("/appPush", query_string=said(), data=b"a=b"),
    ],
)
def test_what_is_not_plainly_such_a_request_is_left_to_the_route_as_it_came(
    world: World, dispatched: list[str], ask: Callable[[World], TestResponse]
) -> None:
    assert ask(world).get_json()["code"] == 1
    assert dispatched == ["request"]
    assert len(world.payments()) == 1


def test_a_database_that_fails_promises_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    def broken(_store: SqliteStore, _words: object, _work: object) -> object:
        waits.append(1)
        raise StoreError("The database is locked by another program; try again in a moment.")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "locked", broken)
        assert world.client.post("/appPush", data=said()).status_code == 503
        assert len(waits) == 1
    assert world.payments() == []
    assert world.client.post("/appPush", data=said()).get_json()["code"] == 1
    assert len(world.payments()) == 1


def test_a_fault_of_ours_is_said_and_logged_by_the_route(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(payments, "receive", broken)
    assert world.client.post("/appPush", data=said()).status_code == 500
    assert caplog.text.count("Unexpected error on /appPush") == 1


NAMES = ["type", "price", "t", "sign", "text", "force_push", "pri%63e"]
VALUES = [
    "", "1", "2", "3", "9.90", "9.9", "1e2", "%00", "%ff", "用户", "+", "%2B", "9.90%20", T, f"{T}0", "０",
    "x" * 2049, "%", "&", "=", ";", "%ED%A0%80",
]  # fmt: skip
KINDS = [FORM, FORM, FORM.upper(), f"{FORM}; charset=gbk", "text/plain", "application/json", ""]


def odd(dice: random.Random) -> dict[str, Any]:
    """A right push with something wrong or strange about it, or nothing."""
    pairs = [(name, quote(value, safe="")) for name, value in said(dice.choice(["9.90", "5", "0.01"])).items()]
    for _ in range(dice.choice([0, 0, 1, 1, 2])):
        at = dice.randrange(len(pairs))
        other = dice.choice([pairs[at], (pairs[at][0], dice.choice(VALUES)), (dice.choice(NAMES), dice.choice(VALUES))])
        pairs[at : at + dice.randint(0, 1)] = [other]
    text = "&".join(f"{name}={value}" for name, value in pairs)
    path = dice.choice(["/appPush", "/appPush", "//appPush", "/appPush/"])
    if dice.random() < 0.5:
        return {"method": dice.choice(["GET", "GET", "HEAD", "PUT"]), "path": path, "query_string": text}
    return {"method": "POST", "path": path, "data": text.encode(), "content_type": dice.choice(KINDS)}


@pytest.mark.parametrize("seed", [1, 2])
def test_odd_pushes_are_answered_alike_to_the_byte(world: World, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """What the first of two stores the second repeats, which must be told the same."""
    dice = random.Random(seed)
    for _ in range(100):
        asked = odd(dice)
        quick = world.client.open(**asked)
        stored = len(world.payments())
        with monkeypatch.context() as route:
            route.setattr(plain, "_encoded", lambda _: None)
            slow = world.client.open(**asked)
        assert (quick.status_code, list(quick.headers), quick.data) == (slow.status_code, list(slow.headers), slow.data)
        assert len(world.payments()) == stored
