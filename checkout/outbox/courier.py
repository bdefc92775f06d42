"""Many requests to other servers under way at once, on one thread: none of them waits for another."""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from checkout.http.messages import Answer, Outgoing, Unreachable
from checkout.http.steps import READ, Steps, Wait

log = logging.getLogger(__name__)

W = TypeVar("W")  # what a request is about: nobody looks into it here

Reply = Answer | Unreachable | None  # None: the request could not be made

_MOST_AT_ONCE = 8  # replies: others may wait for the same thread, and TLS takes milliseconds
_LOOK_S = 1  # how late a deadline may be noticed


class _Trip(Generic[W]):
    __slots__ = ("about", "steps", "wait")

    def __init__(self, about: W, steps: Steps[Answer]) -> None:
        self.about, self.steps = about, steps
        self.wait: Wait | None = None  # while it waits


class Courier(Generic[W]):
    """`exchange` begins a request. Any thread may `carry`, which sends what can be sent right away; the thread that
    calls `turn` again and again does the rest."""

    def __init__(self, exchange: Callable[[Outgoing], Steps[Answer]]) -> None:
        self._exchange = exchange
        self._lock = threading.Lock()
        self._under_way: set[_Trip[W]] = set()
        self._over: list[tuple[W, Reply]] = []
        self._is_handing_over = False
        self._look_at = 0.0
        self._at_work = 0  # the thread that is in `turn`
        self._button = -1
        self.is_closed = True

    def open(self) -> None:
        """Before anything is carried, in the process that does it."""
        self._selector = selectors.DefaultSelector()
        self._bell, self._button = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._button, False)
        self._selector.register(self._bell, READ)
        self.is_closed = False

    def carry(self, about: W, request: Outgoing | None) -> None:
        """Returns at once. None comes back as it is. RuntimeError: the courier is closed."""
        trip = _Trip(about, self._exchange(request)) if request is not None else None
        with self._lock:
            if self.is_closed:
                raise RuntimeError("The courier is closed.")
            if trip is None:
                self._over.append((about, None))
            else:
                self._under_way.add(trip)
        if trip is None:
            self.ring()
        else:
            self._go_on(trip)

    def turn(self, timeout_s: float) -> list[tuple[W, Reply]]:
        """What has come to its end: when something has, or when it is rung for, or after `timeout_s`. To ask again says
        that what came before was dealt with."""
        self._is_handing_over, self._at_work = False, threading.get_ident()
        timeout_s = 0 if self._over else min(timeout_s, max(0, self._look_at - time.monotonic()))
        for key, _ in self._selector.select(timeout_s)[:_MOST_AT_ONCE]:
            if key.data is None:
                os.read(key.fd, 4096)
            else:
                self._take_up(key.data)
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            with self._lock:
                late = [trip for trip in self._under_way if trip.wait is not None and trip.wait.until <= now]
            for trip in late:
                self._take_up(trip)
        with self._lock:
            over, self._over = self._over, []
            self._is_handing_over, self._at_work = bool(over), 0
        return over

    def ring(self) -> None:
        """Ends the wait in `turn`."""
        with self._lock:
            self._ring()

    def close(self) -> bool:
        """Carries nothing more; False while something is under way or was not dealt with."""
        with self._lock:
            self.is_closed = self.is_closed or not (self._under_way or self._over or self._is_handing_over)
            self._ring()
            return self.is_closed

    def free(self) -> None:
        """Once it is closed, and nobody waits in `turn`."""
        with self._lock:
            self._selector.close()
            os.close(self._bell)
            os.close(self._button)
            self._button = -1

    def _ring(self) -> None:
        if self._button >= 0:  # else its number may be another file's by now
            with suppress(BlockingIOError):  # it has rung often enough
                os.write(self._button, b".")

    def _take_up(self, trip: _Trip[W]) -> None:
        with self._lock:
            assert trip.wait is not None
            self._selector.unregister(trip.wait.file)
            trip.wait = None
        self._go_on(trip)

    def _go_on(self, trip: _Trip[W]) -> None:
        try:
            wait = next(trip.steps)
            with self._lock:
                self._selector.register(wait.file, wait.event, trip)
                trip.wait = wait
        except StopIteration as end:
            self._end(trip, end.value)
        except Unreachable as error:
            self._end(trip, error)
        except Exception:
            log.exception("A request could not be made")
            trip.steps.close()
            self._end(trip, None)

    def _end(self, trip: _Trip[W], reply: Reply) -> None:
        with self._lock:
            self._under_way.discard(trip)
            self._over.append((trip.about, reply))
            is_seen = self._at_work == threading.get_ident()
        if not is_seen:
            self.ring()
