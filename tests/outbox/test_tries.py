"""Single tries at messages are forgotten in time; what is owed, was given up, or is a message itself is not."""

from __future__ import annotations

import pytest

from checkout import store
from checkout.interfaces import Store
from checkout.model.deliveries import Delivery, Try
from checkout.outbox import deliveries, tries
from tests.shop import Shop

DAY = 86_400


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def told(shop: Shop, number: str, *, tries: int = 2, state: str = "delivered") -> Delivery:
    """A message about a paid order, with its tries; it ended now, where its state is an end."""
    order = shop.open(number)
    shop.push(order.really_price)
    (delivery,) = shop.deliveries(order)
    with shop.store.transaction() as db:
        for one in range(1, tries + 1):
            store.deliveries.add_try(db, Try(delivery.id, one, shop.now, 503, 3, "busy", ""))
        done = None if state in ("waiting", "held") else shop.now
        db.run("UPDATE deliveries SET state = :state, done_at = :done WHERE id = :id",
               state=state, done=done, id=delivery.id)  # fmt: skip
    return delivery


def kept(shop: Shop, delivery: Delivery) -> int:
    with shop.store.read() as db:
        return len(store.deliveries.tries(db, delivery.id))


@pytest.mark.parametrize(
    ("state", "left"), [("delivered", 0), ("dropped", 0), ("failed", 2), ("waiting", 2), ("held", 2)]
)
def test_tries_go_when_their_message_has_ended_well_for_long(shop: Shop, state: str, left: int) -> None:
    delivery = told(shop, "N1", state=state)
    forget = tries.chore(shop.store, 30)
    forget(shop.now + 30 * DAY)
    assert kept(shop, delivery) == 2
    forget(shop.now + 30 * DAY + 1)
    assert kept(shop, delivery) == left
    with shop.store.read() as db:
        assert store.deliveries.get(db, delivery.id) is not None


def test_a_message_that_was_sent_again_keeps_its_old_tries_until_that_is_over_too(shop: Shop) -> None:
    delivery = told(shop, "N1")
    deliveries.resend(shop.store, delivery.id, shop.now + 40 * DAY)
    forget = tries.chore(shop.store, 30)
    forget(shop.now + 41 * DAY)
    assert kept(shop, delivery) == 2
    with shop.store.transaction() as db:
        store.deliveries.acknowledge(db, delivery.id, shop.now + 41 * DAY)
    forget(shop.now + 41 * DAY + 60)
    assert kept(shop, delivery) == 2
    forget(shop.now + 72 * DAY)
    assert kept(shop, delivery) == 0


def test_each_look_is_bounded_and_goes_on_where_the_last_one_ended(shop: Shop) -> None:
    failed = told(shop, "N1", tries=7, state="failed")
    told_all = [told(shop, f"M{number}", tries=1) for number in range(3)]
    place, before, steps = store.deliveries.OLDEST_TRY, shop.now + 1, 0
    while (next_place := tries.sweep(shop.store, before, place, limit=2)) != place:
        place, steps = next_place, steps + 1
    assert steps == 5
    assert kept(shop, failed) == 7
    assert [kept(shop, one) for one in told_all] == [0, 0, 0]
