"""Transactions that are handed in as functions, to be done by whichever thread is writing."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Callable

from checkout.errors import StoreError
from checkout.store.commits import BROKEN_OFF, Group


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
