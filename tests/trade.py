"""Orders that are paid, a worker that tells of them, and the servers that hear it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Protocol, cast
from urllib.parse import urlsplit

import pytest

from checkout import store as stores
from checkout.errors import StoreError
from checkout.http.client import Answer, Outgoing
from checkout.http.steps import READ, Steps, Wait
from checkout.interfaces import Dialects, Store
from checkout.model.deliveries import DeliveryState, Endpoint
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.worker import Worker
from tests.shop import Shop
from tests.world import START, FakeClock, answer

PATIENCE_S = 30


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    return Outgoing("GET", f"{url}?order={order.number}")


DIALECTS = cast(Dialects, {"vmq": SimpleNamespace(callback=callback, acknowledged=lambda found: found.status == 200)})


class Merchants:
    """The merchants' servers: hosts and addresses named in `hanging` do not answer until they are let go."""

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.let_go = threading.Event()
        self.changed = threading.Condition()
        self.sent: list[str] = []
        self.in_flight: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def exchange(self, request: Outgoing) -> Steps[Answer]:
        """As a courier has it: the thread of a server of theirs says when it is over."""
        host = urlsplit(request.url).hostname or ""
        with self.changed:
            self.sent.append(request.url)
            self.in_flight[host] += 1
            self.most[host] = max(self.most[host], self.in_flight[host])
            self.changed.notify_all()
        reading, writing = os.pipe()
        is_hanging = host in self.hanging or request.url.removeprefix("https://") in self.hanging
        threading.Thread(target=self._answer, args=(writing, is_hanging), daemon=True).start()
        with open(reading, "rb") as over:
            yield Wait(over, READ, time.monotonic() + 10 * PATIENCE_S)
        with self.changed:
            self.in_flight[host] -= 1
            self.changed.notify_all()
        return answer()

    def _answer(self, writing: int, is_hanging: bool) -> None:
        if is_hanging:
            self.let_go.wait(PATIENCE_S)
        os.close(writing)

    def wait_for(self, happened: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(happened, PATIENCE_S)


class Trade:
    """A shop whose orders are paid, and the worker that tells the merchants."""

    def __init__(self, shop: Shop, clock: FakeClock, merchants: Merchants, worker: Worker) -> None:
        self.shop, self.clock, self.merchants, self.worker = shop, clock, merchants, worker

    def owe(self, *urls: str) -> list[Order]:
        """One paid order for each URL; all messages are due."""
        found = []
        for url in urls:
            number = f"N{len(self.numbers())}"
            order = self.shop.open(number, price=1000, notify_url=url)
            self.shop.push(order.really_price)
            found.append(order)
        return found

    def numbers(self) -> list[Order]:
        with self.shop.store.read() as db:
            return stores.orders.listed(db, stores.orders.Filter(limit=1000))

    def state(self, order: Order) -> DeliveryState:
        (owed,) = self.shop.deliveries(order)
        return owed.state

    def wait_until_delivered(self, orders: list[Order]) -> None:
        """Polls the database: the worker books after the answer."""
        done = threading.Event()
        for _ in range(PATIENCE_S * 100):
            if all(self.state(order) is DeliveryState.DELIVERED for order in orders):
                return
            done.wait(0.01)
        pytest.fail("not everything was delivered")


@contextmanager
def trading(store: Store, clock: FakeClock) -> Iterator[Trade]:
    merchants = Merchants()
    shop = Shop(store).fill()
    shop.change_account(max_offset=500)
    worker = Worker(store, DIALECTS, merchants.exchange, clock)
    try:
        yield Trade(shop, clock, merchants, worker)
    finally:
        merchants.let_go.set()
        worker.stop()


class Selling(Protocol):
    shop: Shop


def listen(trade: Selling, *urls: str) -> None:
    with trade.shop.store.transaction() as db:
        for number, url in enumerate(urls):
            endpoint = Endpoint(
                id=f"whk_{number}", merchant=1001, url=url, events="order.paid", description="",
                secret="whsec_" + "c2VjcmV0" * 5, previous_secret="", previous_secret_until=0, failing_since=None,
                paused_at=None, pause="", created_at=START,
            )  # fmt: skip
            stores.endpoints.add(db, endpoint)


def lock_at_claims(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next claims find the database locked."""
    real, failures = stores.deliveries.claim, iter(range(times))

    def claim(*values: object) -> object:
        if next(failures, None) is not None:
            raise StoreError("The database is locked by another program; try again in a moment.")
        return real(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(stores.deliveries, "claim", claim)
