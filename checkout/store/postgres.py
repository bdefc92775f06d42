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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from checkout.errors import Code, Conflict, Refusal, StoreError
from checkout.interfaces import Row, Rows, Value
from checkout.store.migrations import postgres as migrations

READERS = 8  # of each process; PostgreSQL itself allows 100 connections unless it is told otherwise
_LOCK_S = 10
_RETRIES_S = (0.05, 0.2, 0.5, 1, 2)
_CONNECTION = {  # a machine that was cut off is noticed within seconds; any of them may be set in the address
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "checkout",
    "client_encoding": "UTF8",
}
# A writer that stopped in the middle of its transaction must not hold up everybody for ever.
_WRITER = f"SET lock_timeout = '{_LOCK_S}s'; SET idle_in_transaction_session_timeout = '30s'"
_READER = "SET default_transaction_read_only = on"
_READ_ONLY = "25006"
_TOKENS = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|::|:([a-z_][a-z0-9_]*)|%")

_Connection = psycopg.Connection[Row]


class _PostgresRows:
    """`Rows` over one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def all(self, sql: str, /, **values: Value) -> list[Row]:
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, /, **values: Value) -> Row | None:
        return self._execute(sql, values).fetchone()

    def run(self, sql: str, /, **values: Value) -> int:
        return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: dict[str, Value]) -> psycopg.Cursor[Row]:
        with _in_our_words():
            return self._connection.execute(_placed(sql), values)


class _ReadingRows(_PostgresRows):
    """Each statement stands alone, so one whose connection was lost (a restart of the server) is asked once more."""

    __slots__ = ("_pool",)

    def __init__(self, pool: _Pool) -> None:
        super().__init__(pool.take())
        self._pool = pool

    def give_back(self) -> None:
        self._pool.give(self._connection)

    def _execute(self, sql: str, values: dict[str, Value]) -> psycopg.Cursor[Row]:
        try:
            return super()._execute(sql, values)
        except StoreError:
            if not self._connection.closed:
                raise
        self._connection = self._pool.another()
        return super()._execute(sql, values)


class PostgresStore:
    """One PostgreSQL database, migrated when it is opened. `address`: postgresql://user:password@host:port/name."""

    def __init__(self, address: str) -> None:
        self._conninfo = _conninfo(address)
        self._graveyard: list[object] = []
        self._turn = threading.Lock()
        self._owner = 0
        self._writer: _Connection | None = None
        self._pool = _Pool(self)
        try:
            with _in_our_words():
                migrations.apply(self._write_on())
        finally:
            self.close()  # a server may fork now, and a connection belongs to one process
        _forget_on_fork(self)

    @contextmanager
    def read(self) -> Iterator[Rows]:
        rows = _ReadingRows(self._pool)
        try:
            yield rows
        finally:
            rows.give_back()

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        if self._owner == threading.get_ident():
            raise StoreError("A transaction cannot begin within a transaction of the same thread.")
        with self._turn:
            self._owner = threading.get_ident()
            try:
                with self._begun() as connection:
                    yield _PostgresRows(connection)
            finally:
                self._owner = 0

    def free_bytes(self) -> int | None:
        return None

    def guard(self) -> None:
        """Any number of servers may share it."""

    def check(self) -> None:
        """Whether it answers; PostgreSQL looks after its files (pg_amcheck reads them all)."""
        with self.read() as db:
            db.one("SELECT count(*) FROM merchants")

    def copy_to(self, target: Path) -> None:
        raise StoreError(f"A PostgreSQL database is copied with its own tool: pg_dump --format=custom --file={target}")

    def close(self) -> None:
        """Closes every connection; the next use opens new ones."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._pool.close()

    @contextmanager
    def _begun(self) -> Iterator[_Connection]:
        connection = self._lock()
        try:
            yield connection
            with _in_our_words():
                done = connection.execute("COMMIT")
            if done.statusmessage != "COMMIT":  # it says ROLLBACK when an error was passed over in between
                raise StoreError("The database undid the transaction; try again.")
        except BaseException:
            _roll_back(connection)
            raise

    def _lock(self) -> _Connection:
        """Begins; tries again when the connection turns out to be lost or the lock was refused."""
        for delay in (*_RETRIES_S, None):
            try:
                return self._locked()
            except StoreError as error:
                if self._writer is not None:
                    _roll_back(self._writer)
                    if getattr(error.__cause__, "sqlstate", "") == _READ_ONLY:
                        self._writer.close()  # the next one may find the server that has taken over
                if delay is None or not _may_pass(error.__cause__):
                    raise
                time.sleep(delay)
        raise AssertionError("the last try returns or raises")

    def _locked(self) -> _Connection:
        connection = self._write_on()
        with _in_our_words():
            connection.execute(migrations.LOCK)
        return connection

    def _write_on(self) -> _Connection:
        if self._writer is None or self._writer.closed:
            self._writer = self._connect(_WRITER)
        return self._writer

    def _connect(self, setting: str) -> _Connection:
        with _in_our_words():
            connection = psycopg.connect(self._conninfo, autocommit=True, cursor_factory=psycopg.ClientCursor)
            try:
                connection.adapters.register_loader("numeric", _Whole)
                connection.execute(setting)
            except BaseException:
                connection.close()
                raise
            return connection

    def _forget(self) -> None:
        """In a forked child: a connection of the parent must neither be used nor closed, so all are let go."""
        self._graveyard.append((self._writer, self._pool))
        self._turn, self._owner, self._writer, self._pool = threading.Lock(), 0, None, _Pool(self)


class _Pool:
    """Connections that read, opened when they are needed first and used again; at most `READERS` at a time."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = weakref.ref(store)
        self._idle: list[_Connection] = []
        self._room = threading.BoundedSemaphore(READERS)

    def take(self) -> _Connection:
        if not self._room.acquire(timeout=_LOCK_S):
            raise StoreError("The database is busy; try again in a moment.")
        try:
            with suppress(IndexError):  # another thread may take the last one in between
                return self._idle.pop()
            return self.another()
        except BaseException:
            self._room.release()
            raise

    def another(self) -> _Connection:
        store = self._store()
        assert store is not None
        return store._connect(_READER)

    def give(self, connection: _Connection) -> None:
        if not connection.closed:
            self._idle.append(connection)
        self._room.release()

    def close(self) -> None:
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()


