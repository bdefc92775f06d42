"""What commits leave in the log comes into the database beside the writer."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from checkout.errors import StoreError
from checkout.interfaces import Row, Rows
from checkout.store.checkpoints import EVERY, FEW, LONG, Checkpoints
from checkout.store.sqlite import SqliteStore

PATIENCE_S = 10


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(str(tmp_path / "checkout.db"))
    yield made
    made.close()


def write(store: SqliteStore, times: int) -> None:
    for _ in range(times):
        store.locked(lambda _: None, lambda db, _: db.run("UPDATE written SET count = count + 1"))


_LOOK = """import sqlite3, sys
database = sqlite3.connect(f"file:{sys.argv[1]}?immutable=1", uri=True)
print(database.execute("SELECT count FROM written").fetchone()[0])"""


def in_database(store: SqliteStore) -> int:
    """What the database's own file says, without its log; by another process, as closing it here would drop our
    locks."""
    return int(subprocess.check_output([sys.executable, "-Sc", _LOOK, str(store.path)]))


def eventually(happened: Callable[[], bool]) -> bool:
    ends = time.monotonic() + PATIENCE_S
    while not happened() and time.monotonic() < ends:
        time.sleep(0.01)
    return happened()


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "checkpoint"]


@pytest.fixture
def counting(store: SqliteStore) -> SqliteStore:
    """With a table that counts what was written, in the database's own file, and no thread yet."""
    with store.transaction() as db:
        db.run("CREATE TABLE written (count INTEGER)")
        db.run("INSERT INTO written VALUES (0)")
    store.close()
    assert threads() == []
    return store


def test_many_commits_are_brought_into_the_database(counting: SqliteStore) -> None:
    write(counting, EVERY - 1)
    assert (in_database(counting), threads()) == (0, [])
    write(counting, 1)
    assert eventually(lambda: in_database(counting) == EVERY)


