"""The one thread at which plain orders and reports of money are taken (`checkout.plain`), and what merchants have
answered is booked.

They all end in the one writing connection. Eight threads that each carried a request there took turns at Python's lock
and at the database's, and spent a third of a request on it; threads that wait for merchants doubled what a callback
costs. One thread takes whatever has come, one after the other, and its commit is for all of them: no answer leaves
before it. What is not plain after all, and everything where the commit fails, is asked again in a thread, alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from checkout.inline import Elsewhere, at_desk

if TYPE_CHECKING:
    from checkout.interfaces import Store

log = logging.getLogger(__name__)

C = TypeVar("C")  # what stands for a client: nobody looks into it here
A = TypeVar("A")

MOST_AT_ONCE = 32
_AGAIN_S = 0.1
_IDLE_S = 1


class Post(Protocol):
    """What is under way to merchants and back."""

    def collect(self, timeout_s: float) -> Sequence[Any]:
        """What has come back, when something has, or when it is rung for, or after this time."""
        ...

    def replied(self, came: Sequence[Any], /) -> None:
        """Books what has come back."""
        ...

    def ring(self) -> None: ...


class Desk(Generic[C, A]):
    """`answer` gives what a client is told; `give_back` is called with the clients of each commit and that (None: ask
    in a thread), on the desk's thread."""

    def __init__(
        self, store: Store, answer: Callable[[C], A], give_back: Callable[[list[tuple[C, A | None]]], object],
        post: Post,
    ) -> None:  # fmt: skip
        self._store, self._answer, self._give_back, self._post = store, answer, give_back, post
        self._queue: deque[C] = deque()
        self._is_idle = False

    def start(self) -> None:
        threading.Thread(target=self._work, name="desk", daemon=True).start()

    def take(self, client: C) -> None:
        """From whatever thread; returns at once."""
        self._queue.append(client)
        if self._is_idle:
            self._post.ring()

    def _work(self) -> None:
        while True:
            try:
                came = self._post.collect(0 if self._queue else self._patience())
            except Exception:
                log.exception("The desk could not collect what merchants have answered; it tries again")
                came = ()
                time.sleep(_AGAIN_S)
            self._is_idle = False
            if came or self._queue:
                self._serve(came)

    def _patience(self) -> float:
        """Seconds to wait for whoever comes next; from now on they ring."""
        self._is_idle = True
        return 0 if self._queue else _IDLE_S

    def _serve(self, came: Sequence[Any]) -> None:
        served: list[tuple[C, A | None]] = []
        try:
            with self._store.together():
                came = self._booked(came)
                for client in self._waiting():
                    served.append((client, None))
                    served[-1] = client, self._said(client)
        except Exception:  # none of it is on the disk; what it was a thread finds out, with each by itself
            served = [(client, None) for client in [one for one, _ in served] or self._waiting()]
        self._booked(came)  # where it could not even begin
        if served:
            self._return(served)

    def _booked(self, came: Sequence[Any]) -> Sequence[Any]:
        """Nothing is left. What cannot be booked the post sees to itself."""
        if came:
            try:
                self._post.replied(came)
            except Exception:
                log.exception("What merchants have answered could not be booked")
        return ()

    def _return(self, served: list[tuple[C, A | None]]) -> None:
        """Without this thread every order would wait for ever, and without their answers these would."""
        while True:
            try:
                self._give_back(served)
                return
            except Exception:
                log.exception("The desk could not give its answers back; it tries again")
                time.sleep(_AGAIN_S)

    def _waiting(self) -> Iterator[C]:
        """What has come, and what comes while that is answered."""
        for _ in range(MOST_AT_ONCE):
            if not self._queue:
                return
            yield self._queue.popleft()

    def _said(self, client: C) -> A | None:
        try:
            with at_desk():
                return self._answer(client)
        except (Elsewhere, Exception):  # what it is a thread says and logs
            return None
