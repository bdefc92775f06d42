"""The reading connections: each is one reader's at a time, and the one given back last is lent first.

Threads that each kept one of their own would keep ten: a connection holds the database's schema, its statements and
pages, 0.3 MB. Of eight threads that are all busy, hardly ever more than three read at the same moment.

What is closed beside others keeps its descriptor of the database: to close that would drop the locks of all. SQLite
opens the next connection with it, so that there are as many as have ever read at the same moment.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from checkout.interfaces import Rows

KEPT = 3
_CACHE_KIB = 128  # finds an order among 100,000 as fast as 2 MB do: a commit makes SQLite forget them anyway


class Readers:
    """Opens connections by `connect` when there are not enough and lends them as `rows`; at most `KEPT` wait for the
    next reader."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], rows: Callable[[sqlite3.Connection], Rows]) -> None:
        self._connect, self._rows = connect, rows
        self._idle: list[sqlite3.Connection] = []
        self._all: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()
        self._lock = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[Rows]:
        idle = self._idle
        try:
            reader = idle.pop()
        except IndexError:
            reader = self._opened()
        try:
            yield self._rows(reader)
        finally:
            if idle is self._idle and len(idle) < KEPT:
                idle.append(reader)
            elif reader in self._all:  # else from before a fork: the parent's, which may not be touched
                reader.close()

    def close(self) -> None:
        """Closes every connection, those that are lent when they are given back: to close one while another thread
        reads on it ends the process. The next reader opens a new one."""
        idle, self._idle = self._idle, []
        with suppress(IndexError):
            while True:
                idle.pop().close()

    def abandon(self) -> list[sqlite3.Connection]:
        """In a forked child: lets the parent's connections go without touching them, and gives them to the caller."""
        connections = list(self._all)
        self.__init__(self._connect, self._rows)  # type: ignore[misc]
        return connections

    def _opened(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        with self._lock:
            self._all.add(connection)
        return connection
