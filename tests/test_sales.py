"""Takings by Beijing day are right to the second, whether they are summed up or counted."""

from __future__ import annotations

import pytest

from checkout import sales
from checkout.beijing import DAY_S
from checkout.interfaces import Store
from checkout.sales import Day
from tests.shop import Shop

MIDNIGHT = 1_789_920_000  # 2026-09-21 00:00:00 in Beijing


@pytest.fixture
def shop(store: Store) -> Shop:
    shop = Shop(store).fill()
    shop.add_account(id="ali-main", method="alipay")
    return shop


def sell(shop: Shop, at: int, price: int, method: str = "wechat") -> None:
    shop.now = at
    shop.confirm(shop.open(f"N{at}-{price}", price, method=method), price)


def days(shop: Shop, number: int) -> list[Day]:
    with shop.store.read() as db:
        return sales.by_day(db, number, shop.now)


def test_each_day_has_its_takings_by_method(shop: Shop) -> None:
    sell(shop, MIDNIGHT - 1, 100)
    sell(shop, MIDNIGHT, 200)
    sell(shop, MIDNIGHT + 5, 300, "alipay")
    shop.now = MIDNIGHT + DAY_S + 10
    assert days(shop, 3) == [
        Day(MIDNIGHT - DAY_S, 1, 100, {"wechat": 100}),
        Day(MIDNIGHT, 2, 500, {"alipay": 300, "wechat": 200}),
        Day(MIDNIGHT + DAY_S, 0, 0, {}),
    ]


def test_summed_up_days_say_the_same_as_counted_ones(shop: Shop) -> None:
    for day in range(5):
        for second in (0, 50_000, DAY_S - 1):
            if day != 2:
                sell(shop, MIDNIGHT + day * DAY_S + second, 100 + day)
    shop.now = MIDNIGHT + 5 * DAY_S + 1
    counted = days(shop, 6)
    assert sales.sum_up(shop.store, shop.now) == 4, "the last one is not old enough: a transaction may be under way"
    assert days(shop, 6) == counted
    shop.now += 600
    assert sales.sum_up(shop.store, shop.now) == 1
    assert sales.sum_up(shop.store, shop.now) == 0
    assert days(shop, 6) == counted


def test_money_for_an_old_order_counts_on_the_day_it_came(shop: Shop) -> None:
    shop.now = MIDNIGHT - 100
    order = shop.open("N1", 990)
    shop.now = MIDNIGHT + 700
    sales.sum_up(shop.store, shop.now)
    shop.confirm(order, 990)
    assert [day.amount for day in days(shop, 2)] == [0, 990]


def test_a_clock_that_was_ahead_does_not_hide_the_rest_of_the_day(shop: Shop) -> None:
    sell(shop, MIDNIGHT + 10, 100)
    sales.sum_up(shop.store, MIDNIGHT + 2 * DAY_S)
    sell(shop, MIDNIGHT + 20, 200)
    assert days(shop, 1)[0].amount == 300


def test_days_that_were_summed_up_by_a_clock_ahead_are_counted_again(shop: Shop) -> None:
    sell(shop, MIDNIGHT + 10, 100)
    while sales.sum_up(shop.store, MIDNIGHT + 3 * DAY_S):
        pass
    for day in range(3):
        sell(shop, MIDNIGHT + day * DAY_S + 700, 200)
        sales.sum_up(shop.store, MIDNIGHT + day * DAY_S + 800)
    while sales.sum_up(shop.store, MIDNIGHT + 9 * DAY_S):
        pass
    assert [day.amount for day in days(shop, 3)] == [300, 200, 200]


def test_nothing_is_summed_up_before_there_is_an_order(shop: Shop) -> None:
    assert sales.sum_up(shop.store, MIDNIGHT) == 0
    assert [day.orders for day in days(shop, 2)] == [0, 0]
