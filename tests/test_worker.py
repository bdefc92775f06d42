from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator

import pytest

from checkout import store as stores
from checkout.errors import StoreError
from checkout.interfaces import Store
from checkout.model.deliveries import DeliveryState
from checkout.model.orders import State
from checkout.outbox.lanes import lane_of
from tests.trade import PATIENCE_S, Trade, listen, lock_at_claims, trading
from tests.world import START, FakeClock


@pytest.fixture
def trade(store: Store, clock: FakeClock) -> Iterator[Trade]:
    with trading(store, clock) as made:
        yield made


def test_what_is_due_is_delivered_when_the_worker_is_woken(trade: Trade) -> None:
    trade.worker.start()
    orders = trade.owe("https://a.example/n", "https://b.example/n")
    trade.worker.wake()
    trade.wait_until_delivered(orders)
    assert sorted(trade.merchants.sent) == ["https://a.example/n?order=N0", "https://b.example/n?order=N1"]


def test_a_merchant_that_hangs_delays_nobody_else(trade: Trade) -> None:
    trade.merchants.hanging = {"slow.example"}
    slow = trade.owe(*["https://slow.example/n"] * 150)
    quick = trade.owe(*[f"https://quick{number}.example/n" for number in range(5)])
    trade.worker.start()
    trade.wait_until_delivered(quick)
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 2)
    assert all(trade.state(order) is DeliveryState.WAITING for order in slow)


def test_a_host_gets_two_messages_at_a_time_and_all_of_them_in_the_end(trade: Trade) -> None:
    trade.merchants.hanging = {"slow.example"}
    orders = trade.owe(*["https://slow.example/n"] * 7)
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 2)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert trade.merchants.most["slow.example"] == 2
    assert len(trade.merchants.sent) == 7


def test_a_host_is_one_host_however_its_name_is_spelt(trade: Trade) -> None:
    trade.merchants.hanging = {"slow.example"}
    orders = trade.owe(
        "https://slow.example/n", "https://SLOW.example/n", "https://slow.example:443/n", "http://Slow.Example/n",
        "https://quick.example/n",
    )  # fmt: skip
    trade.worker.start()
    trade.wait_until_delivered(orders[-1:])
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 2)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert trade.merchants.most["slow.example"] == 2


def test_a_long_queue_of_one_host_is_not_read_again_for_every_answer(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = trade.owe(*["https://a.example/n"] * 150)
    real, pages = stores.deliveries.due, []

    def due(*values: object, **named: object) -> object:
        pages.append(1)
        return real(*values, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.deliveries, "due", due)
    trade.worker.start()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 150
    assert len(pages) < 20
    assert trade.merchants.most["a.example"] <= 2


def test_a_queue_longer_than_is_remembered_is_delivered_to_the_end(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkout.outbox.dispatcher._REMEMBERED", 3)
    orders = trade.owe(*["https://a.example/n"] * 20)
    trade.worker.start()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 20


def test_a_database_that_is_busy_between_two_messages_to_a_host_stops_neither_it_nor_the_worker(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade.merchants.hanging = {"slow.example"}
    orders = trade.owe(*["https://slow.example/n"] * 6)
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 2)
    trade.worker.turn()
    lock_at_claims(monkeypatch, 2)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 6


def test_what_was_remembered_and_is_another_worker_s_by_now_is_left_to_it(trade: Trade) -> None:
    trade.merchants.hanging = {"slow.example"}
    orders = trade.owe(*["https://slow.example/n"] * 4)
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 2)
    trade.worker.turn()
    with trade.shop.store.transaction() as db:
        for delivery in stores.deliveries.due(db, START):
            assert stores.deliveries.claim(db, delivery, START + 30)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders[:2])
    trade.worker.stop()
    assert len(trade.merchants.sent) == 2


def test_a_full_pool_takes_up_the_rest_when_there_is_room(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout.outbox.lanes.MOST_AT_ONCE", 3)
    hosts = [f"slow{number}.example" for number in range(6)]
    trade.merchants.hanging = set(hosts)
    orders = trade.owe(*[f"https://{host}/n" for host in hosts])
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight.total() == 3)
    trade.worker.turn()
    claimed = [order for order in orders if trade.shop.deliveries(order)[0].attempts]
    assert len(claimed) == 3, "what waits in a queue of ours would lose its lease there"
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 6


