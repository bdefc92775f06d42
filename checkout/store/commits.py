"""What is open on the writing connection: the transactions that share the next commit, from BEGIN to COMMIT.

All but the first have a savepoint of their own, so that one that fails is undone alone. Whoever calls has the turn.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress

from checkout.errors import StoreError
from checkout.store.turnstile import Turnstile

MOST_IN_A_COMMIT = 32
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


class Commits:
    """Opens its connection by `connect` when it is needed first; `translate` puts SQLite's errors into sentences.
    `expect` raises `StoreError` where nothing may be written. `wrote` hears how many transactions a commit had.
    `turnstile`: where it waits for other processes."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        translate: Callable[[sqlite3.Error], StoreError],
        expect: Callable[[], None],
        wrote: Callable[[int], object],
        turnstile: Turnstile | None = None,
    ) -> None:
        self._connect, self._translate, self._expect, self._wrote = connect, translate, expect, wrote
        self.turnstile = turnstile or Turnstile()
        self._connection: sqlite3.Connection | None = None
        self.group: Group | None = None  # that is open
        self.has_failed = False  # the last commit

    def opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def join(self) -> tuple[sqlite3.Connection, Group]:
        """Begins a transaction, the first of a group or one more. Raises `StoreError` when it cannot."""
        connection = self.opened()
        try:
            if self.group is None:
                self._begin(connection)
                self.group = Group()
            else:
                connection.execute("SAVEPOINT member")
        except sqlite3.Error as error:
            self.commit()  # what others have left here
            raise self._translate(error) from error
        return connection, self.group

    def count_in(self, connection: sqlite3.Connection, group: Group) -> None:
        """What the transaction at hand has done is part of the next commit. Raises `StoreError` when it cannot be."""
        if group.size:
            try:
                connection.execute("RELEASE member")
            except sqlite3.Error as error:
                raise self._translate(error) from error
        group.size += 1

    def undo(self, connection: sqlite3.Connection, group: Group) -> None:
        """Undoes the work of the transaction at hand. Some errors of SQLite undo everything: then the whole group has
        failed, and its members hear of it."""
        try:
            if not group.size:
                self._end(connection, None)
            elif connection.in_transaction:
                connection.execute("ROLLBACK TO member")
                connection.execute("RELEASE member")
            else:
                self._end(connection, StoreError("The database undid the transaction; try again."))
        except BaseException as error:  # what has failed must not stay in a transaction that others commit
            self._end(connection, self._reason(error))
            if not isinstance(error, sqlite3.Error):
                raise

    def leave(self, group: Group, *, others_follow: bool) -> None:
        """Commits, unless somebody waits who will."""
        if self.group is not group:
            return
        if others_follow and group.size < MOST_IN_A_COMMIT:
            group.event = group.event or threading.Event()
        else:
            self.commit()

    def commit(self) -> None:
        """Commits what is open, if anything is; its members hear whether that has failed."""
        group, connection = self.group, self._connection
        if group is None or connection is None:
            return
        try:
            connection.execute("COMMIT")
        except BaseException as error:
            self.has_failed = True
            self._end(connection, self._reason(error))
            if not isinstance(error, sqlite3.Error):
                raise
        else:
            self.has_failed = False
            self._finish(group, None)
            self._wrote(group.size)

    def close(self) -> None:
        """Commits what is open, then closes; the next use opens the connection again."""
        self.commit()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: lets the parent's connection go without touching it, and gives it to the caller."""
        connection = self._connection
        self.__init__(self._connect, self._translate, self._expect, self._wrote, self.turnstile)  # type: ignore[misc]
        return connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        self._expect()
        self.turnstile.enter()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self.turnstile.leave()
            raise

    def _end(self, connection: sqlite3.Connection, error: StoreError | None) -> None:
        """Rolls back. A connection that cannot even do that (the disk is gone) is thrown away."""
        group = self.group
        assert group is not None
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except Exception:
            self._connection = None
            with suppress(Exception):
                connection.close()
        self._finish(group, error)

    def _finish(self, group: Group, error: StoreError | None) -> None:
        self.group = None
        self.turnstile.leave()
        group.finish(error)

    def _reason(self, error: BaseException) -> StoreError:
        """What the members of a group are told. Where memory is short, sqlite3 raises no error of its own."""
        return self._translate(error) if isinstance(error, sqlite3.Error) else StoreError(BROKEN_OFF)
