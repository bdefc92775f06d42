"""The PostgreSQL driver: a small pool of connections that read, and one connection of the process that writes.

A transaction begins by locking the one row of a table, so that one writer works at a time over all processes and
machines: the promise that SQLite's BEGIN IMMEDIATE gives, and what all rules rely on. It costs that every write waits
for the commit before it (a millisecond or less on a local disk, a few on a replicated one), and it needs nothing that
the engines that speak PostgreSQL's language lack: no advisory locks, savepoints or sequences. A body cannot be run
twice, so only the taking of the lock is tried again.
"""

from __future__ import annotations

import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import psycopg

from checkout.errors import StoreError
from checkout.interfaces import Row, Rows, Value
from checkout.store import dumps
from checkout.store.lines import Line, Lines, conninfo_of
from checkout.store.migrations import postgres as migrations
from checkout.store.postgres_errors import READ_ONLY, Silent, in_our_words, may_pass

T = TypeVar("T")

_RETRIES_S = (0.05, 0.2, 0.5, 1, 2)
_TOKENS = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|::|:([a-z_][a-z0-9_]*)|%")


class _PostgresRows:
    """`Rows` over one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Line) -> None:
        self._connection = connection

    def all(self, sql: str, /, **values: Value) -> list[Row]:
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, /, **values: Value) -> Row | None:
        return self._execute(sql, values).fetchone()

    def run(self, sql: str, /, **values: Value) -> int:
        return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: dict[str, Value]) -> psycopg.Cursor[Row]:
        with in_our_words():
            return self._connection.execute(_placed(sql), values)


class _ReadingRows(_PostgresRows):
    """Each statement stands alone, so one whose connection was lost (a restart of the server) is asked once more."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines.take())
        self._lines = lines

    def give_back(self) -> None:
        self._lines.give(self._connection)

    def _execute(self, sql: str, values: dict[str, Value]) -> psycopg.Cursor[Row]:
        try:
            return super()._execute(sql, values)
        except StoreError as error:
            if not self._connection.closed or isinstance(error.__cause__, Silent):
                raise
        self._connection = self._lines.to_read()
        return super()._execute(sql, values)


class PostgresStore:
    """One PostgreSQL database, migrated when it is opened. `address`: postgresql://user:password@host:port/name.

    For a server (`serving`) every wait ends within seconds, with `StoreError`. `is_to_migrate` False takes the database
    as it is, for those who look at it or replace it."""

    def __init__(self, address: str, *, serving: bool = False, is_to_migrate: bool = True) -> None:
        self._conninfo = conninfo = conninfo_of(address)
        self._lines = Lines(conninfo, serving=serving)
        self._graveyard: list[object] = []
        self._turn = threading.Lock()
        self._owner = 0
        self._writer: Line | None = None
        if is_to_migrate:
            _migrate(conninfo)
        _forget_on_fork(self)

    @contextmanager
    def read(self) -> Iterator[Rows]:
        rows = _ReadingRows(self._lines)
        try:
            yield rows
        finally:
            rows.give_back()

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        if self._owner == threading.get_ident():
            raise StoreError("A transaction cannot begin within a transaction of the same thread.")
        self._take_turn()
        try:
            self._owner = threading.get_ident()
            with self._begun() as connection:
                yield _PostgresRows(connection)
        finally:
            self._owner = 0
            self._turn.release()

    def write(self, work: Callable[[Rows], T]) -> T:
        with self.transaction() as db:
            return work(db)

    def free_bytes(self) -> int | None:
        return None

    def guard(self) -> None:
        """Any number of servers may share it."""

    def check(self) -> None:
        """Whether it answers; PostgreSQL looks after its files (pg_amcheck reads them all)."""
        with self.read() as db:
            db.one("SELECT count(*) FROM merchants")

    def check_rest(self) -> None:
        """Nothing was left out."""

    def expect_sound(self) -> None:
        """It looks after its files."""

    def copy_to(self, target: Path) -> None:
        """As a SQLite file, of one moment, beside servers that go on. It takes its time."""
        line = Lines(self._conninfo, serving=False).to_read()
        try:
            db = _PostgresRows(line)
            db.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            dumps.write(db, target)
        finally:
            line.close()

    def close(self) -> None:
        """Closes every connection; the next use opens new ones."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._lines.close()

    def _take_turn(self) -> None:
        is_away = self._lines.outage.is_long and (self._writer is None or self._writer.closed)
        if not self._turn.acquire(timeout=0 if is_away else self._lines.patience_s or -1):
            raise StoreError("The database is busy; try again in a moment.")

    @contextmanager
    def _begun(self) -> Iterator[Line]:
        connection = self._lock()
        try:
            yield connection
            with in_our_words():
                done = connection.execute("COMMIT")
            if done.statusmessage != "COMMIT":  # it says ROLLBACK when an error was passed over in between
                raise StoreError("The database undid the transaction; try again.")
        except BaseException:
            _roll_back(connection)
            raise

    def _lock(self) -> Line:
        """Begins; tries again when the connection turns out to be lost or the lock was refused."""
        for delay in (*_RETRIES_S, None):
            try:
                return self._locked()
            except StoreError as error:
                if self._writer is not None:
                    _roll_back(self._writer)
                    if getattr(error.__cause__, "sqlstate", "") == READ_ONLY:
                        self._writer.close()  # the next one may find the server that has taken over
                if delay is None or not may_pass(error) or self._lines.outage.is_long:
                    raise
                time.sleep(delay)
        raise AssertionError("the last try returns or raises")

    def _locked(self) -> Line:
        connection = self._write_on()
        with in_our_words():
            connection.execute(migrations.LOCK)
        return connection

    def _write_on(self) -> Line:
        if self._writer is None or self._writer.closed:
            self._writer = self._lines.to_write()
        return self._writer

    def _forget(self) -> None:
        """In a forked child: a connection of the parent must neither be used nor closed, so all are let go."""
        self._graveyard.append((self._writer, self._lines))
        self._turn, self._owner, self._writer, self._lines = threading.Lock(), 0, None, self._lines.anew()


def _migrate(conninfo: str) -> None:
    """Takes its time. On a line of its own: a server may fork afterwards, and a connection belongs to one process."""
    line = Lines(conninfo, serving=False).to_write()
    try:
        with in_our_words():
            migrations.apply(line)
    finally:
        line.close()


@cache
def _placed(sql: str) -> bytes:
    """`:name` as psycopg writes it; texts, names in quotes and casts stay as they are."""
    return _TOKENS.sub(_place, sql).encode()


def _place(found: re.Match[str]) -> str:
    name = found[1]
    return f"%({name})s" if name else found[0].replace("%", "%%")


def _roll_back(connection: Line) -> None:
    """A connection that cannot even do this is of no use any more."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _forget_on_fork(store: PostgresStore) -> None:
    reference = weakref.ref(store)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive._forget()

    os.register_at_fork(after_in_child=forget)