def test_an_address_that_cannot_be_read_does_not_stop_the_others(trade: Trade) -> None:
    (bad,) = trade.owe("http://[::1/n")
    trade.clock.go(1)
    trade.shop.go(1)
    good = trade.owe("https://a.example/n")
    trade.worker.start()
    trade.wait_until_delivered(good)
    assert trade.shop.deliveries(bad)[0].attempts >= 1


def test_a_database_that_was_busy_at_the_claim_does_not_block_the_host_for_ever(
    trade: Trade, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter(range(3))
    real = stores.deliveries.claim

    def claim(*values: object) -> object:
        if next(failures, None) is not None:
            trade.worker.wake()
            raise StoreError("The database is locked by another program; try again in a moment.")
        return real(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.deliveries, "claim", claim)
    orders = trade.owe("https://a.example/n")
    with caplog.at_level(logging.WARNING):
        trade.worker.start()
        trade.wait_until_delivered(orders)
    assert caplog.text.count("The worker waits for the database") == 3


def test_a_fault_in_a_turn_is_logged_and_the_worker_goes_on(
    trade: Trade, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter(range(2))
    real = stores.deliveries.due

    def due(*values: object, **named: object) -> object:
        if next(failures, None) is not None:
            trade.worker.wake()
            raise ZeroDivisionError
        return real(*values, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.deliveries, "due", due)
    orders = trade.owe("https://a.example/n")
    trade.worker.start()
    trade.wait_until_delivered(orders)
    assert caplog.text.count("The worker's turn failed") == 2


def test_a_delivery_that_cannot_be_booked_comes_back_with_its_lease(
    trade: Trade, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()
    failures = iter([None, failed.set])
    real = stores.deliveries.add_try

    def add_try(*values: object) -> None:
        for tell in failures:
            if tell:
                tell()
            raise StoreError("The disk is full; make room, nothing that was acknowledged is lost.")
        real(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.deliveries, "add_try", add_try)
    orders = trade.owe("https://a.example/n")
    trade.worker.start()
    assert failed.wait(PATIENCE_S)
    assert trade.state(orders[0]) is DeliveryState.WAITING
    trade.clock.go(30)
    trade.worker.wake()
    trade.wait_until_delivered(orders)
    assert len(trade.merchants.sent) == 2
    assert "its lease brings it back" in caplog.text


def test_what_another_worker_has_claimed_is_left_to_it(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers look, both see the same delivery as due; the second finds it taken."""
    real, seen = stores.deliveries.claim, threading.Event()

    def claim(db: object, delivery: object, lease: object) -> object:
        monkeypatch.setattr(stores.deliveries, "claim", real)
        assert real(db, delivery, lease) is not None  # type: ignore[arg-type]
        found = real(db, delivery, lease)  # type: ignore[arg-type]
        seen.set()
        return found

    monkeypatch.setattr(stores.deliveries, "claim", claim)
    taken = trade.owe("https://a.example/n")
    trade.worker.start()
    assert seen.wait(PATIENCE_S)
    others = trade.owe("https://a.example/n", "https://a.example/n")
    trade.worker.wake()
    trade.wait_until_delivered(others)
    assert trade.state(taken[0]) is DeliveryState.WAITING
    assert len(trade.merchants.sent) == 2


def test_orders_expire_without_anybody_asking(trade: Trade) -> None:
    order = trade.shop.open()
    trade.clock.go(300)
    trade.worker.turn()
    assert trade.shop.order(order).state is State.EXPIRED


def test_starting_twice_starts_one_loop_and_one_courier_and_stopping_an_idle_worker_does_nothing(trade: Trade) -> None:
    before = threading.active_count()
    trade.worker.stop()
    trade.worker.start()
    trade.worker.start()
    assert threading.active_count() == before + 2


def test_stopping_waits_for_the_tries_that_are_under_way(trade: Trade) -> None:
    trade.merchants.hanging = {"slow.example"}
    orders = trade.owe("https://slow.example/n")
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 1)
    threading.Timer(0.05, trade.merchants.let_go.set).start()
    trade.worker.stop()
    assert trade.state(orders[0]) is DeliveryState.DELIVERED


def test_a_forked_child_starts_with_nothing_in_flight(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    trade.merchants.hanging = {"slow.example"}
    trade.owe(*["https://slow.example/n"] * 2)
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 2)
    real = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: real + 1)
    parent_pool, courier = trade.worker._pool, trade.worker._courier
    trade.worker.start()
    more = trade.owe("https://slow.example/n")
    trade.worker.wake()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["slow.example"] == 3)
    trade.merchants.let_go.set()
    trade.wait_until_delivered(more)
    while not courier.close():
        time.sleep(0.01)
    parent_pool.shutdown()


def test_each_delivery_is_tried_at_the_time_of_the_clock(trade: Trade) -> None:
    orders = trade.owe("https://a.example/n")
    trade.worker.start()
    trade.wait_until_delivered(orders)
    assert trade.shop.deliveries(orders[0])[0].done_at == START


# Webhook endpoints


def test_endpoints_that_hang_on_the_shop_s_own_host_leave_a_place_for_its_callbacks(trade: Trade) -> None:
    listen(trade, "https://a.example/hook", "https://a.example/other")
    trade.merchants.hanging.add("a.example/hook")
    trade.merchants.hanging.add("a.example/other")
    trade.worker.start()
    orders = trade.owe("https://a.example/n", "https://a.example/n", "https://a.example/n")
    trade.worker.wake()
    trade.wait_until_delivered(orders)
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["a.example"] == 1)
    assert trade.merchants.most["a.example"] <= 2
    hooks = [url for url in trade.merchants.sent if "/n?" not in url]
    assert len(hooks) == 1


def test_a_hundred_endpoints_that_hang_leave_room_in_the_pool(trade: Trade) -> None:
    names = [f"hook{number}.example" for number in range(100)]
    listen(trade, *(f"https://{name}/in" for name in names))
    trade.merchants.hanging.update(names)
    trade.worker.start()
    orders = trade.owe("https://a.example/n")
    trade.worker.wake()
    trade.merchants.wait_for(lambda: sum(trade.merchants.in_flight[name] for name in names) == 32)
    more = trade.owe("https://b.example/n")
    trade.worker.wake()
    trade.wait_until_delivered(orders + more)
    assert sum(trade.merchants.most.values()) <= 32 + 2


def test_an_endpoint_with_a_long_queue_hides_no_other(trade: Trade) -> None:
    listen(trade, "https://a.example/in", "https://b.example/in")
    orders = trade.owe(*["https://c.example/n"] * 70)
    with trade.shop.store.read() as db:
        assert [len(queue) for queue in stores.deliveries.due_events(db, START, failing=False)] == [50, 50]
    trade.worker.start()
    trade.worker.wake()
    trade.wait_until_delivered(orders)
    trade.merchants.wait_for(lambda: len(trade.merchants.sent) == 210)


def test_the_retries_of_an_endpoint_that_hangs_leave_its_neighbours_their_turn(trade: Trade) -> None:
    """All on one host, where one message is on its way at a time."""
    listen(trade, "https://a.example/slow", "https://a.example/other", "https://a.example/third")
    trade.worker._courier.open()
    trade.owe("https://c.example/n", "https://c.example/n")
    for _ in range(4):
        with trade.shop.store.read() as db:
            queues = stores.deliveries.due_events(db, trade.clock(), failing=False)
        first = next(trade.worker.dispatcher.in_turn(queues))
        assert trade.worker._lanes.enter(lane_of(first))
        trade.worker.dispatcher._hand_over(first, lane_of(first))
        while not (came := trade.worker.dispatcher.collect(1)):
            pass
        trade.worker.dispatcher.replied(came)
    tried = [url for url in trade.merchants.sent if "a.example" in url]
    assert tried[:3] == ["https://a.example/slow", "https://a.example/other", "https://a.example/third"]
    trade.worker._courier.free()


def test_endpoints_that_fail_come_after_those_that_answer(trade: Trade) -> None:
    listen(trade, "https://a.example/down", "https://a.example/up")
    with trade.shop.store.transaction() as db:
        stores.endpoints.failed(db, "whk_0", START)
    orders = trade.owe("https://c.example/n", "https://c.example/n", "https://c.example/n")
    trade.merchants.hanging.add("a.example/up")  # until all that is due was seen
    trade.worker.start()
    trade.merchants.wait_for(lambda: trade.merchants.in_flight["a.example"] == 1)
    trade.worker.turn()
    trade.merchants.let_go.set()
    trade.wait_until_delivered(orders)
    trade.merchants.wait_for(lambda: len(trade.merchants.sent) == 9)
    tried = [url for url in trade.merchants.sent if "a.example" in url]
    assert tried[:3] == ["https://a.example/up"] * 3