def test_transactions_that_share_a_commit_count_each(counting: SqliteStore) -> None:
    with counting.together():
        write(counting, EVERY // 2)
    with counting.together():
        write(counting, EVERY // 2)
    assert eventually(lambda: in_database(counting) == EVERY)


def test_who_reads_an_older_state_holds_up_no_commit_and_the_next_checkpoint_brings_all(counting: SqliteStore) -> None:
    with closing(sqlite3.connect(counting.path, isolation_level=None)) as reader:
        write(counting, EVERY // 2)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count FROM written").fetchone() == (EVERY // 2,)
        write(counting, EVERY)
        assert in_database(counting) == 0, "what the reader sees must stay"
        assert reader.execute("SELECT count FROM written").fetchone() == (EVERY // 2,)
        reader.execute("ROLLBACK")
        write(counting, EVERY)
        assert eventually(lambda: in_database(counting) > EVERY)


def coming_meanwhile(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """So many transactions are written while the next checkpoint is made: too late for it."""
    lent, meanwhile = store._checkpoints._lent, iter([times])

    class Busy:
        def __init__(self, db: Rows) -> None:
            self._db = db

        def one(self, sql: str) -> Row | None:
            row = self._db.one(sql)
            write(store, next(meanwhile, 0))
            return row

    @contextmanager
    def busy() -> Iterator[Rows]:
        with lent() as db:
            yield cast(Rows, Busy(db))

    monkeypatch.setattr(store._checkpoints, "_lent", busy)


@pytest.mark.parametrize("times", [1, FEW])
def test_the_few_that_come_during_a_checkpoint_are_brought_in_too(
    counting: SqliteStore, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    coming_meanwhile(counting, monkeypatch, times)
    write(counting, EVERY)
    assert eventually(lambda: in_database(counting) == EVERY + times)


def test_many_that_come_during_a_checkpoint_are_left_to_the_next(
    counting: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming_meanwhile(counting, monkeypatch, FEW + 1)
    write(counting, EVERY)
    assert eventually(lambda: in_database(counting) == EVERY)
    counting._checkpoints.close()  # waits until it is over
    assert in_database(counting) == EVERY


class Slow:
    """A database whose log has `length` pages, none of which a reader lets in; what is `done` to it goes on when it
    may."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.done: list[str] = []
        self.begun, self.go_on, self.is_over = threading.Event(), threading.Event(), threading.Event()
        self.checkpoints = Checkpoints(lambda: nullcontext(cast(Rows, self)), self._paused)

    def one(self, sql: str) -> Row:
        self.done.append("checkpoint")
        self.begun.set()
        self.go_on.wait(PATIENCE_S)
        return cast(Row, (0, self._length, 0))

    @contextmanager
    def _paused(self) -> Iterator[None]:
        self.done.append("pause")
        yield
        self.is_over.set()

    def write_during_a_checkpoint(self, transactions: int) -> list[str]:
        """What is done until nobody had to wait any more."""
        self.checkpoints.wrote(EVERY)
        self.begun.wait(PATIENCE_S)
        self.checkpoints.wrote(transactions)
        self.go_on.set()
        assert self.is_over.wait(PATIENCE_S)
        self.checkpoints.close()
        return self.done


def test_so_many_that_the_next_is_due_are_left_to_it() -> None:
    assert Slow(LONG).write_during_a_checkpoint(EVERY) == ["checkpoint", "checkpoint", "pause", "checkpoint"]


@pytest.mark.parametrize("transactions", [FEW + 1, EVERY, EVERY + FEW])
def test_a_log_that_has_become_long_is_brought_in_while_nobody_writes_and_only_once(transactions: int) -> None:
    assert Slow(LONG + 1).write_during_a_checkpoint(transactions) == ["checkpoint", "pause", "checkpoint"]


def test_closing_while_all_is_brought_in_waits_for_it_and_no_longer() -> None:
    slow = Slow(LONG + 1)
    slow.checkpoints.wrote(EVERY)
    slow.begun.wait(PATIENCE_S)
    closing_thread = threading.Thread(target=slow.checkpoints.close)
    closing_thread.start()
    assert eventually(lambda: slow.checkpoints._is_over)
    slow.go_on.set()
    closing_thread.join(PATIENCE_S)
    assert not closing_thread.is_alive()
    assert threads() == []


def test_a_checkpoint_that_fails_for_whatever_reason_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(0)
    slow.go_on.set()
    failing = iter([MemoryError("no room")])

    def one(sql: str) -> Row:
        if error := next(failing, None):
            raise error
        return Slow.one(slow, sql)

    slow.one = one  # type: ignore[method-assign]
    slow.checkpoints.wrote(EVERY)
    assert eventually(lambda: "no room" in caplog.text)
    slow.checkpoints.wrote(EVERY)
    assert slow.is_over.wait(PATIENCE_S)
    slow.checkpoints.close()


def test_nobody_writes_while_what_came_last_is_brought_in(counting: SqliteStore) -> None:
    with counting._writer.paused():
        writing = threading.Thread(target=write, args=(counting, 1))
        writing.start()
        writing.join(0.1)
        assert writing.is_alive()
    writing.join(PATIENCE_S)
    with counting.read() as db:
        assert db.one("SELECT count FROM written") == (1,)


def test_closing_ends_the_thread_and_the_next_commits_begin_anew(counting: SqliteStore) -> None:
    for _ in range(3):
        write(counting, EVERY)
        (thread,) = threads()
        assert thread.daemon, "who ends without closing must not wait for it"
        counting.close()
        assert threads() == []


def test_closing_waits_for_a_checkpoint_that_is_being_made() -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    @contextmanager
    def lent() -> Iterator[Rows]:
        begun.set()
        go_on.wait(PATIENCE_S)
        yield cast(Rows, Mock())

    checkpoints = Checkpoints(lent, nullcontext)
    checkpoints.wrote(EVERY)
    begun.wait(PATIENCE_S)

    def close() -> None:
        checkpoints.close()
        closed.set()

    closing_thread = threading.Thread(target=close)
    closing_thread.start()
    assert not closed.wait(0.1)
    go_on.set()
    closing_thread.join(PATIENCE_S)
    assert closed.is_set()


def test_one_that_fails_is_logged_and_the_next_is_made(
    counting: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lent, fails = counting._checkpoints._lent, iter([True])

    @contextmanager
    def failing() -> Iterator[Rows]:
        if next(fails, False):
            raise StoreError("The disk has failed.")
        with lent() as db:
            yield db

    monkeypatch.setattr(counting._checkpoints, "_lent", failing)
    with caplog.at_level(logging.WARNING):
        write(counting, EVERY)
        assert eventually(lambda: "The disk has failed." in caplog.text)
    assert in_database(counting) == 0
    write(counting, EVERY)
    assert eventually(lambda: in_database(counting) == 2 * EVERY)


def test_where_no_thread_can_be_started_commits_go_on(counting: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        write(counting, 2 * EVERY)
    assert in_database(counting) == 0
    write(counting, EVERY)
    assert eventually(lambda: in_database(counting) == 3 * EVERY)


def test_a_forked_child_has_a_thread_of_its_own(counting: SqliteStore) -> None:
    write(counting, EVERY)
    assert eventually(lambda: in_database(counting) == EVERY)
    parents, their_bell = counting._checkpoints._thread, counting._checkpoints._due
    counting._checkpoints.abandon()
    write(counting, EVERY)
    assert eventually(lambda: in_database(counting) == 2 * EVERY)
    assert counting._checkpoints._thread is not parents
    counting._checkpoints.close()
    assert threads() == [parents]
    their_bell.set()  # it sees that it is over
    assert eventually(lambda: threads() == [])
