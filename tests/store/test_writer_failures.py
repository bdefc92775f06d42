"""A database that fails at any statement of the writer: nobody is told of success, nobody waits for ever, and the next
transaction works."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from checkout.errors import StoreError
from checkout.store import writer as writers
from checkout.store.commits import MOST_IN_A_COMMIT
from checkout.store.writer import Writer
from tests.store.test_writer import behind_each_other, insert, insert_and_fail


class Disk:
    """A connection that fails the statements in `fails`, each once, and keeps what was said to it."""

    def __init__(self, path: Path) -> None:
        self.real = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.fails: list[str] = []
        self.error: BaseException = sqlite3.OperationalError("disk I/O error")
        self.said: list[str] = []
        self.closes_badly = False

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
        self.said.append(sql)
        if sql in self.fails:
            self.fails.remove(sql)
            raise self.error
        return self.real.execute(sql, values)  # type: ignore[arg-type]

    def close(self) -> None:
        self.real.close()
        if self.closes_badly:
            raise sqlite3.OperationalError("unable to close")


class Bench:
    """A writer over disks of one file, one after the other as they are thrown away."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "t.db"
        self.disks: list[Disk] = []
        self.writer = Writer(self.open, lambda error: StoreError(f"Translated: {error}"))  # type: ignore[arg-type]
        with sqlite3.connect(self.path) as made:
            made.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        made.close()

    def open(self) -> Disk:
        self.disks.append(Disk(self.path))
        return self.disks[-1]

    @property
    def disk(self) -> Disk:
        with self.writer.alone():
            return self.disks[-1]

    def write(self, number: int) -> None:
        with self.writer.transaction() as connection:
            insert(number)(connection)

    def kept(self) -> list[int]:
        """What another connection sees: only what is on the disk."""
        with sqlite3.connect(self.path) as other:
            found = [number for (number,) in other.execute("SELECT n FROM t ORDER BY n")]
        other.close()
        return found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Nobody may rest on being woken by the second look at the group, which is for the worst."""
    monkeypatch.setattr(writers, "_LOOK_AGAIN_S", 60)
    made = Bench(tmp_path)
    yield made
    made.writer.close()


def test_a_transaction_that_cannot_begin_says_so_and_the_next_one_can(bench: Bench) -> None:
    bench.disk.fails.append("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="Translated: disk I/O error"):
        bench.write(1)
    bench.write(2)
    assert bench.kept() == [2]


def test_one_that_cannot_join_a_group_fails_alone(bench: Bench) -> None:
    bench.disk.fails.append("SAVEPOINT member")
    outcomes = behind_each_other(bench.writer, [insert(number) for number in range(3)])
    assert outcomes[0] is None
    assert sorted(isinstance(one, StoreError) for one in outcomes) == [False, False, True]
    assert bench.kept() == [number for number in range(3) if outcomes[number] is None]


def test_one_whose_savepoint_cannot_be_released_is_undone_alone(bench: Bench) -> None:
    bench.disk.fails.append("RELEASE member")
    outcomes = behind_each_other(bench.writer, [insert(number) for number in range(3)])
    assert [str(one) for one in outcomes if one] == ["Translated: disk I/O error"]
    assert bench.kept() == [number for number in range(3) if outcomes[number] is None]
    assert len(bench.kept()) == 2


def test_one_that_cannot_be_undone_alone_takes_its_group_with_it(bench: Bench) -> None:
    bench.disk.fails.append("ROLLBACK TO member")
    outcomes = behind_each_other(bench.writer, [insert(1), insert_and_fail(2)])
    assert isinstance(outcomes[0], StoreError)
    assert isinstance(outcomes[1], StoreError)
    assert bench.kept() == []
    bench.write(3)
    assert bench.kept() == [3]


@pytest.mark.parametrize("fails", [["COMMIT"], ["COMMIT", "ROLLBACK"]])
def test_a_commit_for_which_there_is_no_memory_is_no_success_and_leaves_nothing_open(
    bench: Bench, fails: list[str]
) -> None:
    """sqlite3 raises no error of its own then."""
    bench.disk.error = MemoryError()
    bench.disk.fails += fails
    outcomes = behind_each_other(bench.writer, [insert(1), insert(2)])
    assert [type(one) for one in outcomes] == [StoreError, StoreError]
    assert bench.kept() == []
    bench.write(3)
    assert bench.kept() == [3]


def test_one_that_cannot_be_undone_for_want_of_memory_is_not_committed_by_others(bench: Bench) -> None:
    bench.disk.error = MemoryError()
    bench.disk.fails.append("ROLLBACK TO member")
    outcomes = behind_each_other(bench.writer, [insert(1), insert_and_fail(2), insert(3)])
    assert None not in outcomes[:2]
    assert bench.kept() == [number for number in (1, 3) if outcomes[number - 1] is None]
    bench.write(4)
    assert 2 not in bench.kept()


@pytest.mark.parametrize(("fails", "work"), [("COMMIT", insert), ("ROLLBACK", insert_and_fail)])
def test_who_is_interrupted_while_a_transaction_ends_hears_of_that_and_nothing_stays_open(
    bench: Bench, fails: str, work: Callable[[int], Callable[..., None]]
) -> None:
    bench.disk.error = KeyboardInterrupt()
    bench.disk.fails.append(fails)
    with pytest.raises(KeyboardInterrupt), bench.writer.transaction() as connection:
        work(1)(connection)
    assert bench.kept() == []
    bench.write(2)
    assert bench.kept() == [2]


def test_when_the_database_undoes_everything_the_members_hear_why(bench: Bench) -> None:
    def lose_everything(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise ValueError

    outcomes = behind_each_other(bench.writer, [insert(1), lose_everything])
    assert [str(one) for one in outcomes] == ["The database undid the transaction; try again."] * 2
    assert bench.kept() == []


@pytest.mark.parametrize("closes_badly", [False, True])
def test_a_connection_that_cannot_even_roll_back_is_thrown_away(bench: Bench, closes_badly: bool) -> None:
    disk = bench.disk
    disk.closes_badly = closes_badly
    disk.fails += ["COMMIT", "ROLLBACK"]
    with pytest.raises(StoreError, match="Translated: disk I/O error"):
        bench.write(1)
    bench.write(2)
    assert bench.kept() == [2]
    assert len(bench.disks) == 2
    with pytest.raises(sqlite3.ProgrammingError):
        disk.real.execute("SELECT 1")


def test_a_commit_that_fails_is_rolled_back_on_the_same_connection(bench: Bench) -> None:
    bench.disk.fails.append("COMMIT")
    with pytest.raises(StoreError):
        bench.write(1)
    bench.write(2)
    assert bench.kept() == [2]
    assert len(bench.disks) == 1
    assert bench.disk.said.count("ROLLBACK") == 1


def test_it_is_known_whether_the_last_commit_has_failed(bench: Bench) -> None:
    found = [bench.writer.has_failed]
    bench.disk.fails.append("COMMIT")
    for number in range(2):
        with suppress(StoreError):
            bench.write(number)
        found.append(bench.writer.has_failed)
    assert found == [False, True, False]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_whatever_ends_a_transaction_undoes_it_and_gives_the_turn_on(bench: Bench, error: type[BaseException]) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        insert(1)(connection)
        raise error

    with pytest.raises(error), bench.writer.transaction() as connection:
        broken(connection)
    done = threading.Thread(target=bench.write, args=(2,))
    done.start()
    done.join(10)
    assert not done.is_alive()
    assert bench.kept() == [2]


def test_a_transaction_within_a_transaction_is_refused_and_leaves_the_outer_one_alone(bench: Bench) -> None:
    with bench.writer.transaction() as connection:
        insert(1)(connection)
        with pytest.raises(StoreError, match="within a transaction"), bench.writer.transaction():
            pass
        insert(2)(connection)
    bench.write(3)
    assert bench.kept() == [1, 2, 3]


def test_a_group_is_committed_when_it_is_full(bench: Bench) -> None:
    disk = bench.disk
    count = 2 * MOST_IN_A_COMMIT + 1
    assert behind_each_other(bench.writer, [insert(number) for number in range(count)]) == [None] * count
    assert bench.kept() == list(range(count))
    assert disk.said.count("COMMIT") == 3
    assert disk.said.count("SAVEPOINT member") == count - 3
    assert MOST_IN_A_COMMIT == 32


def test_one_that_fails_waits_until_what_it_saw_is_on_the_disk(bench: Bench) -> None:
    """It may have failed for what it saw of the others."""
    seen: list[list[int]] = []
    inside, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        with pytest.raises(ValueError, match="2"), bench.writer.transaction() as connection:
            insert_and_fail(2)(connection)
        seen.append(bench.kept())

    def hold() -> None:
        with bench.writer.transaction() as connection:
            inside.set()
            go_on.wait(10)
            insert(3)(connection)

    bench.writer._turns._waiting = 1  # somebody who comes below
    first = threading.Thread(target=bench.write, args=(1,))
    first.start()
    while bench.writer._commits.group is None or not bench.writer._commits.group.size:
        pass
    second = threading.Thread(target=fail)
    second.start()
    while "ROLLBACK TO member" not in bench.disks[-1].said:
        pass
    last = threading.Thread(target=hold)
    last.start()
    inside.wait(10)
    bench.writer._turns._waiting = 0
    assert seen == []
    go_on.set()
    for one in (first, second, last):
        one.join(10)
        assert not one.is_alive()
    assert seen == [[1, 3]]


def test_a_member_that_looks_after_its_group_finds_that_somebody_has_committed_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_LOOK_AGAIN_S", 0)
    looks, inside = threading.Event(), threading.Event()

    class Turn:
        """The turn of a writer, which tells when somebody stops to look."""

        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.acquire, self.release = self.lock.acquire, self.lock.release

        def __enter__(self) -> None:
            looks.set()
            inside.wait(10)
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    def insert_when_the_other_looks(connection: sqlite3.Connection) -> None:
        inside.set()
        looks.wait(10)
        insert(2)(connection)

    bench.writer._turns._turn = Turn()  # type: ignore[assignment]
    assert behind_each_other(bench.writer, [insert(1), insert_when_the_other_looks]) == [None, None]
    assert bench.kept() == [1, 2]


def test_when_the_last_in_line_cannot_join_it_commits_what_the_others_left(bench: Bench) -> None:
    bench.disk.fails.append("SAVEPOINT member")
    outcomes = behind_each_other(bench.writer, [insert(1), insert(2)])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], StoreError)
    assert bench.kept() == [1]


def test_no_savepoint_stays_behind_one_that_is_undone(bench: Bench) -> None:
    disk = bench.disk
    outcomes = behind_each_other(bench.writer, [insert(1), insert_and_fail(2), insert(3)])
    assert [type(one) for one in outcomes] == [type(None), ValueError, type(None)]
    assert disk.said.count("SAVEPOINT member") == disk.said.count("RELEASE member") == 2


def test_what_members_have_left_open_is_committed_before_anybody_is_alone(bench: Bench) -> None:
    bench.writer._turns._waiting = 1  # somebody who never comes
    member = threading.Thread(target=bench.write, args=(1,))
    member.start()
    while bench.writer._commits.group is None or not bench.writer._commits.group.size:
        pass
    with bench.writer.alone() as connection:
        assert not connection.in_transaction
        assert bench.kept() == [1]
    member.join(10)
    assert not member.is_alive()


def test_without_a_transaction_there_is_nothing_open(bench: Bench) -> None:
    bench.write(1)
    with bench.writer.alone() as connection:
        assert not connection.in_transaction
        connection.execute("VACUUM")
    bench.write(2)
    assert bench.kept() == [1, 2]


def test_closing_lets_the_connection_go_and_the_next_use_opens_another(bench: Bench) -> None:
    bench.writer.close()
    assert bench.disks == []
    bench.write(1)
    bench.writer.close()
    bench.writer.close()
    with pytest.raises(sqlite3.ProgrammingError):
        bench.disks[0].real.execute("SELECT 1")
    bench.write(2)
    assert (bench.kept(), len(bench.disks)) == ([1, 2], 2)


def test_a_child_lets_the_parent_s_connection_go_untouched(bench: Bench) -> None:
    bench.write(1)
    parents = bench.disks[0]
    parents.said.clear()
    given: object = bench.writer.abandon()
    assert given is parents
    bench.write(2)
    assert (parents.said, len(bench.disks), bench.kept()) == ([], 2, [1, 2])
    parents.close()


def test_a_child_does_not_wait_for_a_turn_of_its_parent(bench: Bench) -> None:
    with bench.writer._turns._turn:
        bench.writer.abandon()
        assert not bench.writer._turns._turn.locked()


def test_an_unused_writer_has_nothing_to_abandon(bench: Bench) -> None:
    assert bench.writer.abandon() is None
