"""The one thread at which plain orders and reports of money are taken (`checkout.plain`).

They all end in the one writing connection. Eight threads that each carried a request there took turns at Python's lock
and at the database's, and spent a third of a request on it. One thread takes whatever has come, one request after the
other, and its commit is for all of them: no answer leaves before it. What is not plain after all, and everything where
the commit fails, is asked again in a thread, alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from checkout.inline import Elsewhere, at_desk

if TYPE_CHECKING:
    from checkout.interfaces import Store

log = logging.getLogger(__name__)

C = TypeVar("C")  # what stands for a client: nobody looks into it here
A = TypeVar("A")

MOST_AT_ONCE = 32
_AGAIN_S = 0.1


class Desk(Generic[C, A]):
    """`answer` gives what a client is told; `give_back` is called with the clients of each commit and that (None: ask
    in a thread), on the desk's thread."""

    def __init__(
        self, store: Store, answer: Callable[[C], A], give_back: Callable[[list[tuple[C, A | None]]], object]
    ) -> None:
        self._store, self._answer, self._give_back = store, answer, give_back
        self._queue: SimpleQueue[C] = SimpleQueue()

    def start(self) -> None:
        threading.Thread(target=self._work, name="desk", daemon=True).start()

    def take(self, client: C) -> None:
        """From whatever thread; returns at once."""
        self._queue.put(client)

    def _work(self) -> None:
        while True:
            self._serve(self._queue.get())

    def _serve(self, first: C) -> None:
        served: list[tuple[C, A | None]] = []
        try:
            with self._store.together():
                for client in self._waiting(first):
                    served.append((client, None))
                    served[-1] = client, self._said(client)
        except Exception:  # none of it is on the disk; what it was a thread finds out, with each by itself
            served = [(client, None) for client, _ in served or [(first, None)]]
        self._return(served)

    def _return(self, served: list[tuple[C, A | None]]) -> None:
        """Without this thread every order would wait for ever, and without their answers these would."""
        while True:
            try:
                self._give_back(served)
                return
            except Exception:
                log.exception("The desk could not give its answers back; it tries again")
                time.sleep(_AGAIN_S)

    def _waiting(self, first: C) -> Iterator[C]:
        """What has come, and what comes while that is answered."""
        yield first
        for _ in range(MOST_AT_ONCE - 1):
            try:
                yield self._queue.get_nowait()
            except Empty:
                return

    def _said(self, client: C) -> A | None:
        try:
            with at_desk():
                return self._answer(client)
        except (Elsewhere, Exception):  # what it is a thread says and logs
            return None
