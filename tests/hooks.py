"""A shop whose events go to webhook endpoints, and a worker's hand for them."""

from __future__ import annotations

import json
from typing import Any

from checkout import store as stores
from checkout.interfaces import Store
from checkout.merchants import Reach
from checkout.model.deliveries import Delivery, Endpoint, Try
from checkout.model.orders import Order
from checkout.outbox import deliveries, endpoints
from checkout.outbox.endpoints import Wish
from tests.shop import Shop
from tests.world import FakeClock, Outside, merchant

URL = "https://hooks.example/in"


class Listener:
    """One merchant (and another, 1002, that has nothing to do with it)."""

    def __init__(self, store: Store, clock: FakeClock, outside: Outside) -> None:
        self.store, self.clock, self.outside = store, clock, outside
        self.shop = Shop(store).fill()
        with store.transaction() as db:
            stores.merchants.add(db, merchant(id=1002))

    @property
    def by(self) -> dict[str, Any]:
        return {"actor": "owner", "new_id": self.shop.new_id, "now": self.clock()}

    def add(self, *events: str, url: str = URL, merchant_id: int = 1001) -> Endpoint:
        return endpoints.add(self.store, merchant_id, Wish(url, events or None), Reach(), **self.by)

    def now(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as it stands in the database."""
        return endpoints.existing(self.store, endpoint.id)

    def owed(self, endpoint: Endpoint) -> list[Delivery]:
        """The oldest first."""
        with self.store.read() as db:
            return stores.deliveries.listed(db, state=None, endpoint=endpoint.id)[::-1]

    def events(self, endpoint: Endpoint) -> list[str]:
        return [one.event for one in self.owed(endpoint)]

    def data(self, endpoint: Endpoint) -> dict[str, Any]:
        """What the last message says."""
        message = json.loads(self.owed(endpoint)[-1].body)
        assert set(message) == {"type", "timestamp", "data"}
        data: dict[str, Any] = message["data"]
        return data

    def paid(self, number: str = "N1") -> Order:
        self.shop.now = self.clock()
        order = self.shop.open(number)
        self.shop.push(order.really_price)
        return self.shop.order(order)

    def work(self) -> int:
        """Tries what is due for endpoints once; gives how many."""
        with self.store.read() as db:
            due = [
                one
                for failing in (False, True)
                for queue in stores.deliveries.due_events(db, self.clock(), failing=failing)
                for one in queue
            ]
        for one in due:
            claimed = deliveries.claim(self.store, one, self.clock())
            assert claimed is not None
            deliveries.deliver(self.store, {}, self.outside.send, claimed, self.clock)
        return len(due)

    def work_until(self, end: int) -> None:
        """Does what a worker does until a moment, hopping from one due time to the next."""
        while True:
            with self.store.read() as db:
                row = db.one("SELECT min(due_at) FROM deliveries WHERE state = 'waiting' AND endpoint <> ''")
            if row is None or row[0] is None or row[0] > end:
                self.clock.now = end
                return
            self.clock.now = max(self.clock.now, int(row[0]))
            self.work()

    def tries(self, delivery: Delivery) -> list[Try]:
        with self.store.read() as db:
            return stores.deliveries.tries(db, delivery.id)
