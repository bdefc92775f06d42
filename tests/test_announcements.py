from __future__ import annotations

import json
from typing import Any

import pytest

from checkout import announcements, orders
from checkout import store as stores
from checkout.errors import Conflict
from checkout.interfaces import Store
from checkout.model import Delivery, DeliveryState, Endpoint, Order, Refund, RefundState
from tests.shop import Shop
from tests.world import START, merchant

SECRET = "whsec_" + "c2VjcmV0" * 5


def endpoint(**changes: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "id": "whk_1", "merchant": 1001, "url": "https://hooks.example/in", "events": "", "description": "",
        "secret": SECRET, "previous_secret": "", "previous_secret_until": 0, "failing_since": None, "paused_at": None,
        "pause": "", "created_at": START,
    }  # fmt: skip
    return Endpoint(**{**fields, **changes})


class Listener:
    """A shop whose events go to webhook endpoints."""

    def __init__(self, store: Store) -> None:
        self.store, self.shop = store, Shop(store).fill()

    def add(self, **changes: Any) -> None:
        with self.store.transaction() as db:
            stores.endpoints.add(db, endpoint(**changes))

    def owed(self, endpoint_id: str = "whk_1") -> list[Delivery]:
        with self.store.read() as db:
            return stores.deliveries.listed(db, state=None, endpoint=endpoint_id)[::-1]

    def events(self, endpoint_id: str = "whk_1") -> list[str]:
        return [one.event for one in self.owed(endpoint_id)]

    def data(self) -> dict[str, Any]:
        """What the last message says."""
        message = json.loads(self.owed()[-1].body)
        assert set(message) == {"type", "timestamp", "data"}
        data: dict[str, Any] = message["data"]
        return data

    def paid(self) -> Order:
        order = self.shop.open()
        self.shop.push(order.really_price)
        return self.shop.order(order)


@pytest.fixture
def listener(store: Store) -> Listener:
    return Listener(store)


def test_a_paid_order_is_told_to_each_endpoint_and_its_own_callback_stays(listener: Listener) -> None:
    listener.add()
    listener.add(id="whk_2", url="https://other.example/in", events="order.closed order.paid")
    order = listener.paid()
    for name, url in (("whk_1", "https://hooks.example/in"), ("whk_2", "https://other.example/in")):
        (owed,) = listener.owed(name)
        assert (owed.event, owed.url, owed.state, owed.due_at) == ("order.paid", url, DeliveryState.WAITING, START)
        assert (owed.order_token, owed.merchant, owed.dialect) == (order.token, 1001, "webhook")
    (own,) = listener.shop.deliveries(order)
    assert (own.dialect, own.endpoint, own.body) == ("vmq", "", "")
    with listener.store.read() as db:
        assert len(stores.deliveries.about_order(db, order.token)) == 3
    assert (listener.data()["order"], listener.data()["state"]) == (order.token, "paid")
    assert listener.data()["really_price"] == {"amount": 990, "currency": "CNY"}


def test_an_endpoint_hears_only_what_it_listens_to_and_only_of_its_own_merchant(listener: Listener) -> None:
    with listener.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    listener.add(events="order.expired")
    listener.add(id="whk_2", merchant=1002)
    listener.paid()
    assert listener.events("whk_1") == listener.events("whk_2") == []


def test_an_order_that_ends_unpaid_is_told_as_expired_or_closed(listener: Listener) -> None:
    listener.add()
    first = listener.shop.open("N1")
    listener.shop.close(first)
    assert (listener.events(), listener.data()["state"]) == (["order.closed"], "closed")
    second = listener.shop.open("N2")
    listener.shop.go(300)
    orders.expire_due(listener.store, listener.shop.now)
    orders.expire_due(listener.store, listener.shop.now)
    assert listener.events() == ["order.closed", "order.expired"]
    assert (listener.data()["order"], listener.data()["state"]) == (second.token, "expired")


def test_late_money_is_told_after_the_expiry(listener: Listener) -> None:
    listener.add()
    order = listener.shop.open()
    listener.shop.go(301)
    orders.expire_due(listener.store, listener.shop.now)
    listener.shop.push(order.really_price)
    assert sorted(listener.events()) == ["order.expired", "order.paid"]
    paid = next(json.loads(one.body)["data"] for one in listener.owed() if one.event == "order.paid")
    assert paid["late"] is True


def test_another_attempt_that_is_paid_closes_the_one_that_waits_and_says_so(listener: Listener) -> None:
    listener.add()
    first = listener.shop.open("N1")
    listener.shop.go(300)
    listener.shop.open("N1")
    listener.shop.push(first.really_price)
    assert sorted(listener.events()) == ["order.closed", "order.expired", "order.paid"]


def test_each_refund_is_told_once_with_what_went_back_in_all(listener: Listener) -> None:
    listener.add()
    order = listener.paid()
    for number, amount in (("a", 100), ("b", 200)):
        refund = Refund(f"ref_{number}", order.token, number, amount, "why", RefundState.BY_HAND, START, START)
        with listener.store.transaction() as db:
            stores.refunds.add(db, refund)
            announcements.of_order(db, order, "order.refunded", refund=refund, now=START)
    assert listener.events() == ["order.paid", "order.refunded", "order.refunded"]
    told = [json.loads(one.body)["data"] for one in listener.owed()[1:]]
    assert sorted((one["refund"]["amount"]["amount"], one["refunded"]["amount"]) for one in told) == [
        (100, 100), (200, 300),
    ]  # fmt: skip
    with pytest.raises(Conflict), listener.store.transaction() as db:
        announcements.of_order(db, order, "order.refunded", refund=refund, now=START)


def test_money_that_nobody_asked_for_is_told_to_the_first_merchant_alone(listener: Listener) -> None:
    with listener.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
    listener.add()
    listener.add(id="whk_2", merchant=1002)
    listener.shop.push(12345)
    listener.shop.push(None)
    assert listener.events("whk_2") == []
    assert listener.events() == ["payment.unmatched", "payment.unmatched"]
    bodies = [json.loads(one.body)["data"] for one in listener.owed()]
    assert {one["judgement"] for one in bodies} == {"unmatched", "unreadable"}
    assert all("raw" not in one and one["order"] is None for one in bodies)


def test_a_suspected_repeat_is_told_to_the_merchant_of_its_order(listener: Listener) -> None:
    with listener.store.transaction() as db:
        stores.merchants.add(db, merchant(id=1002))
        other = stores.merchants.get(db, 1002)
    listener.add()
    listener.add(id="whk_2", merchant=1002)
    order = listener.shop.open(merchant=other)
    listener.shop.push(order.really_price)
    listener.shop.push(order.really_price)
    assert listener.events() == []
    assert sorted(listener.events("whk_2")) == ["order.paid", "payment.unmatched"]


def test_what_happens_while_an_endpoint_is_paused_is_held_for_thirty_days(listener: Listener) -> None:
    listener.add(paused_at=START, pause="hand")
    listener.paid()
    assert [one.state for one in listener.owed()] == [DeliveryState.HELD]
    listener.shop.go(announcements.COLLECTED_FOR_S)
    listener.shop.push(4711)
    assert listener.events() == ["order.paid"]


def test_a_change_that_is_undone_tells_nothing(listener: Listener) -> None:
    listener.add()
    order = listener.shop.open()

    def undone() -> None:
        with listener.store.transaction() as db:
            announcements.of_order(db, order, "order.closed", now=START)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert listener.events() == []
