"""One server to a database, and none on a damaged one."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from checkout.errors import Damaged, StoreError
from checkout.interfaces import Store
from checkout.store import guard
from checkout.store.guard import Lock


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "checkout.db"


@pytest.fixture
def written(place: Path) -> Path:
    """The lock file, held by this process as a stranger holds it."""
    return place.with_name("checkout.db.lock")


class Stranger:
    """Another server: a lock of its own on the same file."""

    def __init__(self, path: Path, process: int, operation: int = fcntl.LOCK_SH) -> None:
        path.write_text(f"{process}\n")
        self.file = os.open(path, os.O_RDWR)
        fcntl.flock(self.file, operation)

    def close(self) -> None:
        os.close(self.file)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


def test_the_holder_writes_its_number_where_only_the_owner_reads(place: Path, written: Path) -> None:
    with closing(Lock(place)):
        assert written.read_text() == f"{os.getpid()}\n"
        assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_a_second_server_is_refused_at_once_by_number(place: Path, written: Path, sleeps: list[float]) -> None:
    with closing(Stranger(written, os.getppid())), pytest.raises(StoreError, match=rf"process {os.getppid()}\)"):
        Lock(place)
    assert sleeps == []


def test_a_lock_that_was_given_back_is_free(place: Path) -> None:
    first = Lock(place)
    first.close()
    first.close()
    Lock(place).close()


def test_what_a_dead_server_left_written_does_not_count(place: Path, written: Path) -> None:
    written.write_text("1\n")
    with closing(Lock(place)):
        assert written.read_text() == f"{os.getpid()}\n"


def test_the_workers_of_a_dead_server_are_waited_for(
    place: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = Stranger(written, _dead())
    monkeypatch.setattr("time.sleep", lambda _: orphan.close())
    Lock(place).close()


def test_workers_that_outlive_their_server_for_long_are_named(
    place: Path, written: Path, sleeps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with closing(Stranger(written, _dead())), pytest.raises(StoreError, match="stop it first"):
        Lock(place)
    assert sleeps


def test_the_workers_of_one_server_share_the_lock(place: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SimpleNamespace(ppid=os.getppid())
    monkeypatch.setattr(signal, "getsignal", lambda _: SimpleNamespace(__self__=worker))
    with closing(Lock(place)), closing(Lock(place)):
        assert written.read_text() == f"{os.getppid()}\n"


def test_whoever_wants_it_alone_shares_it_with_nobody(place: Path) -> None:
    with closing(Lock(place)), pytest.raises(StoreError):
        Lock(place, alone=True)
    with closing(Lock(place, alone=True)), pytest.raises(StoreError):
        Lock(place)


def test_a_server_that_is_just_taking_it_is_named_too(place: Path, written: Path) -> None:
    with closing(Stranger(written, os.getppid(), fcntl.LOCK_EX)), pytest.raises(StoreError, match=str(os.getppid())):
        Lock(place)


def test_a_sound_database_passes(store: Store) -> None:
    store.check()
    store.guard()
    store.guard()


@pytest.fixture
def file(store: Store, tmp_path: Path) -> Path:
    """The file of `store`."""
    return next(tmp_path.rglob("checkout.db"))


def damage(file: Path) -> bytes:
    """Gives what was there before."""
    sound = file.read_bytes()
    content = bytearray(sound)
    content[4096 * 3 : 4096 * 30] = b"\xff" * (4096 * 27)
    file.write_bytes(content)
    return sound


def test_a_damaged_page_is_found_at_the_start(store: Store, file: Path) -> None:
    damage(file)
    with pytest.raises(Damaged, match="checkout restore FILE"):
        store.guard()


def test_a_large_file_is_read_after_the_start_and_before_the_next_one(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "CHECKED_AT_START", file.stat().st_size - 1)
    sound = damage(file)
    store.guard()
    store.expect_sound()
    with pytest.raises(Damaged, match="is damaged"):
        store.check_rest()
    with pytest.raises(Damaged, match="checkout restore FILE"):
        store.expect_sound()
    with pytest.raises(Damaged, match="is damaged"):
        store.guard()
    file.write_bytes(sound)
    store.guard()
    store.expect_sound()


def test_what_was_read_at_the_start_is_not_read_again(store: Store, file: Path) -> None:
    store.guard()
    damage(file)
    store.check_rest()


def test_a_large_file_is_read_once(store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CHECKED_AT_START", 0)
    store.guard()
    store.check_rest()
    damage(file)
    store.check_rest()


def test_a_file_that_cannot_be_opened_now_is_not_called_damaged(tmp_path: Path) -> None:
    place = tmp_path / "checkout.db"
    place.mkdir()
    with pytest.raises(StoreError, match="cannot be read") as caught:
        guard.examine(place)
    assert not isinstance(caught.value, Damaged)
    assert [path.name for path in tmp_path.iterdir()] == ["checkout.db"]


def test_looking_at_a_copy_leaves_nothing_beside_it(tmp_path: Path) -> None:
    copy = tmp_path / "copy ?#%.db"
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
    guard.check(copy, alone=True)
    assert list(tmp_path.iterdir()) == [copy]


def _dead() -> int:
    """The number of a process that has ended."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    return child
