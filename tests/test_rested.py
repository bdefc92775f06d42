"""Amounts that have rested for long are forgotten; what an order may still need is not."""

from __future__ import annotations

import pytest

from checkout import orders, rested, store
from checkout.interfaces import Store
from checkout.rested import KEPT_S
from tests.shop import Shop


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


def kept(shop: Shop) -> set[int]:
    return {amount for _, amount in shop.slots()}


@pytest.mark.parametrize("is_shown", [True, False])
def test_an_amount_is_forgotten_a_day_after_it_has_rested(shop: Shop, is_shown: bool) -> None:
    order = shop.open("N1", 990)
    if is_shown:
        orders.show(shop.store, order, shop.rules.limits, shop.now)
    (_, free_at, rested_at), forget = shop.slots()["wx-main", 990], rested.chore(shop.store)
    end = max(free_at, rested_at)
    orders.expire_due(shop.store, end)
    forget(end + KEPT_S)
    assert kept(shop) == {990}
    forget(end + KEPT_S)  # it has come to the end, and begins again
    forget(end + KEPT_S + 1)
    assert kept(shop) == set()


def test_an_order_that_waits_keeps_its_amount_and_money_finds_it(shop: Shop) -> None:
    shop.open("N1", 990)
    shop.now += KEPT_S * 2
    forget = rested.chore(shop.store)
    order = shop.open("N2", 1990)
    for _ in range(3):
        forget(shop.now)
    assert kept(shop) == {1990}
    outcome = shop.push(1990)
    assert outcome.order is not None
    assert outcome.order.token == order.token


def test_an_order_that_was_not_expired_yet_keeps_its_amount_under_a_clock_that_is_ahead(shop: Shop) -> None:
    """Else the next order would be given it when the clock is put back, and one amount would stand for two."""
    order, now = shop.open("N1", 990), shop.now
    rested.chore(shop.store)(now + KEPT_S * 3)
    assert shop.open("N2", 990).really_price != 990
    outcome = shop.push(990)
    assert outcome.order is not None
    assert outcome.order.token == order.token


def test_an_amount_that_was_forgotten_is_given_out_like_one_that_never_was(shop: Shop) -> None:
    shop.open("N1", 990)
    shop.now += KEPT_S * 2
    rested.chore(shop.store)(shop.now)
    assert [shop.open(number, 990).really_price for number in ("N2", "N3")] == [990, 991]


def test_each_look_is_bounded_and_goes_on_where_the_last_one_ended(shop: Shop) -> None:
    for number in range(5):
        shop.open(f"N{number}", 1000 * (number + 1))
    late, place, found = shop.now + KEPT_S, store.slots.FIRST, []
    orders.expire_due(shop.store, late)
    for _ in range(5):
        place = rested.sweep(shop.store, late, place, limit=2)
        found.append(len(kept(shop)))
    assert found == [3, 1, 0, 0, 0]
    assert place == store.slots.FIRST


def test_what_is_all_in_use_is_only_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.open("N1", 990)
    monkeypatch.setattr(shop.store, "transaction", lambda: pytest.fail("nothing is to be written"))
    rested.sweep(shop.store, shop.now - KEPT_S, store.slots.FIRST)
    assert kept(shop) == {990}
