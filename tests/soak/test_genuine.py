"""Genuine requests, changed and signed again, or signed wrongly: every route of every dialect and every monitor."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from Crypto.PublicKey import RSA
from werkzeug.test import TestResponse

from checkout import store as stores
from tests.dump import dump
from tests.soak import genuine
from tests.soak.fuzz import patience
from tests.soak.genuine import Genuine
from tests.world import World

EACH = max(24, int(os.environ.get("CHECKOUT_TEST_FUZZ", "0")) // 100)
# Pages and pictures, which `test_fuzz` tries; the native API, which its document is held against (`test_openapi`);
# gateways' notices, whose tests change each of their fields.
ELSEWHERE = {"api", "buy", "channels", "health", "metrics", "pay", "receipt", "site", "static"}
Keys = tuple[RSA.RsaKey, RSA.RsaKey]
Shop = tuple[World, list[Genuine]]


@pytest.fixture(scope="module")
def keys() -> Keys:
    return RSA.generate(2048), RSA.generate(2048)


@pytest.fixture
def shop(world: World, keys: Keys) -> Shop:
    world.app.testing = False  # as a server: what nobody expected becomes a page
    token = genuine.set_up(world, keys)
    return world, genuine.every(world, token, keys)


def as_it_is(sign: str) -> str:
    return sign


def verdict(answer: TestResponse) -> tuple[object, ...]:
    """What a client goes by."""
    said = answer.get_json(silent=True)
    said = said if isinstance(said, dict) else {}
    told = tuple(said.get(name) for name in ("code", "ok", "status", "msg", "error"))
    return answer.status_code, b"<h1>" in answer.data, *told


def test_no_route_of_a_dialect_or_monitor_is_forgotten(shop: Shop) -> None:
    world, requests = shop
    ours = [rule for rule in world.app.url_map.iter_rules() if rule.endpoint.partition(".")[0] not in ELSEWHERE]
    assert {rule.rule for rule in ours} == {one.rule for one in requests}
    for rule in ours:
        assert {"GET", "POST"} <= (rule.methods or set()), "both ways are tried below"


def test_as_they_are_they_are_answered_and_otherwise_signed_they_are_not(shop: Shop) -> None:
    world, requests = shop
    for one in [one for one in requests if one.is_signed]:
        wrong = one.send(world, one.styles[-1], one.values, lambda sign: "0" * len(sign))
        right = one.send(world, one.styles[-1], one.values, as_it_is)
        assert verdict(right) != verdict(wrong), (one.path, one.values, right.data)
        assert right.status_code < 400, (one.path, right.data)


def test_wrong_signatures_over_right_fields_change_nothing(shop: Shop) -> None:
    world, requests = shop
    dice, before = random.Random(1), dump(world)
    for one in [one for one in requests if one.is_signed]:
        seen = set()
        for _ in range(EACH):
            answer = tried(world, one, dice.choice(one.styles), one.values, genuine.spoilt(dice))
            seen.add(verdict(answer))
        assert dump(world) == before, one
        assert verdict(one.send(world, one.styles[-1], one.values, as_it_is)) not in seen, one
        before = dump(world)


def test_right_signatures_over_changed_fields_fail_nothing_and_break_no_promise(shop: Shop) -> None:
    world, requests = shop
    dice, statuses = random.Random(2), set()
    for one in requests:
        for _ in range(EACH):
            style = dice.choice(one.styles)
            statuses.add(tried(world, one, style, genuine.mutated(one.values, dice), as_it_is).status_code)
    assert {200, 303, 400} <= statuses
    with world.store.read() as db:
        for promise in stores.invariants.PROMISES:
            assert stores.invariants.broken(db, promise, world.clock()) == [], promise.sentence
        orders = stores.orders.listed(db, stores.orders.Filter(limit=1_000_000))
        received = {row[0] for row in db.all("SELECT amount FROM payments")}
    assert len(orders) > 3, "some of what was changed is as good as before"
    paid = {order.really_price for order in orders if order.paid_at}
    assert paid <= received


def tried(world: World, one: Genuine, style: str, values: dict[str, str], spoil: Callable[[str], str]) -> TestResponse:
    with patience():
        answer = one.send(world, style, values, spoil)
    assert answer.status_code < 500, (one.path, style, values, answer.data)
    return answer
