"""Transactions that come at the same time share a commit, and each is still all or nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkout.errors import StoreError
from checkout.store.writer import Writer


class Disk:
    """A connection that counts its commits, and fails one when told to."""

    def __init__(self, path: Path) -> None:
        self.real = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.commits = 0
        self.fails = False

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
        if sql == "COMMIT":
            if self.fails:
                raise sqlite3.OperationalError("database or disk is full")
            self.commits += 1
        return self.real.execute(sql, values)  # type: ignore[arg-type]

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "t.db")
    made.real.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    yield made
    made.close()


def writer_on(disk: Disk, wrote: Callable[[int], object] = lambda transactions: None) -> Writer:
    return Writer(lambda: disk, lambda error: StoreError(str(error)), wrote=wrote)  # type: ignore[arg-type, return-value]


@pytest.fixture
def writer(disk: Disk) -> Writer:
    return writer_on(disk)


def behind_each_other(writer: Writer, works: list[Callable[[sqlite3.Connection], None]]) -> list[BaseException | None]:
    """Runs each work in a thread of its own; all of them wait while the first one is inside. What each raised."""
    outcomes: list[BaseException | None] = [None] * len(works)
    inside, go_on = threading.Event(), threading.Event()

    def run(place: int) -> None:
        try:
            with writer.transaction() as connection:
                if not place:
                    inside.set()
                    go_on.wait(10)
                works[place](connection)
        except BaseException as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    threads[0].start()
    inside.wait(10)
    for thread in threads[1:]:
        thread.start()
    while writer._turns._waiting < len(works) - 1:
        pass
    go_on.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return outcomes


def insert(number: int) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (?)", (number,))

    return work


def insert_and_fail(number: int) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        insert(number)(connection)
        raise ValueError(number)

    return work


def kept(disk: Disk) -> list[int]:
    return [number for (number,) in disk.real.execute("SELECT n FROM t ORDER BY n")]


def test_those_that_wait_behind_each_other_share_one_commit(writer: Writer, disk: Disk) -> None:
    assert behind_each_other(writer, [insert(number) for number in range(8)]) == [None] * 8
    assert kept(disk) == list(range(8))
    assert disk.commits == 1


def test_one_that_comes_alone_commits_at_once(writer: Writer, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_commit_for", None)  # what is called when nobody has for a while
    for number in range(3):
        with writer.transaction() as connection:
            insert(number)(connection)
    assert disk.commits == 3


def test_each_commit_says_how_many_transactions_it_had(disk: Disk) -> None:
    wrote: list[int] = []
    writer = writer_on(disk, wrote.append)
    behind_each_other(writer, [insert(number) for number in range(3)])
    writer.run(insert(3))
    assert wrote == [3, 1]
    disk.fails = True
    with pytest.raises(StoreError):
        writer.run(insert(4))
    assert wrote == [3, 1]


@pytest.mark.parametrize("failing", range(4))
def test_one_that_fails_is_undone_alone(writer: Writer, disk: Disk, failing: int) -> None:
    works = [insert_and_fail(number) if number == failing else insert(number) for number in range(4)]
    outcomes = behind_each_other(writer, works)
    assert [number for number, outcome in enumerate(outcomes) if outcome is not None] == [failing]
    assert kept(disk) == [number for number in range(4) if number != failing]


def test_all_can_fail_and_nothing_stays_open(writer: Writer, disk: Disk) -> None:
    outcomes = behind_each_other(writer, [insert_and_fail(number) for number in range(4)])
    assert all(isinstance(outcome, ValueError) for outcome in outcomes)
    assert kept(disk) == []
    assert not disk.in_transaction


def test_one_that_fails_for_what_it_saw_is_told_so_only_when_that_is_on_the_disk(
    writer: Writer, disk: Disk, tmp_path: Path
) -> None:
    seen: list[list[tuple[int]]] = []

    def refuse_the_second(connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM t WHERE n = 1").fetchone():
            raise KeyError("there is one already")
        insert(1)(connection)

    def run() -> None:
        try:
            with writer.transaction() as connection:
                refuse_the_second(connection)
        except KeyError:
            with sqlite3.connect(tmp_path / "t.db") as reader:
                seen.append(reader.execute("SELECT n FROM t").fetchall())
            reader.close()

    for _ in range(50):
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [[(1,)]] * 3
        seen.clear()
        disk.real.execute("DELETE FROM t")


def test_when_the_commit_fails_nobody_is_told_of_success(writer: Writer, disk: Disk) -> None:
    disk.fails = True
    outcomes = behind_each_other(writer, [insert(number) for number in range(5)])
    assert all(isinstance(outcome, StoreError) for outcome in outcomes)
    disk.fails = False
    assert kept(disk) == []
    with writer.transaction() as connection:
        insert(7)(connection)
    assert kept(disk) == [7]


def test_when_the_database_undoes_everything_the_members_before_hear_of_it(writer: Writer, disk: Disk) -> None:
    def lose_everything(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    outcomes = behind_each_other(writer, [insert(1), lose_everything, insert(3)])
    assert isinstance(outcomes[1], sqlite3.OperationalError | StoreError)
    survivors = [number for number, place in ((1, 0), (3, 2)) if outcomes[place] is None]
    assert kept(disk) == survivors
    assert any(isinstance(outcome, StoreError) for outcome in outcomes)


def test_should_the_one_who_was_to_commit_vanish_the_members_commit_themselves(writer: Writer, disk: Disk) -> None:
    writer._turns._waiting = 1  # somebody who never comes
    with writer.transaction() as connection:
        insert(1)(connection)
    assert kept(disk) == [1]
    assert disk.commits == 1


def test_closing_commits_what_is_open(writer: Writer, disk: Disk, tmp_path: Path) -> None:
    writer._turns._waiting = 1
    done = threading.Event()

    def write() -> None:
        with writer.transaction() as connection:
            insert(1)(connection)
        done.set()

    threading.Thread(target=write).start()
    while writer._commits.group is None or not writer._commits.group.size:
        pass
    writer.close()
    assert done.wait(10)
    with sqlite3.connect(tmp_path / "t.db") as other:
        assert other.execute("SELECT n FROM t").fetchall() == [(1,)]
    other.close()
