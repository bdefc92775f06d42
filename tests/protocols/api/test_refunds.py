"""Refunds of orders that were paid through an official account, asked for by the native API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from checkout import store
from tests.channels.orders import TOKEN
from tests.clients.api import Shop
from tests.tills import Till, till_at
from tests.world import World

PART = {"amount": 100, "currency": "CNY"}


@pytest.fixture
def till(world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at("alipay", world, tmp_path) as opened:
        world.app.extensions["checkout"] = replace(world.parts, channels=opened.channels)
        yield opened


def count(till: Till, world: World) -> int:
    with world.store.read() as db:
        return len(store.refunds.of_order(db, TOKEN))


def test_a_repeat_without_a_number_or_key_is_the_same_refund(till: Till, shop: Shop, world: World) -> None:
    first = shop.refund(TOKEN, amount=PART)
    assert shop.refund(TOKEN, amount=PART) == first
    assert count(till, world) == 1
    world.clock.go(61)
    assert shop.refund(TOKEN, amount=PART)["refund"] != first["refund"]
    assert count(till, world) == 2


def test_two_refunds_of_the_same_amount_are_told_apart_by_their_keys_or_numbers(
    till: Till, shop: Shop, world: World
) -> None:
    shop.refund(TOKEN, amount=PART, once="k1")
    shop.refund(TOKEN, amount=PART, once="k2")
    shop.refund(TOKEN, amount=PART, number="R1")
    shop.refund(TOKEN, amount=PART, number="R1")
    assert count(till, world) == 3
