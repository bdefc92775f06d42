"""What shares a commit: the transactions of several threads, those that are handed in to be done by whichever thread is
writing, and those that one thread does together."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable

from checkout.errors import StoreError

log = logging.getLogger(__name__)

BROKEN_OFF = "The transaction was broken off; try again."


class Group:
    """Transactions that share a commit."""

    __slots__ = ("done", "error", "event", "size")

    def __init__(self) -> None:
        self.size = 0
        self.done = False
        self.error: StoreError | None = None
        self.event: threading.Event | None = None  # made when somebody has to wait

    def finish(self, error: StoreError | None) -> None:
        self.error, self.done = error, True
        if self.event is not None:
            self.event.set()


class Piece:
    """A transaction that was handed in. It is over when what it did is on the disk, or undone."""

    __slots__ = ("_calls", "_work", "error", "group", "is_done", "is_over", "result")

    def __init__(self, work: Callable[[sqlite3.Connection], object]) -> None:
        self._work = work
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.group: Group | None = None
        self.result: object = None
        self.error: BaseException | None = None
        self.is_done = self.is_over = False

    def do(self, connection: sqlite3.Connection) -> None:
        self.result = self._work(connection)
        self.is_done = True

    def end(self) -> None:
        """Its own error counts only once the group, for whose work it may have failed, is on the disk."""
        if self.group is not None and self.group.error is not None:
            self.error = StoreError(str(self.group.error))
        elif self.error is None and not (self.is_done and self.group is not None and self.group.done):
            self.error = StoreError(BROKEN_OFF)
        self.is_over = True
        self.call()

    def wait(self) -> None:
        """Until it is over, or its thread may find the turn free."""
        self._calls.get()

    def call(self) -> None:
        self._calls.put(None)


class Together:
    """What one thread does in one commit. All of it is on the disk afterwards, or nothing: where the commit has ended
    early, `error` refuses what would come after it."""

    __slots__ = ("_waiting", "error", "group", "has_turn")

    def __init__(self) -> None:
        self.group: Group | None = None
        self.has_turn = False
        self.error: StoreError | None = None
        self._waiting: list[tuple[Callable[[], object], Callable[[], object]]] = []

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object]) -> None:
        self._waiting.append((done, undone))

    def note(self, piece: Piece, current: Group | None) -> None:
        """After each piece: `current` is the group that is open still."""
        if piece.group is not None and piece.group.done and not piece.group.size and piece.group.error is None:
            return  # the first of a group was undone, and with it the group: nothing else was in it
        if self.group is None:
            self.group = piece.group
        if self.group is None or current is not self.group:
            self.error = StoreError(str(self.group.error if self.group and self.group.error else piece.error))

    def finish(self) -> None:
        """After the commit: calls what has waited for it. Raises `StoreError` where it has failed."""
        error = None
        if self.group is not None:
            error = self.group.error if self.group.done else StoreError(BROKEN_OFF)
        for done, undone in self._waiting:
            try:
                (undone if error else done)()
            except Exception:
                log.exception("What was to be done after a commit has failed")
        if error is not None:
            raise StoreError(str(error)) from error
