from __future__ import annotations

import json

import pytest

from checkout import orders
from checkout import store as stores
from checkout.errors import Conflict
from checkout.interfaces import Store
from checkout.model.deliveries import DeliveryState
from checkout.model.refunds import Refund, RefundState
from checkout.outbox import announcements, endpoints
from tests.hooks import URL, Listener
from tests.world import START, FakeClock, Outside


@pytest.fixture
def listener(store: Store, clock: FakeClock, outside: Outside) -> Listener:
    return Listener(store, clock, outside)


def test_a_paid_order_is_told_to_each_endpoint_and_its_own_callback_stays(listener: Listener) -> None:
    one, two = listener.add(), listener.add("order.closed", "order.paid", url="https://other.example/in")
    order = listener.paid()
    for endpoint, url in ((one, URL), (two, "https://other.example/in")):
        (owed,) = listener.owed(endpoint)
        assert (owed.event, owed.url, owed.state, owed.due_at) == ("order.paid", url, DeliveryState.WAITING, START)
        assert (owed.order_token, owed.merchant, owed.dialect) == (order.token, 1001, "webhook")
    (own,) = listener.shop.deliveries(order)
    assert (own.dialect, own.endpoint, own.body) == ("vmq", "", "")
    with listener.store.read() as db:
        assert [each.order_token for each in stores.deliveries.listed(db, state=None)] == [order.token] * 3
    assert (listener.data(one)["order"], listener.data(one)["state"]) == (order.token, "paid")
    assert listener.data(one)["really_price"] == {"amount": 990, "currency": "CNY"}


def test_an_endpoint_hears_only_what_it_listens_to_and_only_of_its_own_merchant(listener: Listener) -> None:
    one, two = listener.add("order.expired"), listener.add(merchant_id=1002)
    listener.paid()
    assert listener.events(one) == listener.events(two) == []


def test_an_order_that_ends_unpaid_is_told_as_expired_or_closed(listener: Listener) -> None:
    one = listener.add()
    first = listener.shop.open("N1")
    listener.shop.close(first)
    assert (listener.events(one), listener.data(one)["state"]) == (["order.closed"], "closed")
    second = listener.shop.open("N2")
    listener.shop.go(300)
    orders.expire_due(listener.store, listener.shop.now)
    orders.expire_due(listener.store, listener.shop.now)
    assert listener.events(one) == ["order.closed", "order.expired"]
    assert (listener.data(one)["order"], listener.data(one)["state"]) == (second.token, "expired")


def test_late_money_is_told_after_the_expiry(listener: Listener) -> None:
    one = listener.add()
    order = listener.shop.open()
    listener.shop.go(301)
    orders.expire_due(listener.store, listener.shop.now)
    listener.shop.push(order.really_price)
    assert sorted(listener.events(one)) == ["order.expired", "order.paid"]
    paid = next(json.loads(one.body)["data"] for one in listener.owed(one) if one.event == "order.paid")
    assert paid["late"] is True


def test_another_attempt_that_is_paid_closes_the_one_that_waits_and_says_so(listener: Listener) -> None:
    one = listener.add()
    first = listener.shop.open("N1")
    listener.shop.go(300)
    listener.shop.open("N1")
    listener.shop.push(first.really_price)
    assert sorted(listener.events(one)) == ["order.closed", "order.expired", "order.paid"]


def test_each_refund_is_told_once_with_what_went_back_in_all(listener: Listener) -> None:
    one = listener.add()
    order = listener.paid()
    refunds = [
        Refund(f"ref_{number}", order.token, number, amount, "why", RefundState.BY_HAND, START, START)
        for number, amount in (("a", 100), ("b", 200))
    ]
    for refund in refunds:
        with listener.store.transaction() as db:
            stores.refunds.add(db, refund)
            announcements.of_order(db, order, "order.refunded", refund=refund, now=START)
    assert listener.events(one) == ["order.paid", "order.refunded", "order.refunded"]
    told = [json.loads(one.body)["data"] for one in listener.owed(one)[1:]]
    assert sorted((one["refund"]["amount"]["amount"], one["refunded"]["amount"]) for one in told) == [
        (100, 100), (200, 300),
    ]  # fmt: skip
    with pytest.raises(Conflict), listener.store.transaction() as db:
        announcements.of_order(db, order, "order.refunded", refund=refunds[0], now=START)


def test_money_that_nobody_asked_for_is_told_to_the_first_merchant_alone(listener: Listener) -> None:
    one, two = listener.add(), listener.add(merchant_id=1002)
    listener.shop.push(12345)
    listener.shop.push(None)
    assert listener.events(two) == []
    assert listener.events(one) == ["payment.unmatched", "payment.unmatched"]
    bodies = [json.loads(one.body)["data"] for one in listener.owed(one)]
    assert {one["judgement"] for one in bodies} == {"unmatched", "unreadable"}
    assert all("raw" not in one and one["order"] is None for one in bodies)


def test_a_suspected_repeat_is_told_to_the_merchant_of_its_order(listener: Listener) -> None:
    with listener.store.read() as db:
        other = stores.merchants.get(db, 1002)
    one, two = listener.add(), listener.add(merchant_id=1002)
    order = listener.shop.open(merchant=other)
    listener.shop.push(order.really_price)
    listener.shop.push(order.really_price)
    assert listener.events(one) == []
    assert sorted(listener.events(two)) == ["order.paid", "payment.unmatched"]


def test_what_happens_while_an_endpoint_is_paused_is_held_for_thirty_days(listener: Listener) -> None:
    one = listener.add()
    endpoints.pause(listener.store, one.id, **listener.by)
    listener.paid()
    assert [one.state for one in listener.owed(one)] == [DeliveryState.HELD]
    listener.shop.go(announcements.COLLECTED_FOR_S)
    listener.shop.push(4711)
    assert listener.events(one) == ["order.paid"]


def test_a_change_that_is_undone_tells_nothing(listener: Listener) -> None:
    one = listener.add()
    order = listener.shop.open()

    def undone() -> None:
        with listener.store.transaction() as db:
            announcements.of_order(db, order, "order.closed", now=START)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert listener.events(one) == []
