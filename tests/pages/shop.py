"""Orders opened, paid and closed by the rules themselves, for tests of what people see."""

from __future__ import annotations

import re
from typing import Any

from checkout import ids, opening, orders, settlement, store
from checkout.model.orders import Order
from tests.world import World


def opened(world: World, number: str = "N1", price: int = 990, method: str = "wechat", **more: Any) -> Order:
    """A vmq order, unless `dialect` says otherwise; `more` are fields of `opening.Ask`."""
    with world.store.read() as db:
        merchant = store.merchants.get(db, 1001)
    assert merchant is not None
    ask = opening.Ask(
        merchant=merchant, dialect=more.pop("dialect", "vmq"), number=number, price=price, price_text="",
        method=method, **more,
    )  # fmt: skip
    return opening.open_order(world.store, ask, world.parts.rules, world.clock())


def settled(world: World, order: Order) -> Order:
    """The order, paid: booked by hand, as what the phone does has its own tests."""
    now = world.order(order.token)
    return settlement.confirm(
        world.store, order.token, amount=now.really_price or now.price, reason="test", actor="test",
        new_id=ids.new_id, now=world.clock(),
    )  # fmt: skip


def closed(world: World, order: Order) -> Order:
    return orders.close(world.store, order.token, world.parts.rules.limits, world.clock())


def beat(world: World) -> None:
    """A sign of life of the phone that watches both accounts."""
    with world.store.transaction() as db:
        store.devices.beat(db, "phone", world.clock())


def rev_in(html: str) -> str:
    """What the page sends back with its next poll."""
    found = re.search(r'poll\?rev=([^"&]+)', html)
    assert found is not None
    return found[1]


def stage_in(html: str) -> str:
    found = re.search(r'data-stage="([a-z]+)"', html)
    assert found is not None
    return found[1]
