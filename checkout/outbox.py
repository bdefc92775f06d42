"""The messages that are due, handed to a pool in a fair order: who is slow, or owed much, delays nobody else.

What has just become due need not wait for a look: where its host has room, it is claimed in the transaction that made
it due (`at_once`), and goes out when that is on the disk. One commit less, and no look at the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from typing import Any

from checkout import deliveries, store, turns
from checkout.errors import StoreError
from checkout.interfaces import Clock, Dialects, Owed, Rows, Send, Store
from checkout.lanes import Lanes, lane_of
from checkout.model.deliveries import Delivery
from checkout.turns import Turn

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

    @contextmanager
    def at_once(self) -> Iterator[Owed]:
        """Put around a transaction; what is called in there with an order claims the callback that it owes."""
        claimed: list[tuple[Delivery, str]] = []
        others: list[Delivery] = []

        def owed(db: Rows, token: str) -> None:
            give_back()  # a transaction that is done again has undone what it had claimed
            for delivery in store.deliveries.fresh(db, token) if token else ():
                lane = lane_of(delivery)
                if delivery.endpoint or not self._lanes.enter(lane):
                    others.append(delivery)
                elif taken := self._claimed(lane, partial(deliveries.take, db, delivery, self._clock())):
                    claimed.append((taken, lane))

        def give_back() -> None:
            others.clear()
            while claimed:
                self._lanes.leave(claimed.pop()[1])

        try:
            yield owed
        except BaseException:
            give_back()
            raise
        self._store.afterwards(partial(self._begin_all, claimed, others), give_back)

    def deliver(self, claimed: Delivery, lane: str) -> Delivery | None:
        """One try. Gives the lane's next message, claimed in the transaction that books this one where it can be."""
        if claimed.endpoint:
            with self._lock:
                self._tried[claimed.endpoint] = time.monotonic_ns()
        tried = deliveries.send_once(self._store, self._dialects, self._send, claimed, self._clock)

        following = self._passed_over(lane)
        words = [*deliveries.words_of(claimed), *([turns.delivery(following.id)] if following else [])]

        def book(db: Rows, turn: Turn) -> None:
            if tried is not None:
                deliveries.book(db, tried, self._clock(), turn)

        def go_on(db: Rows, turn: Turn) -> Delivery | None:
            book(db, turn)
            return deliveries.take(db, following, self._clock()) if following else None

        try:
            taken, goes_on = self._store.in_turn(lambda _: words, go_on), True
        except StoreError:  # what a merchant has acknowledged is worth a second try, by itself
            self._store.in_turn(lambda _: words, book)
            taken, goes_on = None, False
        if tried is not None:
            deliveries.tell(tried)
        return taken or (self._next(lane) if goes_on else None)

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
        claimed = self._claimed(lane, partial(deliveries.claim, self._store, delivery, self._clock()))
        if claimed is not None:
            self._begin(claimed, lane)

    def _claimed(self, lane: str, claim: Callable[[], Delivery | None]) -> Delivery | None:
        """Claims a message for a lane that was entered, and leaves it again where that does not succeed."""
        claimed = None
        try:
            claimed = claim()
        finally:
            if claimed is None:
                self._lanes.leave(lane)
        return claimed

    def _begin(self, claimed: Delivery, lane: str) -> None:
        try:
            self._submit(self._deliver_all, claimed, lane)
        except RuntimeError:  # the worker has ended; or no thread can be started, then it waits for one in its lane
            log.exception("Delivery %s could not begin; its lease brings it back", claimed.id)

    def _begin_all(self, claimed: list[tuple[Delivery, str]], others: list[Delivery]) -> None:
        for taken, lane in claimed:
            self._begin(taken, lane)
        if others:
            self._pass_over(others)

    def _pass_over(self, fresh: list[Delivery]) -> None:
        """Remembers what goes to a busy host. Whoever is at that host finds it when he is done, or has wakened the
        loop, which finds it in the database."""
        look = False
        for delivery in fresh:
            lane = lane_of(delivery)
            with self._lock:
                queue = self._passed.setdefault(lane, deque())
                if delivery.endpoint or len(queue) >= _REMEMBERED or not self._lanes.is_busy(lane):
                    look = True
                else:
                    queue.append(delivery)
        if look:
            self._wake()

    def _deliver_all(self, claimed: Delivery | None, lane: str) -> None:
        """A message, then those of the same lane that were passed over."""
        try:
            while claimed is not None:
                claimed = self.deliver(claimed, lane)
        except Exception:
            log.exception("Delivery %s failed; its lease brings it back", claimed.id if claimed else "")
        finally:
            self._lanes.leave(lane)
            self._wake()

    def _next(self, lane: str) -> Delivery | None:
        """Claims what follows in the lane, past those that somebody else has claimed."""
        while (following := self._passed_over(lane)) is not None:
            claimed = deliveries.claim(self._store, following, self._clock())
            if claimed is not None:
                return claimed
        return None

    def _passed_over(self, lane: str) -> Delivery | None:
        """What has waited longest for its host."""
        with self._lock:
            passed = self._passed.get(lane)
            return passed.popleft() if passed and not self._is_over() else None
