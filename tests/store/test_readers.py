"""Who reads on which connection; tests/store/test_sqlite.py tells what is read."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from checkout.errors import StoreError
from checkout.store.readers import KEPT
from checkout.store.sqlite import SqliteStore
from tests.servers import ROOT

MANY = KEPT + 3


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(str(tmp_path / "checkout.db"))


def in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def connections_of(store: SqliteStore, count: int) -> list[object]:
    """Those of that many readings, all open at once."""
    with ExitStack() as stack:
        return [stack.enter_context(store.read())._connection for _ in range(count)]  # type: ignore[attr-defined]


def descriptors(store: SqliteStore) -> int:
    """Those that this process has of the database's files."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(name.startswith(str(store.path)) for name in found)


def test_those_who_read_at_once_read_on_connections_of_their_own(sqlite_store: SqliteStore) -> None:
    seen: set[int] = set()
    lock, all_here = threading.Lock(), threading.Barrier(MANY)

    def look() -> None:
        with sqlite_store.read() as db:
            all_here.wait(60)
            with lock:
                seen.add(id(db._connection))  # type: ignore[attr-defined]
            all_here.wait(60)

    in_threads(look, MANY)
    assert len(seen) == MANY
    sqlite_store.close()


def test_threads_that_read_in_turn_share_one(sqlite_store: SqliteStore) -> None:
    first = connections_of(sqlite_store, 1)
    for _ in range(3):
        in_threads(lambda: first.extend(connections_of(sqlite_store, 1)), 1)
    assert len(first) == 4
    assert len({id(connection) for connection in first}) == 1
    sqlite_store.close()


def test_no_more_are_kept_than_are_needed_later(sqlite_store: SqliteStore) -> None:
    before = connections_of(sqlite_store, MANY)
    assert len(set(before)) == MANY
    again = connections_of(sqlite_store, MANY)
    assert len(set(before) & set(again)) == KEPT
    sqlite_store.close()


def test_a_crowd_of_readers_leaves_no_more_behind_than_the_first_did(sqlite_store: SqliteStore) -> None:
    """SQLite keeps the descriptors of connections that were closed beside others, and opens the next ones with them."""
    with sqlite_store.transaction() as db:
        db.one("SELECT 1 FROM orders")
    before = descriptors(sqlite_store)
    connections_of(sqlite_store, MANY)
    first = descriptors(sqlite_store)
    assert first <= before + MANY + KEPT  # the database of each, the log of writes of those that are kept
    for _ in range(5):
        connections_of(sqlite_store, MANY)
        assert descriptors(sqlite_store) == first
    sqlite_store.close()
    assert descriptors(sqlite_store) == 0


def test_one_that_cannot_be_used_is_closed_at_once(sqlite_store: SqliteStore) -> None:
    """Where descriptors are short, the collector of garbage may come too late."""
    sqlite_store.path.write_bytes(b"no database" * 1000)

    def read() -> None:
        with sqlite_store.read() as db:
            db.one("SELECT 1")

    def write() -> None:
        with sqlite_store.transaction() as db:
            db.one("SELECT 1")

    gc.disable()
    try:
        for work in (read, write):
            for _ in range(3):
                with pytest.raises(StoreError, match="damaged"):
                    work()
            assert descriptors(sqlite_store) == 0, work.__name__
    finally:
        gc.enable()


def test_one_whose_reading_failed_is_lent_again(sqlite_store: SqliteStore) -> None:
    (before,) = connections_of(sqlite_store, 1)
    with pytest.raises(StoreError), sqlite_store.read() as db:
        db.one("SELECT broken")
    assert connections_of(sqlite_store, 1) == [before]
    sqlite_store.close()


def test_one_that_was_closed_while_it_was_lent_is_not_lent_again(sqlite_store: SqliteStore) -> None:
    """It is closed when it is given back: to close it while a thread reads on it would end the process."""
    with sqlite_store.read() as db:
        sqlite_store.close()
        assert db.one("SELECT 1") == (1,)
    with pytest.raises(StoreError):
        db.one("SELECT 1")
    with sqlite_store.read() as again:
        assert again.one("SELECT 1") == (1,)
        assert again._connection is not db._connection  # type: ignore[attr-defined]
    sqlite_store.close()


LOCKING = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)  # what SQLite calls the shared range
"""


def test_to_open_a_database_once_more_drops_no_lock_of_those_who_have_it_open(sqlite_store: SqliteStore) -> None:
    """Without it another program that closes the database removes the log of writes under our connections."""
    path = str(sqlite_store.path)
    with sqlite_store.read() as db:
        db.one("SELECT 1 FROM orders")
        SqliteStore(path).close()
        locking = subprocess.run([sys.executable, "-c", LOCKING, path], capture_output=True, text=True, check=False)
        assert "BlockingIOError" in locking.stderr
    sqlite_store.close()


FORKED = """
import os, sys
from checkout.store.sqlite import SqliteStore
from tests.servers import ROOT
store = SqliteStore(sys.argv[1])
with store.read() as db:
    child = os.fork()
if not child:  # it has left the reading too
    with store.read() as own:
        ours = own._connection is not db._connection
    os._exit(0 if ours and db.one("SELECT 1") == (1,) else 1)
_, status = os.waitpid(child, 0)
with store.read() as again:
    assert again._connection is db._connection
store.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_fork_within_a_reading_leaves_the_parents_connection_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKED, str(tmp_path / "checkout.db")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
