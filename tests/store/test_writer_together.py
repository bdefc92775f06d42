"""One thread does much in one commit: it has its results early, and nothing counts before the commit."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from checkout.errors import Refusal, StoreError
from checkout.store.sqlite import SqliteStore
from tests.store.test_writer import insert, insert_and_fail
from tests.store.test_writer_failures import Bench
from tests.store.test_writer_pieces import thread_of


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def write_three(bench: Bench, order: list[str]) -> None:
    with bench.writer.together():
        for number in range(3):
            bench.writer.run(insert(number))
            bench.writer.afterwards(lambda: order.append("done"), lambda: order.append("undone"))


def test_all_of_it_has_one_commit_and_is_told_of_after_it(bench: Bench) -> None:
    order: list[str] = []
    with bench.writer.together():
        bench.writer.run(insert(1))
        assert bench.kept() == []
        bench.writer.afterwards(lambda: order.append(f"{bench.kept()}"), lambda: order.append("undone"))
        bench.writer.run(insert(2))
    assert bench.kept() == [1, 2]
    assert order == ["[1, 2]"]
    assert bench.disk.said.count("COMMIT") == 1


def test_outside_of_it_what_waits_for_the_commit_has_waited_enough(bench: Bench) -> None:
    order: list[str] = []
    bench.writer.run(insert(1))
    bench.writer.afterwards(lambda: order.append("done"), lambda: order.append("undone"))
    assert order == ["done"]


def test_one_that_fails_is_undone_alone_and_raises_at_once(bench: Bench) -> None:
    with bench.writer.together():
        bench.writer.run(insert(1))
        with pytest.raises(ValueError, match="2"):
            bench.writer.run(insert_and_fail(2))
        bench.writer.run(insert(3))
    assert bench.kept() == [1, 3]


def test_one_that_fails_before_the_others_takes_nobody_with_it(bench: Bench) -> None:
    with bench.writer.together():
        for number in (1, 2):
            with pytest.raises(ValueError, match=str(number)):
                bench.writer.run(insert_and_fail(number))
        for number in (3, 4):
            bench.writer.run(insert(number))
    assert bench.kept() == [3, 4]
    assert bench.disk.said.count("COMMIT") == 1


def test_when_the_commit_fails_nothing_was_done_and_nothing_is_told(bench: Bench) -> None:
    order: list[str] = []
    bench.write(9)
    bench.disk.fails = ["COMMIT"]
    with pytest.raises(StoreError, match="Translated: disk I/O error"):
        write_three(bench, order)
    assert order == ["undone"] * 3
    assert bench.kept() == [9]
    write_three(bench, order)
    assert order[3:] == ["done"] * 3
    assert bench.kept() == [0, 1, 2, 9]


def test_a_database_that_does_not_begin_is_waited_for_once(bench: Bench) -> None:
    bench.write(9)
    bench.disk.fails = ["BEGIN IMMEDIATE"]
    with bench.writer.together():
        for number in range(3):
            with pytest.raises(StoreError, match="Translated"):
                bench.writer.run(insert(number))
    assert bench.disk.said.count("BEGIN IMMEDIATE") == 2
    bench.write(3)
    assert bench.kept() == [3, 9]


def test_who_comes_meanwhile_waits_for_such_a_database_by_himself(bench: Bench) -> None:
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(bench.writer.run(thread_of)))
    bench.disk.fails = ["BEGIN IMMEDIATE"]
    with bench.writer.together():
        with pytest.raises(StoreError, match="Translated"):
            bench.writer.run(insert(1))
        other.start()
        while not bench.writer._turns._pieces:
            pass
    other.join(10)
    assert found == [other.ident]
    assert bench.kept() == [1]


@pytest.mark.parametrize("failing", ["SAVEPOINT member", "RELEASE member"])
def test_after_a_group_that_has_ended_early_nothing_joins_another(bench: Bench, failing: str) -> None:
    """All of it must be on the disk, or nothing."""
    bench.write(9)
    bench.disk.fails = [failing, "ROLLBACK TO member"]
    outcomes: list[str] = []
    try:
        with bench.writer.together():
            for number in range(4):
                try:
                    bench.writer.run(insert(number))
                    outcomes.append("done")
                except StoreError:
                    outcomes.append("refused")
    except StoreError:
        outcomes.append("all undone")
    kept = [number for number in bench.kept() if number != 9]
    assert outcomes[:2] == ["done", "refused"]
    assert kept == ([] if outcomes[-1] == "all undone" else [0])
    assert outcomes[2:4] == ["refused", "refused"]


def test_others_wait_until_it_is_over_and_what_they_hand_in_shares_its_commit(bench: Bench) -> None:
    others: list[threading.Thread] = []
    with bench.writer.together():
        bench.writer.run(insert(1))
        for number in (2, 3):
            others.append(threading.Thread(target=bench.writer.run, args=(insert(number),)))
            others[-1].start()
        while len(bench.writer._turns._pieces) < 2:
            pass
        assert bench.kept() == []
    for other in others:
        other.join(10)
        assert not other.is_alive()
    assert bench.kept() == [1, 2, 3]
    assert bench.disk.said.count("COMMIT") == 1


def test_two_threads_do_theirs_one_after_the_other(bench: Bench) -> None:
    def much(first: int) -> None:
        with bench.writer.together():
            for number in range(first, first + 50):
                bench.writer.run(insert(number))

    threads = [threading.Thread(target=much, args=(first,)) for first in (0, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert bench.kept() == list(range(100))


def test_what_is_raised_inside_does_not_keep_what_was_done_before(bench: Bench) -> None:
    with suppress(KeyError), bench.writer.together():
        bench.writer.run(insert(1))
        raise KeyError
    bench.write(2)
    assert bench.kept() == [1, 2]


def test_one_that_cannot_be_told_does_not_keep_the_others_from_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []
    with bench.writer.together():
        bench.writer.run(insert(1))
        bench.writer.afterwards(lambda: 1 // 0, lambda: None)
        bench.writer.afterwards(lambda: told.append(1), lambda: None)
    assert told == [1]
    assert "ZeroDivisionError" in caplog.text


def test_a_transaction_of_its_own_cannot_begin_in_it(bench: Bench) -> None:
    with bench.writer.together():
        bench.writer.run(insert(1))
        with pytest.raises(StoreError, match="within a transaction"), bench.writer.transaction():
            pass
        with pytest.raises(StoreError, match="within a transaction"), bench.writer.together():
            pass
    assert bench.kept() == [1]


def test_nothing_is_written_when_nothing_is_run(bench: Bench) -> None:
    told: list[int] = []
    with bench.writer.together():
        bench.writer.afterwards(lambda: told.append(1), lambda: None)
    assert told == [1]
    assert bench.disks == []


def test_a_store_whose_file_was_moved_refuses_all_of_it(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "c.db"))
    with store.transaction():
        pass
    (tmp_path / "c.db").rename(tmp_path / "moved.db")
    refused: list[BaseException] = []
    with store.together():
        for _ in range(2):
            try:
                store.locked(lambda db: None, lambda db, turn: db.run("DELETE FROM orders"))
            except (StoreError, Refusal) as error:
                refused.append(error)
    assert len(refused) == 2
    assert "moved, removed or replaced" in str(refused[0])
    store.close()


def test_a_connection_that_memory_runs_out_for_ends_it(bench: Bench) -> None:
    bench.write(9)
    bench.disk.error = MemoryError()
    bench.disk.fails = ["COMMIT"]
    order: list[str] = []
    with pytest.raises(StoreError, match="broken off"):
        write_three(bench, order)
    assert order == ["undone"] * 3
    assert bench.kept() == [9]
    assert not isinstance(bench.disk.error, sqlite3.Error)
