"""Each promise is seen to be broken when it is; a busy shop breaks none."""

from __future__ import annotations

import pytest

from checkout import store
from checkout.store.invariants import PROMISES
from tests.world import START, World, merchant

BREAKS = {
    "one payment": "UPDATE payments SET judgement = 'ignored'",
    "nothing unpaid": "UPDATE orders SET state = 'expired', paid_at = NULL WHERE number = 'N1'",
    "one number": "UPDATE orders SET number = 'N1', attempt = 2, state = 'paid', paid_at = created_at"
    " WHERE number = 'N2'",
    "one message": "DELETE FROM deliveries",
    "one amount": "UPDATE slots SET free_at = 0",
    "right amount": "UPDATE payments SET amount = amount + 1",
    "judged": "UPDATE payments SET judged_at = NULL",
    "ended messages": "UPDATE deliveries SET done_at = created_at",
    "own messages": "UPDATE deliveries SET merchant = 1002",
    "refunds": "INSERT INTO refunds (id, order_token, number, amount, reason, state, created_at)"
    " SELECT 'r', order_token, 'r', amount + 1, 'why', 'asked', received_at FROM payments WHERE order_token <> ''",
    "refunded payments": "INSERT INTO refunds (id, order_token, number, amount, reason, state, created_at, payment)"
    " SELECT 'r', order_token, 'r', amount, 'why', 'done', received_at, id FROM payments WHERE order_token <> ''",
    "ended refunds": "INSERT INTO refunds (id, order_token, number, amount, reason, state, created_at)"
    " SELECT 'r', order_token, 'r', amount, 'why', 'asked', received_at FROM payments WHERE order_token <> ''",
}


@pytest.fixture
def busy(world: World) -> World:
    """One order paid, one waiting, money that nobody asked for."""
    with world.store.transaction() as db:
        store.merchants.add(db, merchant(id=1002))
    world.beat()
    world.create("N1", "9.90")
    world.create("N2", "5.00")
    assert world.push("9.90")["code"] == 1
    assert world.push("77.00")["code"] == 1
    return world


def broken(world: World) -> list[str]:
    with world.store.read() as db:
        return [one.name for one in PROMISES if store.invariants.broken(db, one, world.clock())]


def test_a_busy_shop_breaks_no_promise(busy: World) -> None:
    assert broken(busy) == []


@pytest.mark.parametrize("name", [one.name for one in PROMISES])
def test_a_broken_promise_is_seen(busy: World, name: str) -> None:
    with busy.store.transaction() as db:
        db.run(BREAKS[name])
    assert name in broken(busy)


def test_what_breaks_a_promise_is_named_and_no_more_than_asked_for(busy: World) -> None:
    with busy.store.transaction() as db:
        db.run("UPDATE payments SET judged_at = NULL")
    judged = next(one for one in PROMISES if one.name == "judged")
    with busy.store.read() as db:
        assert len(store.invariants.broken(db, judged, START)) == 2
        assert len(store.invariants.broken(db, judged, START, limit=1)) == 1