class _Whole(Loader):
    """Sums of BIGINT are NUMERIC; here they are whole numbers."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


@cache
def _placed(sql: str) -> bytes:
    """`:name` as psycopg writes it; texts, names in quotes and casts stay as they are."""
    return _TOKENS.sub(_place, sql).encode()


def _place(found: re.Match[str]) -> str:
    name = found[1]
    return f"%({name})s" if name else found[0].replace("%", "%%")


def _conninfo(address: str) -> str:
    try:
        given = conninfo_to_dict(address)
    except psycopg.ProgrammingError:  # its text repeats the address, which may hold a password
        raise StoreError(
            "CHECKOUT_DATABASE is not understood: write postgresql://user:password@host:5432/name, with %XX for"
            " special characters in the password."
        ) from None
    return make_conninfo(**{**_CONNECTION, **{name: str(value) for name, value in given.items() if value is not None}})


def _roll_back(connection: _Connection) -> None:
    """A connection that cannot even do this is of no use any more."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _may_pass(error: BaseException | None) -> bool:
    """Whether taking the lock again may help: the connection was lost, or transactions got into each other's way."""
    return isinstance(error, psycopg.OperationalError) and (
        error.sqlstate is None or error.sqlstate.startswith(("08", "40", "57P", "25P03"))
    )


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except psycopg.IntegrityError as error:
        raise Conflict(error.diag.message_primary or "A promise of the database was broken.") from error
    except psycopg.DataError as error:
        raise Refusal(Code.BAD_REQUEST, "A value is too large, or holds a character that cannot be stored.") from error
    except psycopg.Error as error:
        raise StoreError(_sentence(error)) from error


_SENTENCES = {  # by the beginning of the SQLSTATE
    "53100": "The disk of the PostgreSQL server is full; make room, nothing that was acknowledged is lost.",
    "53300": "PostgreSQL takes no more connections; raise its max_connections or start fewer processes.",
    "55P03": "The database is locked by another program; try again in a moment.",
    _READ_ONLY: "The database cannot be written: it is a copy that only reads, or this connection may only read.",
    "28": "PostgreSQL refuses the login; check user and password in CHECKOUT_DATABASE.",
    "3D000": "There is no such database on the PostgreSQL server; make it with: createdb NAME.",
    "42501": "The user of CHECKOUT_DATABASE may not do this; it must own the database or its schema.",
    "08": "The connection to PostgreSQL was lost; try again in a moment.",
    "57P": "PostgreSQL is stopping or starting; try again in a moment.",
    "25P03": "A transaction stood still for too long, and PostgreSQL ended it; try again.",
    "40": "Two transactions got into each other's way; try again in a moment.",
}


def _sentence(error: psycopg.Error) -> str:
    state = error.sqlstate or ""
    for beginning, sentence in _SENTENCES.items():
        if state.startswith(beginning):
            return sentence
    if not state:
        return _unreachable(str(error))
    return f"The database cannot be used: {error.diag.message_primary}."


def _unreachable(text: str) -> str:
    """libpq gives no code while it connects; its text names host and user, never the password, but in many lines."""
    if "password" in text or "authentication" in text or "no pg_hba.conf entry" in text:
        return _SENTENCES["28"]
    if "does not exist" in text:
        return _SENTENCES["3D000"]
    if "too many" in text or "connection slots" in text:
        return _SENTENCES["53300"]
    return "PostgreSQL cannot be reached; check that it runs, and host and port in CHECKOUT_DATABASE."


def _forget_on_fork(store: PostgresStore) -> None:
    reference = weakref.ref(store)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive._forget()

    os.register_at_fork(after_in_child=forget)
