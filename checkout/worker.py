"""What happens without anybody asking: due callbacks, refunds, questions to gateways, expiry of orders, chores.

A thread in the server's own process by default, or `checkout worker` beside it; leases make several of them safe.
Callbacks are carried without waiting (`outbox.courier`); a slow gateway holds at most two threads of a pool that grows
only when it is needed, so it delays nobody else.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from checkout import ids, inquiries, orders, store
from checkout.channel import Channels
from checkout.errors import StoreError
from checkout.interfaces import Chore, Clock, Dialects, Exchange, NewId, Owed, Store
from checkout.model.refunds import Refund
from checkout.outbox import deliveries, lanes
from checkout.outbox.courier import Courier
from checkout.outbox.dispatcher import Dispatcher
from checkout.outbox.owing import Way
from checkout.refunds import calls
from checkout.store.gateways import Watch

log = logging.getLogger(__name__)

_REMEMBERED = 5000
_READ_A_SECOND = 20_000
_PAUSE_S = 1
_CLOSING_S = 0.01
_CHORES_EVERY_S = 60


class Worker:
    """The loop and its pool. `start` may be called in every process; `wake` from any thread."""

    def __init__(
        self, db_store: Store, dialects: Dialects, exchange: Exchange, clock: Clock, *,
        channels: Channels | None = None, new_id: NewId = ids.new_id, site: str = "", chores: Sequence[Chore] = (),
    ) -> None:  # fmt: skip
        self._store, self._dialects, self._exchange, self._clock = db_store, dialects, exchange, clock
        self._channels, self._new_id, self._site, self._chores = channels or {}, new_id, site, chores
        self._threads: list[threading.Thread] = []
        self._pid = 0
        self._begin_anew()

    def start(self, *, is_carried: bool = False) -> None:
        """Starts the loop once per process (a forked child starts its own). `is_carried`: somebody else collects what
        comes back to the outbox."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._begin_anew()  # a fork copies locks that a thread of the parent may hold, and what it had in flight
        self._courier.open()
        self._pool = ThreadPoolExecutor(lanes.MOST_AT_ONCE, thread_name_prefix="call")
        runs = {"worker": self.run} if is_carried else {"worker": self.run, "courier": self.carry}
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in runs.items()]
        for thread in self._threads:
            thread.start()

    def _begin_anew(self) -> None:
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._lanes = lanes.Lanes()
        self._courier: Courier[Way] = Courier(self._exchange)
        self.dispatcher = Dispatcher(
            self._store, self._dialects, self._courier, self._clock, self._lanes,
            submit=self._submit, wake=self._wake.set, is_over=self._stopped.is_set,
        )  # fmt: skip
        self._chores_at = 0.0
        self._at_chores = threading.Lock()

    def _submit(self, work: Callable[..., object], *values: object) -> None:
        self._pool.submit(work, *values)

    def wake(self) -> None:
        """Looks at once, because a delivery has become due."""
        self._wake.set()

    def at_once(self) -> AbstractContextManager[Owed]:
        """Put around a transaction that makes a callback due, which then need not wait for the next look, if this
        process has a worker at all."""
        if self._pid != os.getpid() or self._stopped.is_set():
            return deliveries.later()
        return self.dispatcher.at_once()

    def stop(self) -> None:
        """Ends the loop once the tries that are under way have ended."""
        self._stopped.set()
        self._wake.set()
        if self._threads:
            self._threads[0].join()  # or it would claim what nobody carries any more
            while not self._courier.close():
                time.sleep(_CLOSING_S)
            for thread in self._threads:
                thread.join()
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

    def carry(self) -> None:
        """Books what comes back, until the worker has ended and nothing is under way any more."""
        courier, dispatcher = self._courier, self.dispatcher
        while not courier.is_closed:
            try:
                if came := dispatcher.collect(_PAUSE_S):
                    dispatcher.replied(came)
            except Exception:
                log.exception("The courier's turn failed; it goes on")
                self._stopped.wait(_PAUSE_S)
        courier.free()

    def turn(self) -> int:
        """One look: hands what is due to the pool, then expires orders. Gives how many messages waited for a host
        that has enough already."""
        waiting = self.dispatcher.dispatch_due()
        self._send_back()
        self._question()
        orders.expire_due(self._store, self._clock())
        self._look_after()
        return waiting

    def _look_after(self) -> None:
        """Hands the chores to the pool once a minute, by a clock that nobody can set; those of the minute before may
        still be running."""
        if not self._chores or time.monotonic() < self._chores_at or not self._at_chores.acquire(blocking=False):
            return
        self._chores_at = time.monotonic() + _CHORES_EVERY_S
        self._submit(self._do_chores)

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
            place = lanes.GATEWAY + watch.channel
            if not self._lanes.enter(place):
                continue
            try:
                claimed = inquiries.claim(self._store, watch, now)
            except BaseException:
                self._lanes.leave(place)
                raise
            if claimed:
                self._submit(self._ask, watch, place)
            else:
                self._lanes.leave(place)

    def _ask(self, watch: Watch, place: str) -> None:
        try:
            inquiries.check(self._store, self._channels, watch, new_id=self._new_id, clock=self._clock)
        except Exception:
            log.exception("A question to %s failed; its lease brings it back", watch.channel)
        finally:
            self._lanes.leave(place)
            self._wake.set()

    def _send_back(self) -> None:
        """Hands the refunds that are due to the pool, beside the questions: neither waits for the other."""
        now = self._clock()
        with self._store.read() as db:
            found = store.refunds.due(db, now, _REMEMBERED)
        for refund in found:
            place = lanes.REFUND + refund.channel
            if not self._lanes.enter(place):
                continue
            try:
                claimed = calls.claim(self._store, refund, now)
            except BaseException:
                self._lanes.leave(place)
                raise
            if claimed is None:
                self._lanes.leave(place)
            else:
                self._submit(self._refund, claimed, place)

    def _refund(self, claimed: Refund, place: str) -> None:
        try:
            calls.call(self._store, self._channels, claimed, self._site, clock=self._clock)
        except Exception:
            log.exception("Refund %s failed; its lease brings it back", claimed.id)
        finally:
            self._lanes.leave(place)
            self._wake.set()
