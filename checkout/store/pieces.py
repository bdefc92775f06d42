"""Whose turn to write it is among the threads of this process, and the transactions that are handed in as functions.

Handing the turn from thread to thread costs more than a short transaction itself. What is handed in is done by
whichever thread has the turn: of eight that come together one works, and wakes the others with their results.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic

from checkout.errors import StoreError
from checkout.interfaces import T
from checkout.store.commits import BROKEN_OFF, MOST_IN_A_COMMIT, Commits, Group


class Piece(Generic[T]):
    """A transaction that was handed in. It is over when what it did is on the disk, or undone."""

    __slots__ = ("_calls", "_work", "error", "group", "is_done", "is_over", "result")

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self._work = work
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.group: Group | None = None
        self.result: T
        self.error: BaseException | None = None
        self.is_done = self.is_over = False

    def do(self, commits: Commits) -> None:
        """With the turn; what it raises is kept."""
        try:
            connection, self.group = commits.join()
            try:
                self.result = self._work(connection)
                self.is_done = True
                commits.count_in(connection, self.group)
            except BaseException:
                commits.undo(connection, self.group)
                raise
        except BaseException as error:  # its own thread raises it
            self.error = error

    def outcome(self) -> T:
        """Once it is done: what `work` has given, or raises what it raised."""
        if self.error is not None:
            raise self.error
        return self.result

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


class Turns:
    """Of the threads that write on one connection; whoever has the turn does what was handed in."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._owner = 0
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._pieces: deque[Piece[Any]] = deque()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self.check_thread()
        piece = Piece(work)
        self._pieces.append(piece)
        while not piece.is_over:
            if self._turn.acquire(blocking=False):
                self.work_off()
            else:
                piece.wait()  # whoever gives the turn back calls
        return piece.outcome()

    def work_off(self, *, is_able: bool = True) -> None:
        """With the turn: does what was handed in, commits it, and gives the turn back. Not `is_able`: the database has
        just refused, others may wait for it by themselves."""
        self._owner = threading.get_ident()
        pieces: list[Piece[Any]] = []
        try:
            for piece in self._handed_in() if is_able else ():
                pieces.append(piece)
                piece.do(self._commits)
                if piece.group is None:  # the others need not wait one by one for a database that is locked
                    pieces += self._handed_in()
                    break
        finally:
            try:
                self._commits.commit()
            finally:
                self.give()
                for piece in pieces:
                    piece.end()

    def check_thread(self) -> None:
        if self._owner == threading.get_ident():
            raise StoreError("A transaction cannot begin within a transaction of the same thread.")

    def take(self) -> None:
        self.check_thread()
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        self._owner = threading.get_ident()

    def give(self) -> None:
        self._owner = 0
        self._turn.release()
        self._call_next()

    def others_follow(self) -> bool:
        """Whether somebody will have the turn after this one."""
        return bool(self._waiting or self._pieces)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A turn without a transaction."""
        try:
            with self._turn:
                yield
        finally:
            self._call_next()

    def _handed_in(self) -> Iterator[Piece[Any]]:
        """What waits, and what comes while that is done: the next commit would be a whole wait away."""
        for _ in range(MOST_IN_A_COMMIT):
            if self._commits.group is None or not self._pieces:  # before it begins and before it commits
                _let_others_run()
            if not self._pieces:
                return
            yield self._pieces.popleft()

    def _call_next(self) -> None:
        """After every turn: somebody who came meanwhile goes on."""
        with suppress(IndexError):
            self._pieces[0].call()


def _let_others_run() -> None:
    """Gives up Python's lock and the CPU: threads that are about to hand in something do so now, and have not to wait
    for the commit after this one. Without it most commits were of one transaction, however many threads wrote. (To
    sleep for no time gives up both too, but takes Linux 60 µs.)"""
    os.sched_yield()
