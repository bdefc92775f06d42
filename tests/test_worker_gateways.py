"""The worker asks gateways about orders whose notice did not come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from checkout import inquiries, store
from checkout.channel import Channel, Found, GatewayError, Paid, Standing
from checkout.model.orders import Order, State
from checkout.store.gateways import Watch
from checkout.worker import Worker
from tests.channels.orders import TOKEN, order
from tests.world import START, World, account

PATIENCE_S = 30


class Gateway:
    """Says what it is told to say; notes what it is asked."""

    name, method = "alipay", "alipay"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.asked = threading.Semaphore(0)
        self.answer: Callable[[Order], Found] = lambda order: Found(Standing.UNPAID)

    def query(self, order: Order, now: int) -> Found:
        self.calls.append("query")
        try:
            return self.answer(order)
        finally:
            self.asked.release()

    def close(self, order: Order, now: int) -> None:
        self.calls.append("close")


@pytest.fixture
def gateway(world: World) -> Gateway:
    with world.store.transaction() as db:
        store.accounts.add(db, account(id="ali-official", method="alipay", channel="alipay", code=""))
        store.orders.add(db, order())
        store.gateways.watch(db, TOKEN, "alipay", START)
    return Gateway()


@pytest.fixture
def worker(world: World, gateway: Gateway) -> Iterator[Worker]:
    channels = {"alipay": cast(Channel, gateway)}
    made = Worker(world.store, {}, world.outside.exchange, world.clock, channels=channels)
    yield made
    made.stop()


def asked_once(worker: Worker, gateway: Gateway) -> None:
    worker.start()
    assert gateway.asked.acquire(timeout=PATIENCE_S)
    worker.stop()


def watches(world: World) -> list[int]:
    with world.store.read() as db:
        return [row[0] for row in db.all("SELECT due_at FROM gateway_watch")]


def state(world: World) -> State:
    with world.store.read() as db:
        found = store.orders.get(db, TOKEN)
    assert found is not None
    return found.state


def test_money_whose_notice_never_came_is_found_by_asking(world: World, worker: Worker, gateway: Gateway) -> None:
    gateway.answer = lambda order: Found(Standing.PAID, Paid(order.token, "T1", 990, START))
    asked_once(worker, gateway)
    assert (state(world), watches(world)) == (State.PAID, [])


def test_an_unpaid_order_is_asked_about_again_later(world: World, worker: Worker, gateway: Gateway) -> None:
    asked_once(worker, gateway)
    assert (gateway.calls, state(world)) == (["query"], State.PENDING)
    assert watches(world) == [START + 10]


def test_an_order_that_has_ended_is_closed_there_and_asked_about_a_last_time(
    world: World, worker: Worker, gateway: Gateway
) -> None:
    world.clock.go(301)
    asked_once(worker, gateway)
    assert (gateway.calls, watches(world)) == (["close", "query"], [])


def test_a_gateway_that_is_down_is_asked_again(world: World, worker: Worker, gateway: Gateway) -> None:
    def down(order: Order) -> Found:
        raise GatewayError("It does not answer.", permanent=False)

    gateway.answer = down
    asked_once(worker, gateway)
    assert watches(world) == [START + 10]
    assert noted(world) == {"gateway:alipay": (START, "It does not answer.")}
    gateway.answer = lambda order: Found(Standing.UNPAID)
    world.clock.go(10)
    inquiries.check(
        world.store, {"alipay": cast(Channel, gateway)}, Watch(TOKEN, "alipay", START, 1, False),
        new_id=world.parts.new_id, clock=world.clock,
    )  # fmt: skip
    assert noted(world) == {}


def test_a_gateway_that_refuses_a_question_is_not_down(world: World, worker: Worker, gateway: Gateway) -> None:
    def refuses(order: Order) -> Found:
        raise GatewayError("There is no such order.", permanent=True)

    gateway.answer = refuses
    asked_once(worker, gateway)
    assert noted(world) == {}


def noted(world: World) -> dict[str, tuple[int, str]]:
    with world.store.read() as db:
        return store.alerts.troubles(db)
