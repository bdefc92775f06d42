"""The PostgreSQL driver: a small pool of connections that read, and a smaller one of those that write.

A transaction begins by locking rows of one table, over all processes and machines. Most lock all of them: one writer at
a time, the promise that SQLite's BEGIN IMMEDIATE gives and that a rule may rely on without a thought. Those that are
frequent say what they touch (`checkout.locks`) and lock only what that falls on, so that orders of different accounts
are opened and paid side by side. It needs nothing that the engines that speak PostgreSQL's language lack: no advisory
locks, savepoints or sequences. What fails because others were in the way is done again alone.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import psycopg

from checkout.errors import Conflict, StoreError
from checkout.interfaces import Rows, T
from checkout.locks import ALL, Held, NotLocked
from checkout.store import dumps, forks
from checkout.store.conninfo import conninfo_of
from checkout.store.lines import BUSY, Line, Lines
from checkout.store.migrations import postgres as migrations
from checkout.store.postgres_errors import READ_ONLY, Silent, in_each_others_way, in_our_words, may_pass, state_of
from checkout.store.postgres_rows import LineRows, ReadingRows

_RETRIES_S = (0.05, 0.2, 0.5, 1, 2)
_SHORTEST_S = 0.005  # before a transaction that collided is done again, up to ten times as long
_TRIES_ALONE = 3


class _Collision(Exception):
    """Transactions were in each other's way, and this one was undone."""


class PostgresStore:
    """One PostgreSQL database, migrated when it is opened. `address`: postgresql://user:password@host:port/name.

    For a server (`serving`) every wait ends within seconds, with `StoreError`. `is_to_migrate` False takes the database
    as it is, for those who look at it or replace it; `is_moving` one into which a move is unfinished as well."""

    def __init__(
        self, address: str, *, serving: bool = False, is_to_migrate: bool = True, is_moving: bool = False
    ) -> None:
        self._conninfo = conninfo = conninfo_of(address)
        self._lines = Lines(conninfo, serving=serving)
        self._graveyard: list[object] = []
        self._alone = threading.Lock()
        self._local = threading.local()
        if is_to_migrate:
            _migrate(conninfo, is_moving=is_moving)
        forks.in_child(self._forget)

    @contextmanager
    def read(self) -> Iterator[Rows]:
        rows = ReadingRows(self._lines)
        try:
            yield rows
        finally:
            rows.give_back()

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        """Those of one process wait for each other here already, so that they wait on one connection only."""
        self._expect_none_open()
        if not self._alone.acquire(timeout=self._patience()):
            raise StoreError(BUSY)
        try:
            with self._begun(migrations.LOCK_ALL, migrations.LOCKS) as db:
                yield db
        finally:
            self._alone.release()

    def locked(self, keys: Callable[[Rows], Iterable[str] | None], work: Callable[[Rows, Held], T]) -> T:
        self._expect_none_open()
        taken = self._taken(keys)
        if taken is not None:
            lock, rows = migrations.lock(taken)
            with suppress(NotLocked, Conflict, _Collision), _told_apart(), self._begun(lock, rows) as db:
                return work(db, Held(taken))
        for _ in range(_TRIES_ALONE - 1):
            with suppress(_Collision), _told_apart(), self.transaction() as db:
                return work(db, ALL)
        with self.transaction() as db:
            return work(db, ALL)

    def together(self) -> AbstractContextManager[None]:
        """Its own commits are shared by the transactions of many connections, not by those of one."""
        return nullcontext()

    def afterwards(self, done: Callable[[], object], undone: Callable[[], object] = lambda: None) -> None:
        done()

    def free_bytes(self) -> int | None:
        return None

    def guard(self, server: int = 0) -> None:
        """Any number of servers may share it."""

    def check(self) -> None:
        """Whether it answers; PostgreSQL looks after its files (pg_amcheck reads them all)."""
        with self.read() as db:
            db.one("SELECT count(*) FROM merchants")

    def check_rest(self) -> None:
        """Nothing was left out."""

    def expect_sound(self) -> None:
        """It looks after its files."""

    def expect_writes(self) -> None:
        with self.transaction():
            pass

    def copy_to(self, target: Path) -> None:
        """As a SQLite file, of one moment, beside servers that go on. It takes its time."""
        line = Lines(self._conninfo, serving=False).to_read()
        try:
            db = LineRows(line)
            db.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            dumps.write(db, target)
        finally:
            line.close()

    def close(self) -> None:
        """Closes every connection, those in use when they come back. Whoever uses it again opens one each time."""
        self._lines.retire()

    def _taken(self, keys: Callable[[Rows], Iterable[str] | None]) -> frozenset[str] | None:
        """None also where nobody can be asked just now: who writes waits for the end of a short absence."""
        try:
            with self.read() as db:
                taken = keys(db)
        except StoreError as error:
            if not may_pass(error) or isinstance(error.__cause__, Silent):
                raise
            return None
        return None if taken is None else frozenset(taken)

    def _expect_none_open(self) -> None:
        if getattr(self._local, "writes", False):
            raise StoreError("A transaction cannot begin within a transaction of the same thread.")

    def _patience(self) -> float:
        """For the lock within the process, in seconds; -1: as long as it takes."""
        is_away = self._lines.outage.is_long and self._lines.writing.is_empty
        return 0 if is_away else self._lines.patience_s or -1

    @contextmanager
    def _begun(self, lock: str, rows: int) -> Iterator[Rows]:
        line = self._lines.writing.take(self._patience())
        self._local.writes = True
        try:
            line = self._locked_line(line, lock, rows)
            yield LineRows(line)
            _commit(line)
        except BaseException:
            _roll_back(line)
            raise
        finally:
            self._local.writes = False
            self._lines.writing.give(line)

    def _locked_line(self, line: Line, lock: str, rows: int) -> Line:
        """Begins; tries again, on a new line, when this one turns out to be lost, the lock was refused, or the server
        is none any more."""
        for delay in (*_RETRIES_S, None):
            try:
                if line.closed:
                    line = self._lines.to_write()
                return _lock(line, lock, rows)
            except StoreError as error:
                _roll_back(line)
                is_copy = state_of(error) == READ_ONLY
                if is_copy:
                    self._lines.close()  # all of them lead to it; new ones may find the server that has taken over
                    line.close()
                is_hopeless = not may_pass(error) and not (is_copy and delay == _RETRIES_S[0])
                if delay is None or is_hopeless or self._lines.outage.is_long:
                    line.close()
                    raise
                time.sleep(delay)
        raise AssertionError("the last try returns or raises")

    def _forget(self) -> None:
        """In a forked child: a connection of the parent must neither be used nor closed, so all are let go."""
        self._graveyard.append(self._lines)
        self._alone, self._local, self._lines = threading.Lock(), threading.local(), self._lines.anew()


