"""What happens without anybody asking: callbacks that are due, refunds, questions, orders whose time is over, chores.

A thread in the server's own process by default, or `checkout worker` beside it; leases make several of them safe. A
slow merchant holds at most two threads of a pool that grows only when it is needed, so it delays nobody else.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from urllib.parse import urlsplit

from checkout import deliveries, gateways, ids, orders, refund_calls, store
from checkout.errors import StoreError
from checkout.gateways import Channels
from checkout.interfaces import Chore, Clock, Dialects, NewId, Send, Store
from checkout.model import Delivery, Refund
from checkout.store.gateways import Watch

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 128
_MOST_PER_HOST = 2
_MOST_HOOKS = 32
_REMEMBERED = 5000
_READ_A_SECOND = 20_000
_PAUSE_S = 1
_CHORES_EVERY_S = 60
_GATEWAY, _REFUND, _HOOK = "gateway ", "refund ", "webhook "  # no host is called so


class Worker:
    """The loop and its pool. `start` may be called in every process; `wake` from any thread."""

    def __init__(
        self, db_store: Store, dialects: Dialects, send: Send, clock: Clock, *,
        channels: Channels | None = None, new_id: NewId = ids.new_id, site: str = "", chores: Sequence[Chore] = (),
    ) -> None:  # fmt: skip
        self._store, self._dialects, self._send, self._clock = db_store, dialects, send, clock
        self._channels, self._new_id, self._site, self._chores = channels or {}, new_id, site, chores
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._begin_anew()

    def start(self) -> None:
        """Starts the loop once per process (a forked child starts its own)."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._begin_anew()  # a fork copies locks that a thread of the parent may hold, and what it had in flight
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="callback")
        self._thread = threading.Thread(target=self.run, name="worker", daemon=True)
        self._thread.start()

    def _begin_anew(self) -> None:
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._in_flight: Counter[str] = Counter()
        self._hooks: set[str] = set()
        self._tried: dict[str, int] = {}  # webhook endpoints, when each was tried last
        self._passed: dict[str, deque[Delivery]] = {}
        self._lock = threading.Lock()
        self._chores_at = 0.0
        self._at_chores = threading.Lock()

    def wake(self) -> None:
        """A delivery has become due: look now."""
        self._wake.set()

    def stop(self) -> None:
        """Ends the loop after the tries that are under way."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._pool.shutdown()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                # Reading a long queue again and again would take the processor from the server.
                self._stopped.wait(min(_PAUSE_S, self.turn() / _READ_A_SECOND))
            except StoreError as error:
                log.warning("The worker waits for the database: %s", error)
            except Exception:
                log.exception("The worker's turn failed; it goes on")
            self._wake.wait(_PAUSE_S)
            self._wake.clear()

    def turn(self) -> int:
        """One look: hands what is due to the pool, then expires orders. Gives how many messages waited for a host
        that has enough already."""
        passed: dict[str, deque[Delivery]] = {}
        waiting = 0
        for delivery in self._due():
            lane = _lane(delivery)
            place = self._place(lane)
            if place is None:
                break
            if place:
                self._hand_over(delivery, lane)
            else:
                waiting += 1
                if waiting <= _REMEMBERED:
                    passed.setdefault(lane, deque()).append(delivery)
        with self._lock:
            self._passed = passed
        self._send_back()
        self._question()
        orders.expire_due(self._store, self._clock())
        self._look_after()
        return waiting

    def _look_after(self) -> None:
        """Hands the chores to the pool once a minute, by a clock that nobody sets; those of the minute before may
        still be at it."""
        if not self._chores or time.monotonic() < self._chores_at or not self._at_chores.acquire(blocking=False):
            return
        self._chores_at = time.monotonic() + _CHORES_EVERY_S
        self._pool.submit(self._do_chores)

    def _do_chores(self) -> None:
        try:
            for chore in self._chores:
                try:
                    chore(self._clock())
                except Exception:
                    log.exception("A chore failed; it is tried again in a minute")
        finally:
            self._at_chores.release()

    def _question(self) -> None:
        """Hands the questions that are due to the pool; a gateway that hangs holds as few threads as a merchant."""
        now = self._clock()
        with self._store.read() as db:
            watches = store.gateways.due(db, now, _REMEMBERED)  # many of one gateway must not hide another
        for watch in watches:
            place = _GATEWAY + watch.channel
            if not self._place(place):
                continue
            try:
                with self._store.transaction() as db:
                    claimed = store.gateways.claim(db, watch, now + gateways.LEASE_S)
            except BaseException:
                self._done(place)
                raise
            if claimed:
                self._pool.submit(self._ask, watch, place)
            else:
                self._done(place)

    def _ask(self, watch: Watch, place: str) -> None:
        try:
            gateways.check(self._store, self._channels, watch, new_id=self._new_id, clock=self._clock)
        except Exception:
            log.exception("A question to %s failed; its lease brings it back", watch.channel)
        finally:
            self._done(place)
            self._wake.set()

    def _send_back(self) -> None:
        """Hands the refunds that are due to the pool, beside the questions: neither waits for the other."""
        now = self._clock()
        with self._store.read() as db:
            found = store.refunds.due(db, now, _REMEMBERED)
        for refund in found:
            place = _REFUND + refund.channel
            if not self._place(place):
                continue
            try:
                claimed = refund_calls.claim(self._store, refund, now)
            except BaseException:
                self._done(place)
                raise
            if claimed is None:
                self._done(place)
            else:
                self._pool.submit(self._refund, claimed, place)

    def _refund(self, claimed: Refund, place: str) -> None:
        try:
            refund_calls.call(self._store, self._channels, claimed, self._site, clock=self._clock)
        except Exception:
            log.exception("Refund %s failed; its lease brings it back", claimed.id)
        finally:
            self._done(place)
            self._wake.set()

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
            yield from self._in_turn(queues)

    def _in_turn(self, queues: list[list[Delivery]]) -> Iterator[Delivery]:
        """One message of each endpoint after the other; who was tried last comes last, or the retries of one that
        hangs would keep their neighbours on its host waiting for ever."""
        with self._lock:
            queues.sort(key=lambda queue: self._tried.get(queue[0].endpoint, 0))
        for row in zip_longest(*queues):
            yield from (delivery for delivery in row if delivery is not None)

    def _place(self, lane: str) -> bool | None:
        """Whether one more message may go out in this lane now, which is counted; None: the pool is full. Webhook
        endpoints get one of a host's two places, and a part of the pool: however many hang, callbacks go on."""
        host = lane.removeprefix(_HOOK)
        with self._lock:
            if self._in_flight.total() >= _MOST_AT_ONCE:
                return None
            if self._in_flight[host] >= _MOST_PER_HOST:
                return False
            if host != lane:
                if lane in self._hooks or len(self._hooks) >= _MOST_HOOKS:
                    return False
                self._hooks.add(lane)
            self._in_flight[host] += 1
            return True

    def _hand_over(self, delivery: Delivery, lane: str) -> None:
        try:
            claimed = deliveries.claim(self._store, delivery, self._clock())
        except BaseException:
            self._done(lane)
            raise
        if claimed is None:
            self._done(lane)
        else:
            self._pool.submit(self._deliver_all, claimed, lane)

    def _deliver_all(self, claimed: Delivery | None, lane: str) -> None:
        """A message, then those of the same lane that the last look has passed over."""
        try:
            while claimed is not None:
                self._deliver(claimed)
                claimed = self._next(lane)
        finally:
            self._done(lane)
            self._wake.set()

    def _deliver(self, claimed: Delivery) -> None:
        if claimed.endpoint:
            with self._lock:
                self._tried[claimed.endpoint] = time.monotonic_ns()
        try:
            deliveries.deliver(self._store, self._dialects, self._send, claimed, self._clock)
        except Exception:
            log.exception("Delivery %s failed; its lease brings it back", claimed.id)

    def _next(self, lane: str) -> Delivery | None:
        while not self._stopped.is_set():
            with self._lock:
                passed = self._passed.get(lane)
                delivery = passed.popleft() if passed else None
            if delivery is None:
                break
            claimed = deliveries.claim(self._store, delivery, self._clock())
            if claimed is not None:
                return claimed
        return None

    def _done(self, lane: str) -> None:
        host = lane.removeprefix(_HOOK)
        with self._lock:
            self._hooks.discard(lane)
            self._in_flight[host] -= 1
            if not self._in_flight[host]:
                del self._in_flight[host]


def _lane(delivery: Delivery) -> str:
    """Whose turn a message waits for: its host's, or that of the webhook endpoints on it."""
    return (_HOOK if delivery.endpoint else "") + _host(delivery.url)


def _host(url: str) -> str:
    """The name of the server, in one spelling. What cannot be read is sent too, and refused there: it must neither
    stop the others nor stay in the outbox."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
