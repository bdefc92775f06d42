"""An order whose account cannot take it moves to the next one, for as long as it waits."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkout import switching
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.model.orders import Order, State
from tests.shop import Shop
from tests.world import START


@pytest.fixture
def shop(store: Store) -> Shop:
    made = Shop(store).fill()
    made.add_account(id="wx-next", channel="wechat", code="")
    return made


def reroute(shop: Shop, order: Order, *without: str) -> Order:
    return switching.reroute(shop.store, order, shop.rules, shop.now, without=without or {order.account})


@pytest.fixture
def order(shop: Shop) -> Order:
    opened = shop.open(without=frozenset({"wx-next"}))
    assert opened.account == "wx-main"
    return opened


def test_it_has_the_next_account_and_nothing_was_shown_of_that_yet(shop: Shop, order: Order) -> None:
    moved = reroute(shop, order)
    assert moved == shop.order(order)
    assert moved == replace(
        order, account="wx-next", channel="wechat", really_price=990, shown_at=None, rev=order.rev + 1
    )


def test_nobody_has_to_wait_for_late_money_to_an_amount_that_was_not_shown_yet(shop: Shop, order: Order) -> None:
    shop.change_account(id="wx-next")
    moved = reroute(shop, order)
    assert (moved.account, moved.really_price, moved.shown_at) == ("wx-next", 990, None)
    assert shop.slots()["wx-next", 990] == (order.token, START + 300, START + 300)


def test_one_that_somebody_moved_before_stays_where_it_is(shop: Shop, order: Order) -> None:
    moved = reroute(shop, order)
    assert reroute(shop, order) == moved
    assert shop.order(order) == moved


@pytest.mark.parametrize("end", ["paid", "closed", "over"])
def test_one_that_ended_meanwhile_stays_as_it_ended(shop: Shop, order: Order, end: str) -> None:
    if end == "paid":
        shop.push(990)
    elif end == "closed":
        shop.close(order)
    else:
        shop.go(300)
    before = shop.order(order)
    assert reroute(shop, order) == before == shop.order(order)
    assert before.state is (State.PENDING if end == "over" else State(end))


def test_without_another_account_it_stays_and_the_refusal_says_so(shop: Shop, order: Order) -> None:
    with pytest.raises(Refusal) as caught:
        reroute(shop, order, "wx-main", "wx-next")
    assert caught.value.code is Code.NO_ACCOUNT
    assert shop.order(order) == order
    with pytest.raises(Refusal) as caught:
        reroute(shop, replace(order, token="0" * 32))
    assert caught.value.code is Code.NOT_FOUND


def test_money_that_came_to_the_account_before_still_finds_it(shop: Shop, order: Order) -> None:
    reroute(shop, order)
    paid = shop.push(990).order
    assert paid is not None
    assert (paid.token, paid.account, paid.paid_at) == (order.token, "wx-main", START)
