"""The messages that are due, handed to a pool in a fair order: who is slow, or owed much, delays nobody else."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from checkout import deliveries, store
from checkout.interfaces import Clock, Dialects, Send, Store
from checkout.lanes import Lanes, lane_of
from checkout.model import Delivery

log = logging.getLogger(__name__)

_REMEMBERED = 5000


class Outbox:
    """`submit` runs a function on a thread, `wake` asks for the next look, `is_over` tells that nothing may begin."""

    def __init__(
        self, db_store: Store, dialects: Dialects, send: Send, clock: Clock, lanes: Lanes, *,
        submit: Callable[..., Any], wake: Callable[[], None], is_over: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._store, self._dialects, self._send, self._clock, self._lanes = db_store, dialects, send, clock, lanes
        self._submit, self._wake, self._is_over = submit, wake, is_over
        self._tried: dict[str, int] = {}  # webhook endpoints, when each was tried last
        self._passed: dict[str, deque[Delivery]] = {}
        self._lock = threading.Lock()

    def look(self) -> int:
        """Hands over what is due. Gives how many messages waited for a host that has enough already."""
        passed: dict[str, deque[Delivery]] = {}
        waiting = 0
        for delivery in self._due():
            lane = lane_of(delivery)
            entered = self._lanes.enter(lane)
            if entered is None:
                break
            if entered:
                self._hand_over(delivery, lane)
            else:
                waiting += 1
                if waiting <= _REMEMBERED:
                    passed.setdefault(lane, deque()).append(delivery)
        with self._lock:
            self._passed = passed
        return waiting

    def in_turn(self, queues: list[list[Delivery]]) -> Iterator[Delivery]:
        """One message of each endpoint after the other; who was tried last comes last, or the retries of one that
        hangs would keep their neighbours on its host waiting for ever."""
        with self._lock:
            queues.sort(key=lambda queue: self._tried.get(queue[0].endpoint, 0))
        for row in zip_longest(*queues):
            yield from (delivery for delivery in row if delivery is not None)

    def deliver(self, claimed: Delivery) -> None:
        """One try."""
        if claimed.endpoint:
            with self._lock:
                self._tried[claimed.endpoint] = time.monotonic_ns()
        try:
            deliveries.deliver(self._store, self._dialects, self._send, claimed, self._clock)
        except Exception:
            log.exception("Delivery %s failed; its lease brings it back", claimed.id)

    def _due(self) -> Iterator[Delivery]:
        """Everything due, page by page; hosts that are busy are passed over, so they cannot hide the others. Orders'
        own callbacks come first, then a few messages of each webhook endpoint in turn."""
        now, after = self._clock(), (0, "")
        while True:
            with self._store.read() as db:
                page = store.deliveries.due(db, now, after=after)
            yield from page
            if not page:
                break
            after = (page[-1].due_at, page[-1].id)
        for failing in (False, True):
            with self._store.read() as db:
                queues = store.deliveries.due_events(db, now, failing=failing)
            yield from self.in_turn(queues)

    def _hand_over(self, delivery: Delivery, lane: str) -> None:
        try:
            claimed = deliveries.claim(self._store, delivery, self._clock())
        except BaseException:
            self._lanes.leave(lane)
            raise
        if claimed is None:
            self._lanes.leave(lane)
        else:
            self._submit(self._deliver_all, claimed, lane)

    def _deliver_all(self, claimed: Delivery | None, lane: str) -> None:
        """A message, then those of the same lane that the last look has passed over."""
        try:
            while claimed is not None:
                self.deliver(claimed)
                claimed = self._next(lane)
        finally:
            self._lanes.leave(lane)
            self._wake()

    def _next(self, lane: str) -> Delivery | None:
        while not self._is_over():
            with self._lock:
                passed = self._passed.get(lane)
                delivery = passed.popleft() if passed else None
            if delivery is None:
                break
            claimed = deliveries.claim(self._store, delivery, self._clock())
            if claimed is not None:
                return claimed
        return None
