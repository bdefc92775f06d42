"""The messages that are due, handed to the courier in a fair order: who is slow, or owed much, delays nobody else.

What has just become due need not wait for a look: where its host has room, it is claimed in the transaction that made
it due (`at_once`), and goes out when that is on the disk. What follows in a lane is claimed in the transaction that
books the try before it, and tries that end together are booked together: fewer commits, and no look at the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest

from checkout import locks, store
from checkout.interfaces import Clock, Dialects, Owed, Rows, Store
from checkout.locks import Held
from checkout.model.deliveries import Delivery
from checkout.outbox import deliveries, letters
from checkout.outbox.courier import Courier, Reply
from checkout.outbox.lanes import Lanes, lane_of
from checkout.outbox.letters import Tried
from checkout.outbox.owing import Owing, Way

log = logging.getLogger(__name__)

_REMEMBERED = 5000


class Dispatcher:
    """`submit` runs a function on a thread, `wake` asks for the next look, `is_over` tells that nothing may begin.
    One thread has to `collect` what comes back and to say that it was `replied`."""

    def __init__(
        self, db_store: Store, dialects: Dialects, courier: Courier[Way], clock: Clock, lanes: Lanes, *,
        submit: Callable[..., object], wake: Callable[[], None], is_over: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._store, self._dialects, self._clock, self._lanes = db_store, dialects, clock, lanes
        self._submit, self._wake, self._is_over = submit, wake, is_over
        self._courier, self.collect, self.ring = courier, courier.turn, courier.ring
        self._tried: dict[str, int] = {}  # webhook endpoints, when each was tried last
        self._passed: dict[str, deque[Delivery]] = {}  # what waits for its lane
        self._meanwhile: deque[tuple[str, Delivery]] = deque(maxlen=_REMEMBERED)  # since the last look began
        self._is_behind = False  # more waits than is remembered, or than there is room for
        self._lock = threading.Lock()

    def dispatch_due(self) -> int:
        """Hands over what is due. Gives how many messages waited for a host that has enough already."""
        passed: dict[str, deque[Delivery]] = {}
        waiting, is_behind = 0, False
        refused: set[str] = set()
        with self._lock:
            self._meanwhile.clear()
        for delivery in self._due():
            if self._is_over():
                break
            lane = lane_of(delivery)
            entered = self._lanes.enter(lane)
            if entered:
                self._hand_over(delivery, lane)
                continue
            refused.add(lane)
            if entered is None:
                is_behind = True
                break
            waiting += 1
            if waiting <= _REMEMBERED:
                passed.setdefault(lane, deque()).append(delivery)
        with self._lock:
            for lane, delivery in self._meanwhile:  # perhaps once more: it is claimed once
                passed.setdefault(lane, deque()).append(delivery)
            self._passed, self._is_behind = passed, is_behind or waiting > _REMEMBERED
        if any(map(self._lanes.has_room, refused)):  # whoever was in the way left before it was known that they wait
            self._wake()
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
        """Put around a transaction: the callbacks that it owes go out right after it."""
        owing = Owing(self._dialects, self._clock, self._lanes)
        try:
            yield owing
        except BaseException:
            owing.reset()
            raise
        self._store.afterwards(partial(self._begin_all, owing), owing.reset)

    def replied(self, came: Sequence[tuple[Way, Reply]]) -> None:
        """Books what has come of some messages, and sends what follows in their lanes."""
        tries = [(way, letters.judged(self._dialects, way.letter, reply)) for way, reply in came]
        following = [self._passed_over(way.lane) for way, _ in tries]
        keys = [key for way, _ in tries for key in deliveries.keys_of(way.letter.delivery)]
        keys += [locks.delivery(one.id) for one in following if one]

        def book(db: Rows, held: Held) -> list[Way | None]:
            for _, tried in tries:
                deliveries.book(db, tried, self._clock(), held)
            return [
                self._taken(db, one, way.lane) if one else None for one, (way, _) in zip(following, tries, strict=True)
            ]

        try:
            taken = self._store.locked(lambda _: keys, book)
        except Exception:
            self._retry(tries)
        else:
            self._store.afterwards(partial(self._booked, tries, taken), partial(self._retry, tries))

    def _booked(self, tries: Sequence[tuple[Way, Tried]], taken: Sequence[Way | None]) -> None:
        for (way, tried), following in zip(tries, taken, strict=True):
            deliveries.tell(tried)
            following = following or self._next(way.lane)
            if following is None:
                self._leave(way.lane)
            else:
                self._begin(following)

    def _retry(self, tries: Sequence[tuple[Way, Tried]]) -> None:
        """What a merchant has acknowledged is worth a second try, where nobody waits for it."""
        try:
            self._submit(self._book_each, tries)
        except RuntimeError:  # the worker has ended, or no thread can be started
            self._book_each(tries)

    def _book_each(self, tries: Sequence[tuple[Way, Tried]]) -> None:
        """After a failure, which may be that of one of them. A database that has failed is not asked for more."""
        for way, tried in tries:
            try:
                self._book_one(tried)
            except Exception:
                log.exception("Delivery %s failed; its lease brings it back", tried.delivery.id)
            finally:
                self._leave(way.lane)

    def _book_one(self, tried: Tried) -> None:
        keys = deliveries.keys_of(tried.delivery)
        self._store.locked(lambda _: keys, lambda db, held: deliveries.book(db, tried, self._clock(), held))
        deliveries.tell(tried)

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
        """Claims a message for a lane that was entered, and leaves it again where that does not succeed."""
        claimed = None
        try:
            claimed = self._claimed(delivery, lane)
        finally:
            if claimed is None:
                self._lanes.leave(lane)
        if claimed is not None:
            self._begin(claimed)

    def _claimed(self, delivery: Delivery, lane: str) -> Way | None:
        """None: another worker has it, or there is nothing to send any more."""
        return self._store.locked(
            lambda _: [locks.delivery(delivery.id)], lambda db, _: self._taken(db, delivery, lane)
        )

    def _taken(self, db: Rows, delivery: Delivery, lane: str) -> Way | None:
        now = self._clock()
        claimed = deliveries.take(db, delivery, now)
        letter = letters.written(db, self._dialects, claimed, now) if claimed else None
        return Way(letter, lane) if letter else None

    def _begin(self, way: Way) -> None:
        delivery = way.letter.delivery
        if delivery.endpoint:
            with self._lock:
                self._tried[delivery.endpoint] = time.monotonic_ns()
        try:
            self._courier.carry(way, way.letter.request)
        except RuntimeError:  # the worker has ended
            log.exception("Delivery %s could not begin; its lease brings it back", delivery.id)
            self._lanes.leave(way.lane)

    def _begin_all(self, owing: Owing) -> None:
        for way in owing.claimed:
            self._begin(way)
        for delivery in owing.others:
            self._pass_over(delivery, lane_of(delivery))

    def _pass_over(self, delivery: Delivery, lane: str) -> None:
        """Remembers what goes to a busy host. Whoever is at that host finds it when he is done, or has wakened the
        loop, which finds it in the database."""
        with self._lock:
            queue = self._passed.setdefault(lane, deque())
            is_kept = len(queue) < _REMEMBERED and self._lanes.is_busy(lane)
            if is_kept:
                queue.append(delivery)
                self._meanwhile.append((lane, delivery))
            elif not queue:
                del self._passed[lane]
        if not is_kept:
            self._wake()

    def _leave(self, lane: str) -> None:
        self._lanes.leave(lane)
        with self._lock:
            is_awaited = self._is_behind or bool(self._passed)
        if is_awaited:
            self._wake()

    def _next(self, lane: str) -> Way | None:
        """Claims what follows in the lane, past those that somebody else has claimed."""
        while (following := self._passed_over(lane)) is not None:
            try:
                claimed = self._claimed(following, lane)
            except Exception:
                log.exception("Delivery %s could not be claimed; a look finds it", following.id)
                return None
            if claimed is not None:
                return claimed
        return None

    def _passed_over(self, lane: str) -> Delivery | None:
        """What has waited longest for its host."""
        with self._lock:
            passed = self._passed.get(lane)
            if not passed or self._is_over():
                return None
            delivery = passed.popleft()
            if not passed:
                del self._passed[lane]
            return delivery
