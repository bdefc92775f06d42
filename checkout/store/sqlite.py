"""The SQLite driver: one writing connection behind a lock, and a few that only read.

Measured: BEGIN IMMEDIATE with a busy timeout alone starves writers (worst wait 4 to 6 s with 4 to 8 threads), a lock in
front brings it to 0.1 to 0.4 s. synchronous=FULL lost nothing in power cuts, NORMAL lost hundreds of acknowledged
rows. SQLite before 3.51.3 has a rare fault when two connections reset the WAL; a single writer avoids it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from checkout.errors import Conflict, StoreError
from checkout.interfaces import Row, Rows, T, Value
from checkout.locks import ALL, Held
from checkout.store import copies, forks, guard, migrations
from checkout.store.checkpoints import Checkpoints
from checkout.store.readers import Readers
from checkout.store.turnstile import Turnstile
from checkout.store.writer import Writer

# Pages that a connection keeps, in KiB; SQLite keeps 2 MB. Over 100,000 orders the writer then reads half a page more
# for an order and three for a push.
_CACHE_KIB = 1024
_PRAGMAS = (
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA wal_autocheckpoint = 16000",  # pages, where `checkpoints` has no thread
    "PRAGMA journal_size_limit = 16777216",
)
_BUSY_TIMEOUT_S = 5


class _SqliteRows:
    """`Rows` over one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, /, **values: Value) -> list[Row]:
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, /, **values: Value) -> Row | None:
        row: Row | None = self._execute(sql, values).fetchone()
        return row

    def run(self, sql: str, /, **values: Value) -> int:
        return self._execute(sql, values).rowcount

    def _execute(self, sql: str, values: dict[str, Value]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.IntegrityError as error:
            raise Conflict(str(error)) from error
        except sqlite3.Error as error:
            raise StoreError(_sentence(error)) from error


class SqliteStore:
    """One SQLite file, its folder made when missing, migrated when it is opened."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._name, self._folder = str(self.path), str(self.path.parent)
        self._readers = Readers(self._connect, _SqliteRows)
        self._checkpoints = Checkpoints(self._readers.lent, lambda: self._writer.paused())
        self._writer = Writer(
            self._connect_to_write, lambda error: StoreError(_sentence(error)), expect=self._expect_name,
            wrote=self._checkpoints.wrote,
        )  # fmt: skip
        self._server_lock: guard.Lock | None = None
        self._is_unread = False
        self._file = (0, 0)  # what the writing connection has open
        self._create_file()
        self._migrate()
        forks.in_child(self._forget)

    def read(self) -> AbstractContextManager[Rows]:
        return self._readers.lent()

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        with self._writer.transaction() as connection:
            yield _SqliteRows(connection)

    def locked(self, keys: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Held], T]) -> T:
        return self._writer.run(lambda connection: work(_SqliteRows(connection), ALL))

    def together(self) -> AbstractContextManager[None]:
        return self._writer.together()

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object] = lambda: None) -> None:
        self._writer.afterwards(done, undone)

    def free_bytes(self) -> int | None:
        try:
            disk = os.statvfs(self._folder)
        except OSError as error:
            raise StoreError(guard.gone(self.path)) from error
        return disk.f_bavail * disk.f_frsize

    def guard(self, server: int = 0) -> None:
        self._is_unread = not guard.check_at_start(self.path)
        if self._server_lock is None:
            self._server_lock = guard.Lock(self.path, server=server)
            self._writer.turnstile = Turnstile(self._server_lock.file)

    def check(self) -> None:
        guard.examine(self.path)

    def check_rest(self) -> None:
        if self._is_unread:
            self._is_unread = False
            guard.examine(self.path)

    def expect_sound(self) -> None:
        guard.expect_sound(self._name)

    def expect_writes(self) -> None:
        with self.transaction() as db:
            if self._writer.has_failed:  # what changes nothing is committed on a broken disk as well
                version = db.one("PRAGMA user_version")
                assert version is not None
                db.run(f"PRAGMA user_version = {version[0]}")

    def copy_to(self, target: Path) -> None:
        copies.copy(self.path, target)

    def close(self) -> None:
        """Closes every connection; the next use opens new ones. A server's lock goes too."""
        self._close_connections()
        if self._server_lock is not None:
            self._writer.turnstile = Turnstile()
            self._server_lock.close()
            self._server_lock = None

    def _migrate(self) -> None:
        """No connection stays open, so that a server may fork now: in the child SQLite would believe to hold locks
        that belong to the parent."""
        try:
            with self._writer.alone() as connection:
                connection.execute("PRAGMA temp_store = FILE")  # a new index sorts all there is
                _retrying(lambda: migrations.apply(connection))
        except sqlite3.Error as error:
            raise StoreError(_sentence(error)) from error
        finally:
            self._close_connections()

    def _close_connections(self) -> None:
        self._writer.close()
        self._checkpoints.close()
        self._readers.close()

    def _expect_name(self) -> None:
        """Raises `StoreError` where the file has lost its name: what is written to it then, nobody finds again."""
        if guard.identity(self._name) != self._file:
            raise StoreError(guard.gone(self.path))

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA temp_store = MEMORY")  # what many that share a commit would undo: 1 MB at most
        self._file = guard.identity(self._name)
        return connection

    def _connect(self) -> sqlite3.Connection:
        """Makes no file: an empty one in the place of one that is gone would look like a new shop."""
        try:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                factory=_Connection,
            )
            try:
                _retrying(lambda: _use_wal(connection))
                for pragma in _PRAGMAS:
                    connection.execute(pragma)
            except BaseException:
                connection.close()  # else its files stay open until the collector of garbage comes
                raise
        except sqlite3.Error as error:
            raise StoreError(_sentence(error)) from error
        return connection

    def _create_file(self) -> None:
        """Made by hand so that nobody else on the machine can ever read it. One that is there is not opened: to close
        it would drop the locks of every connection that this process has to it."""
        try:
            if self.path.is_file() and os.access(self.path, os.R_OK | os.W_OK):
                return
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"The database {self.path} cannot be opened: {error.strerror}.") from error

    def _forget(self) -> None:
        """In a forked child: a connection of the parent must neither be used nor closed, so all are let go."""
        self._checkpoints.abandon()
        _GRAVEYARD.extend([*self._readers.abandon(), self._writer.abandon()])


class _Connection(sqlite3.Connection):
    """A connection that a weak set can hold."""


_GRAVEYARD: list[sqlite3.Connection | None] = []


def _use_wal(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")


def _retrying(work: object) -> None:
    """Switching to WAL and the first migration ignore the busy timeout when two processes start at once."""
    assert callable(work)
    for delay in (0.02, 0.1, 0.5, 1, 2, None):
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if delay is None or "lock" not in str(error):
                raise
            time.sleep(delay)


def _sentence(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "The database is locked by another program; try again in a moment."
    if "full" in text:
        return "The disk is full; make room, nothing that was acknowledged is lost."
    if "readonly" in text or "read-only" in text:
        return "The database cannot be written; check the owner and the mode of its folder and files."
    if "unable to open" in text:
        return "The database cannot be opened: its file is gone, or its folder."
    if "malformed" in text or "not a database" in text:
        return f"The database file is damaged; {guard.RESTORE}."
    return f"The database cannot be used: {text}."
