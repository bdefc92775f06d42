"""The one thread at which plain orders and reports of money are taken (`checkout.plain`), and what merchants have
answered is booked.

They all end in the one writing connection. Eight threads that each carried a request there took turns at Python's lock
and at the database's, and spent a third of a request on it; threads that wait for merchants doubled what a callback
costs. One thread takes whatever has come, and its commit is for all of them: no answer leaves before it. It reads and
judges for all before it takes its turn to write: until then the database is free for other workers. What is not plain
after all, and everything where the commit fails, is asked again in a thread, alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from checkout.inline import Elsewhere, at_desk

if TYPE_CHECKING:
    from checkout.interfaces import Store

log = logging.getLogger(__name__)

C = TypeVar("C")  # what stands for a client: nobody looks into it here
A = TypeVar("A")
B = TypeVar("B")

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
    """`begin` reads and judges what a client asks, and gives what does it and returns what the client is told.
    `give_back` is called with the clients of each commit and that (None: ask in a thread), on the desk's thread."""

    def __init__(
        self, store: Store, begin: Callable[[C], Callable[[], A]],
        give_back: Callable[[list[tuple[C, A | None]]], object], post: Post,
    ) -> None:  # fmt: skip
        self._store, self._begin, self._give_back, self._post = store, begin, give_back, post
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
        clients, said = list[C](), list[A | None]()
        try:
            begun = self._begun(clients)
            with self._store.together():
                came = self._booked(came)
                begun = begun or self._begun(clients)
                while begun:
                    said += [finish and self._tried(finish) for finish in begun]
                    begun = self._begun(clients)
        except Exception:  # none of it is on the disk; what it was a thread finds out, with each by itself
            said = []
        self._booked(came)  # where it could not even begin
        if clients:
            self._return(list(zip_longest(clients, said)))

    def _begun(self, clients: list[C]) -> list[Callable[[], A] | None]:
        """What finishes each who waits, as far as they fit into the commit; adds them to `clients`."""
        begun = list[Callable[[], A] | None]()
        while self._queue and len(clients) < MOST_AT_ONCE:
            clients.append(self._queue.popleft())
            begun.append(self._tried(partial(self._begin, clients[-1])))
        return begun

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

    def _tried(self, step: Callable[[], B]) -> B | None:
        try:
            with at_desk():
                return step()
        except (Elsewhere, Exception):  # what it is a thread says and logs
            return None