def _lock(line: Line, lock: str, rows: int) -> Line:
    with in_our_words():
        done = line.execute(lock.encode(), prepare=False)  # two statements
        done.nextset()
        if done.rowcount != rows:
            raise StoreError("The table _checkout_turns is incomplete; restart Checkout, which fills it.")
    return line


def _commit(line: Line) -> None:
    """`StoreError` also where PostgreSQL says that it gave up waiting for a copy that must have it: then what is
    written may be lost with this server, and nobody may be told that it is safe."""
    line.warned = False
    with in_our_words():
        done = line.execute("COMMIT", prepare=False)
    if done.statusmessage != "COMMIT":  # it says ROLLBACK when an error was passed over in between
        raise StoreError("The database undid the transaction; try again.")
    if line.warned:
        raise StoreError("PostgreSQL cannot say whether its copy has this; try again.")


def _migrate(conninfo: str, *, is_moving: bool) -> None:
    """Takes its time. On a line of its own: a server may fork afterwards, and a connection belongs to one process."""
    line = Lines(conninfo, serving=False).to_write()
    try:
        with in_our_words():
            migrations.apply(line, is_moving=is_moving)
    finally:
        line.close()


@contextmanager
def _told_apart() -> Iterator[None]:
    """`_Collision`, a moment later, where the transaction may be done again as it was."""
    try:
        yield
    except StoreError as error:
        if not in_each_others_way(error):
            raise
        time.sleep(_SHORTEST_S * (1 + secrets.randbelow(10)))
        raise _Collision from error


def _roll_back(line: Line) -> None:
    """A connection that cannot even do this is of no use any more."""
    if line.closed:
        return
    try:
        line.execute("ROLLBACK")
    except psycopg.Error:
        line.close()
