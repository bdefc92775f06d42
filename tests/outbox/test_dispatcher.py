"""What is owed goes out right after the transaction that owes it, whatever the loop sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from checkout import store as stores
from checkout.errors import StoreError
from checkout.interfaces import Owed, Rows, Store
from checkout.model.deliveries import DeliveryState
from checkout.outbox import announcements, deliveries
from checkout.outbox.dispatcher import Dispatcher
from tests.trade import Trade, listen, lock_at_claims, trading
from tests.world import START, FakeClock


@pytest.fixture
def trade(store: Store, clock: FakeClock) -> Iterator[Trade]:
    with trading(store, clock) as made:
        made.shop.at_once = made.worker.at_once
        yield made


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop does not look, so that what goes out was not found by it (a look that found nothing would also forget
    what waits for a busy host)."""
    monkeypatch.setattr(Dispatcher, "dispatch_due", lambda _: 0)


@pytest.mark.usefixtures("blind")
def test_a_callback_goes_out_right_after_the_payment(trade: Trade) -> None:
    trade.worker.start()
    orders = trade.owe("https://a.example/n")
    trade.wait_until_delivered(orders)
    assert trade.merchants.sent == ["https://a.example/n?order=N0"]


def test_a_callback_is_claimed_when_its_payment_is_on_the_disk(trade: Trade) -> None:
    trade.merchants.hanging.add("a.example")
    trade.worker.start()
    (order,) = trade.owe("https://a.example/n")
    (owed,) = trade.shop.deliveries(order)
    assert (owed.state, owed.attempts, owed.due_at) == (DeliveryState.WAITING, 1, START + deliveries.LEASE_S)
    with trade.shop.store.read() as db:
        assert stores.deliveries.due(db, START + deliveries.LEASE_S - 1) == []
        assert stores.deliveries.due(db, START + deliveries.LEASE_S) == [owed], "a dead worker's callback comes back"


@pytest.mark.usefixtures("blind")
def test_those_whose_host_is_busy_follow_when_it_has_answered(trade: Trade) -> None:
    trade.merchants.hanging.add("a.example")
    trade.worker.start()
    orders = trade.owe(*["https://a.example/n"] * 6)
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["a.example"] == 2)
    assert [trade.shop.deliveries(order)[0].attempts for order in orders] == [1, 1, 0, 0, 0, 0]
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 6
    assert trade.merchants.most["a.example"] == 2


def test_what_cannot_be_remembered_is_found_by_the_loop(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout.outbox.dispatcher._REMEMBERED", 1)
    trade.merchants.hanging.add("a.example")
    trade.worker.start()
    orders = trade.owe(*["https://a.example/n"] * 6)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 6


@pytest.mark.usefixtures("blind")
def test_a_payment_that_is_not_booked_sends_nothing_and_keeps_no_place_at_the_host(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade.worker.start()
    real, failures = announcements.of_order, iter(range(3))

    def of_order(*values: Any, **more: Any) -> Any:
        if next(failures, None) is not None:
            raise StoreError("The disk is full; make room, nothing that was acknowledged is lost.")
        return real(*values, **more)

    monkeypatch.setattr(announcements, "of_order", of_order)
    for _ in range(3):
        with suppress(StoreError):
            trade.owe("https://a.example/n")
    assert [trade.shop.deliveries(order) for order in trade.numbers()] == [[], [], []]
    paid = trade.owe("https://a.example/n", "https://a.example/n")
    trade.wait_until_delivered(paid)
    assert len(trade.merchants.sent) == 2


@pytest.mark.usefixtures("blind")
def test_a_transaction_that_is_done_again_claims_once(trade: Trade) -> None:
    trade.worker.start()
    order = trade.shop.open("N9", notify_url="https://b.example/n")

    def owe(db: Rows, owed: Owed) -> None:
        owed.reset()
        deliveries.owe(db, order, "order.paid", receipt="", owed=owed, new_id=trade.shop.new_id, now=START)

    with trade.worker.at_once() as owed:
        for _ in range(3):
            with suppress(ZeroDivisionError), trade.shop.store.transaction() as db:
                owe(db, owed)
                raise ZeroDivisionError
        with trade.shop.store.transaction() as db:
            owe(db, owed)
    trade.wait_until_delivered([order])
    assert len(trade.merchants.sent) == 1
    paid = trade.owe("https://b.example/n", "https://b.example/n")
    trade.wait_until_delivered(paid)


def test_an_order_without_an_address_owes_nothing_to_claim(trade: Trade) -> None:
    trade.worker.start()
    with trade.shop.store.transaction() as db:
        db.run("UPDATE merchants SET notify_url = ''")
    (order,) = trade.owe("")
    assert trade.state(order) is DeliveryState.NONE


def test_webhook_endpoints_hear_of_it_too(trade: Trade) -> None:
    listen(trade, "https://hook.example/h")
    trade.worker.start()
    orders = trade.owe("https://a.example/n")
    trade.merchants.wait_for(lambda: len(trade.merchants.sent) == 2)
    trade.wait_until_delivered(orders)
    assert sorted(trade.merchants.sent)[1] == "https://hook.example/h"


def test_without_a_worker_what_is_owed_waits_to_be_found(trade: Trade) -> None:
    (order,) = trade.owe("https://a.example/n")
    assert trade.shop.deliveries(order)[0].attempts == 0
    trade.worker.start()
    trade.wait_until_delivered([order])


def test_a_worker_that_has_ended_claims_nothing(trade: Trade) -> None:
    trade.worker.start()
    trade.worker.stop()
    (order,) = trade.owe("https://a.example/n")
    assert trade.shop.deliveries(order)[0].attempts == 0


def test_a_worker_that_ends_between_the_claim_and_the_try_leaves_it_to_the_lease(
    trade: Trade, caplog: pytest.LogCaptureFixture
) -> None:
    trade.worker.start()
    ready = trade.worker.at_once
    trade.shop.at_once = lambda: ready_before
    ready_before = ready()
    trade.worker.stop()
    (order,) = trade.owe("https://a.example/n")
    (owed,) = trade.shop.deliveries(order)
    assert (owed.state, owed.due_at) == (DeliveryState.WAITING, START + deliveries.LEASE_S)
    assert "its lease brings it back" in caplog.text


def test_an_acknowledgement_is_booked_by_itself_when_the_next_message_cannot_be_claimed(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade.merchants.hanging.add("a.example")
    trade.worker.start()
    orders = trade.owe(*["https://a.example/n"] * 4)
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["a.example"] == 2)
    lock_at_claims(monkeypatch, 2)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 4
