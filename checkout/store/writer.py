"""The one writing connection. Transactions take turns on it, and those that come at the same time share a commit.

A commit waits for the disk, and everybody behind it waited for that wait. So a transaction that has others waiting
behind it leaves its work in the open database transaction and lets the next one in; the last one commits for all.
Each is still all or nothing (one that fails is undone to its own savepoint), and none returns before its commit is on
the disk.

There are three ways to write: a `transaction` holds the turn itself, one that is handed in (`run`) is done by whichever
thread has it, and a thread that does many by itself keeps its turn (`together`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from checkout.errors import StoreError
from checkout.interfaces import T
from checkout.store.commits import Commits, Group
from checkout.store.pieces import Turns
from checkout.store.together import Together
from checkout.store.turnstile import Turnstile

_LOOK_AGAIN_S = 1


class Writer:
    """Opens its connection by `connect` when it is needed first; `translate` puts SQLite's errors into sentences.
    `expect` raises `StoreError` where nothing may be written. `wrote` hears how many transactions a commit had."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        translate: Callable[[sqlite3.Error], StoreError],
        expect: Callable[[], None] = lambda: None,
        wrote: Callable[[int], object] = lambda transactions: None,
    ) -> None:
        self._commits = Commits(connect, translate, expect, wrote)
        self._start()

    @property
    def has_failed(self) -> bool:
        """Whether the last commit has."""
        return self._commits.has_failed

    @property
    def turnstile(self) -> Turnstile:
        """Where it waits for other processes."""
        return self._commits.turnstile

    @turnstile.setter
    def turnstile(self, turnstile: Turnstile) -> None:
        self._commits.turnstile = turnstile

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does `work` in a transaction, perhaps on another thread; its result, or what it raised. Raises as
        `transaction`."""
        if together := self._together.get(threading.get_ident()):
            return together.run(work)
        return self._turns.run(work)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread runs in here has its result before it is on the disk: that all of it is at the end, or
        raises `StoreError`, and then nothing of it was written. So nothing may get out before the end; what is to
        happen then waits in `afterwards`."""
        self._turns.check_thread()
        together = self._together[threading.get_ident()] = Together(self._turns, self._commits)
        try:
            yield
        finally:
            del self._together[threading.get_ident()]
            together.end()

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object]) -> None:
        """Calls `done` when what this thread has run is on the disk: at once, or at the end of `together`; `undone`
        where that has failed."""
        if together := self._together.get(threading.get_ident()):
            together.afterwards(done, undone)
        else:
            done()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Raises `StoreError` when it cannot begin or its commit fails; then nothing of it was written."""
        self._turns.take()
        group = None
        try:
            connection, group = self._commits.join()
            try:
                yield connection
                self._commits.count_in(connection, group)
            except BaseException:
                self._commits.undo(connection, group)
                raise
            finally:
                self._commits.leave(group, others_follow=self._turns.others_follow())
        except Exception:
            self._turns.give()
            if group is not None:
                self._wait_for(group)  # it may have failed for what it saw of the others: that must be true first
            raise
        except BaseException:
            self._turns.give()
            raise
        self._turns.give()
        self._wait_for(group)

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The connection without a transaction, after those that are open have been committed."""
        with self.paused():
            yield self._commits.opened()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No thread of this process writes meanwhile, and none of the server's other processes; what is open has been
        committed."""
        with self._turns.apart():
            self._commits.commit()
            turnstile = self.turnstile
            turnstile.enter()
            try:
                yield
            finally:
                turnstile.leave()

    def close(self) -> None:
        """Commits what is open, then closes; the next use opens the connection again."""
        with self._turns.apart():
            self._commits.close()

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: lets the parent's connection go without touching it, and gives it to the caller."""
        connection = self._commits.abandon()
        self._start()
        return connection

    def _start(self) -> None:
        self._turns = Turns(self._commits)
        self._together: dict[int, Together] = {}  # by thread

    def _wait_for(self, group: Group) -> None:
        """Until the group is on the disk. Should the one who was to commit have vanished, anybody does it."""
        while not group.done:
            assert group.event is not None
            if not group.event.wait(_LOOK_AGAIN_S):
                self._commit_for(group)
        if group.error is not None:
            raise StoreError(str(group.error)) from group.error

    def _commit_for(self, group: Group) -> None:
        with self._turns.apart():
            if self._commits.group is group:
                self._commits.commit()
