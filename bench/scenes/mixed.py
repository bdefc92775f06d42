"""A busy shop: an order every second, paid after a while, and buyers who wait on their pages; no proxy between."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

from bench import servers
from bench.buyers import Crowd
from bench.driver import ask, percentile
from bench.figures import Figure, Plan, at_most
from bench.merchants import merchant_server
from bench.shop import Shop, data_of

_PAID_AFTER = 10  # orders later


def run(plan: Plan) -> Iterator[Figure]:
    servers.pin_driver()
    buyers, seconds = (500, 60) if plan.is_full else (200, 20)
    with servers.checkout() as server, merchant_server() as shops_server:
        shop = Shop(server, shops_server).furnish()
        crowd = Crowd(server.address)
        crowd.open([order["orderId"] for order in shop.opened(buyers)], over_s=4)
        crowd.run(8)
        till = _Till(shop)
        before = server.cpu_s()
        tally = crowd.run(seconds, also=till.trade())
        cpu = (server.cpu_s() - before) / tally.elapsed_s
        told = till.told()
        crowd.close()
    name = f"{buyers} pages open, 1 order/s: "
    yield Figure("mixed", f"{name}polls", len(tally.polls) / tally.elapsed_s, "/s")
    yield Figure("mixed", f"{name}poll, p50", statistics.median(tally.polls) * 1000, "ms")
    yield Figure("mixed", f"{name}poll, p99", percentile(tally.polls, 0.99) * 1000, "ms")
    yield Figure("mixed", f"{name}create order, p99", percentile(till.created, 0.99) * 1000, "ms", target=at_most(8))
    yield Figure("mixed", f"{name}push → callback, p50", statistics.median(told) * 1000, "ms")
    yield Figure("mixed", f"{name}push → callback, p99", percentile(told, 0.99) * 1000, "ms")
    yield Figure("mixed", f"{name}answers that are faults", tally.faults, "", target=at_most(0))
    yield Figure("mixed", f"{name}CPU of the server", cpu * 100, "%")


class _Till:
    """Creates and pays, each from a thread of its own: the buyers must not wait for it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._waiting: deque[dict[str, Any]] = deque()
        self._work: SimpleQueue[None] = SimpleQueue()
        self._sent: list[tuple[str, float]] = []
        self.created: list[float] = []
        threading.Thread(target=self._run, daemon=True).start()

    def trade(self) -> Iterator[float]:
        while True:
            self._work.put(None)
            yield 1.0

    def told(self) -> list[float]:
        """Seconds from each push to the callback at the merchant's server."""
        assert self._shop.merchant_server
        return [self._shop.merchant_server.wait_for(number) - at for number, at in self._sent]

    def _run(self) -> None:
        while True:
            self._work.get()
            answer, elapsed = ask(self._shop.server.address, next(self._shop.creates(self._shop.prices())))
            self.created.append(elapsed)
            self._waiting.append(data_of(answer.body))
            if len(self._waiting) > _PAID_AFTER:
                order = self._waiting.popleft()
                request, at = self._shop.push(order["reallyPrice"]), time.perf_counter()
                ask(self._shop.server.address, request)
                self._sent.append((order["payId"], at))
