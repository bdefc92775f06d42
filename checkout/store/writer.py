"""The one writing connection. Transactions take turns on it, and those that come at the same time share a commit.

A commit waits for the disk, and everybody behind it waited for that wait. So a transaction that has others waiting
behind it leaves its work in the open database transaction and lets the next one in; the last one commits for all.
Each is still all or nothing (one that fails is undone to its own savepoint), and none returns before its commit is on
the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from checkout.errors import StoreError

MOST_IN_A_COMMIT = 32
_LOOK_AGAIN_S = 1


class _Group:
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


class Writer:
    """Opens its connection by `connect` when it is needed first; `translate` puts SQLite's errors into sentences."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], translate: Callable[[sqlite3.Error], StoreError]
    ) -> None:
        self._connect, self._translate = connect, translate
        self._connection: sqlite3.Connection | None = None
        self._group: _Group | None = None
        self._owner = 0
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Raises `StoreError` when it cannot begin or its commit fails; then nothing of it was written."""
        self._take_turn()
        group = None
        try:
            connection, group = self._join()
            try:
                yield connection
                self._count_in(connection, group)
            except BaseException:
                self._undo(connection, group)
                raise
            finally:
                self._leave(connection, group)
        except Exception:
            self._give_turn()
            if group is not None:
                self._wait_for(group)  # it may have failed for what it saw of the others: that must be true first
            raise
        except BaseException:
            self._give_turn()
            raise
        self._give_turn()
        self._wait_for(group)

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The connection without a transaction, after those that are open have been committed."""
        with self._turn:
            self._commit()
            yield self._opened()

    def close(self) -> None:
        """Commits what is open, then closes; the next use opens the connection again."""
        with self._turn:
            self._commit()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def abandon(self) -> sqlite3.Connection | None:
        """In a forked child: lets the parent's connection go without touching it, and gives it to the caller."""
        connection = self._connection
        self.__init__(self._connect, self._translate)  # type: ignore[misc]
        return connection

    def _take_turn(self) -> None:
        if self._owner == threading.get_ident():
            raise StoreError("A transaction cannot begin within a transaction of the same thread.")
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        self._owner = threading.get_ident()

    def _give_turn(self) -> None:
        self._owner = 0
        self._turn.release()

    def _join(self) -> tuple[sqlite3.Connection, _Group]:
        connection = self._opened()
        try:
            if self._group is None:
                connection.execute("BEGIN IMMEDIATE")
                self._group = _Group()
            else:
                connection.execute("SAVEPOINT member")
        except sqlite3.Error as error:
            self._commit()  # what others have left here
            raise self._translate(error) from error
        return connection, self._group

    def _count_in(self, connection: sqlite3.Connection, group: _Group) -> None:
        if group.size:
            try:
                connection.execute("RELEASE member")
            except sqlite3.Error as error:
                raise self._translate(error) from error
        group.size += 1

    def _undo(self, connection: sqlite3.Connection, group: _Group) -> None:
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
        except sqlite3.Error as error:
            self._end(connection, self._translate(error))

    def _leave(self, connection: sqlite3.Connection, group: _Group) -> None:
        """Commits, unless somebody waits who will."""
        if self._group is not group:
            return
        if self._waiting and group.size < MOST_IN_A_COMMIT:
            group.event = group.event or threading.Event()
        else:
            self._commit()

    def _commit(self) -> None:
        group, connection = self._group, self._connection
        if group is None or connection is None:
            return
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._end(connection, self._translate(error))
        else:
            self._group = None
            group.finish(None)

    def _end(self, connection: sqlite3.Connection, error: StoreError | None) -> None:
        """Rolls back. A connection that cannot even do that (the disk is gone) is thrown away."""
        group, self._group = self._group, None
        assert group is not None
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection = None
            with suppress(sqlite3.Error):
                connection.close()
        group.finish(error)

    def _wait_for(self, group: _Group) -> None:
        """Until the group is on the disk. Should the one who was to commit have vanished, anybody does it."""
        while not group.done:
            assert group.event is not None
            if not group.event.wait(_LOOK_AGAIN_S):
                with self._turn:
                    if self._group is group:
                        self._commit()
        if group.error is not None:
            raise StoreError(str(group.error)) from group.error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection
