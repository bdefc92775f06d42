"""Transactions that are handed in: whichever thread has the turn does them, and each is still all or nothing."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from checkout.errors import StoreError
from checkout.store import pieces
from checkout.store.commits import MOST_IN_A_COMMIT
from checkout.store.pieces import Piece
from checkout.store.writer import Writer
from tests.store.test_writer import insert, insert_and_fail
from tests.store.test_writer_failures import Bench

Work = Callable[[sqlite3.Connection], object]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def handed_in(writer: Writer, works: list[Work]) -> list[object]:
    """Hands in each work by a thread of its own while this one has the turn; what each got or raised."""
    outcomes: list[object] = [None] * len(works)

    def run(place: int) -> None:
        try:
            outcomes[place] = writer.run(works[place])
        except BaseException as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    with writer.alone():
        for place, thread in enumerate(threads):
            thread.start()
            while len(writer._turns._pieces) <= place:
                pass
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return outcomes


def thread_of(connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO t SELECT coalesce(max(n), 0) + 1 FROM t")
    return threading.get_ident()


def test_one_thread_does_what_many_have_handed_in_with_one_commit(bench: Bench) -> None:
    outcomes = handed_in(bench.writer, [thread_of] * 8)
    assert len(set(outcomes)) == 1
    assert bench.kept() == list(range(1, 9))
    assert bench.disk.said.count("COMMIT") == 1


def test_one_that_comes_while_others_are_done_shares_their_commit(bench: Bench) -> None:
    late = threading.Thread(target=bench.writer.run, args=(insert(2),))

    def slow(connection: sqlite3.Connection) -> None:
        insert(1)(connection)
        late.start()
        while not bench.writer._turns._pieces:
            pass

    bench.writer.run(slow)
    assert bench.kept() == [1, 2]
    late.join(60)
    assert not late.is_alive()
    assert bench.disk.said.count("COMMIT") == 1


def test_one_that_comes_alone_is_done_by_its_own_thread_and_needs_no_savepoint(bench: Bench) -> None:
    assert bench.writer.run(thread_of) == threading.get_ident()
    assert bench.disk.said.count("SAVEPOINT member") == 0
    assert bench.kept() == [1]


def test_who_waits_for_a_turn_follows_until_they_have_it(bench: Bench) -> None:
    turns = bench.writer._turns
    assert not turns.others_follow()

    def have_a_turn() -> None:
        turns.take()
        turns.give()

    waiting = threading.Thread(target=have_a_turn)
    with turns.apart():
        waiting.start()
        while not turns.others_follow():
            pass
    waiting.join(10)
    assert not waiting.is_alive()
    assert not turns.others_follow()


@pytest.mark.parametrize("failing", range(4))
def test_one_that_fails_is_undone_alone_and_its_own_thread_hears_why(bench: Bench, failing: int) -> None:
    works: list[Work] = [insert_and_fail(number) if number == failing else insert(number) for number in range(4)]
    outcomes = handed_in(bench.writer, works)
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, ValueError)] == [failing]
    assert bench.kept() == [number for number in range(4) if number != failing]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_thread_ends_only_the_one_that_handed_it_in(bench: Bench, error: type[BaseException]) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        insert(2)(connection)
        raise error

    outcomes = handed_in(bench.writer, [insert(1), broken, insert(3)])
    assert [type(one) for one in outcomes] == [type(None), error, type(None)]
    assert bench.kept() == [1, 3]


def test_when_the_commit_fails_nobody_is_told_of_success_or_of_a_refusal(bench: Bench) -> None:
    """A refusal may rest on what another one of the group wrote."""
    bench.disk.fails.append("COMMIT")
    outcomes = handed_in(bench.writer, [insert(1), insert_and_fail(2), insert(3)])
    assert [str(one) for one in outcomes] == ["Translated: disk I/O error"] * 3
    assert len({id(one) for one in outcomes}) == 3
    assert bench.kept() == []
    bench.writer.run(insert(4))
    assert bench.kept() == [4]


def test_when_there_is_no_memory_for_the_commit_nobody_is_told_of_success(bench: Bench) -> None:
    """sqlite3 raises no error of its own then."""
    bench.disk.error = MemoryError()
    bench.disk.fails.append("COMMIT")
    outcomes = handed_in(bench.writer, [insert(1), insert(2), insert(3)])
    assert {type(one) for one in outcomes} <= {StoreError, MemoryError}
    assert bench.kept() == []
    bench.writer.run(insert(4))
    assert bench.kept() == [4]


def test_one_that_cannot_be_undone_for_want_of_memory_is_not_committed_by_others(bench: Bench) -> None:
    bench.disk.error = MemoryError()
    bench.disk.fails.append("ROLLBACK TO member")
    outcomes = handed_in(bench.writer, [insert(1), insert_and_fail(2), insert(3)])
    assert [type(one) for one in outcomes] == [StoreError, StoreError, type(None)]
    assert bench.kept() == [3]


@pytest.mark.parametrize("closes", [False, True])
def test_a_turn_alone_that_fails_wakes_who_has_come_meanwhile(bench: Bench, closes: bool) -> None:
    """Its piece would wait until somebody else comes: perhaps for ever."""
    bench.writer.run(insert(1))
    waiting = threading.Thread(target=bench.writer.run, args=(insert(2),), daemon=True)

    def begin() -> None:
        waiting.start()
        while not bench.writer._turns._pieces:
            pass

    if closes:
        close = bench.disk.close

        def fail() -> None:
            begin()
            close()
            raise sqlite3.OperationalError("unable to close")

        bench.disk.close = fail  # type: ignore[method-assign]
        with pytest.raises(sqlite3.OperationalError):
            bench.writer.close()
    else:
        with suppress(ValueError), bench.writer.alone():
            begin()
            raise ValueError
    waiting.join(60)
    assert not waiting.is_alive()
    assert bench.kept() == [1, 2]


def test_who_commits_for_one_that_has_vanished_wakes_who_has_come_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write(1)
    disk, waits = bench.disk, threading.Event()
    waiting = threading.Thread(target=bench.writer.run, args=(insert(2),), daemon=True)
    run, wait = disk.execute, Piece.wait

    def execute(sql: str, values: object = ()) -> sqlite3.Cursor:
        if sql == "COMMIT" and not waits.is_set():
            waiting.start()
            assert waits.wait(60)
        return run(sql, values)

    def told(piece: Piece[None]) -> None:
        waits.set()
        wait(piece)

    monkeypatch.setattr(Piece, "wait", told)
    disk.execute = execute  # type: ignore[method-assign]
    with bench.writer._turns._turn:
        _, group = bench.writer._commits.join()
    bench.writer._commit_for(group)
    waiting.join(60)
    assert not waiting.is_alive()
    assert bench.kept() == [1, 2]


def test_when_it_cannot_begin_everybody_is_told_at_once(bench: Bench) -> None:
    """Another program may have locked the database: one wait for it is enough."""
    bench.disk.fails.append("BEGIN IMMEDIATE")
    outcomes = handed_in(bench.writer, [insert(1), insert(2), insert(3)])
    assert [str(one) for one in outcomes] == [
        "Translated: disk I/O error",
        *["The transaction was broken off; try again."] * 2,
    ]
    assert all(isinstance(one, StoreError) for one in outcomes)
    assert bench.kept() == []
    bench.writer.run(insert(4))
    assert bench.kept() == [4]


def test_one_of_the_kind_that_takes_the_turn_itself_shares_the_commit(bench: Bench) -> None:
    """It leaves the commit to those who have handed something in while it was at it."""
    others: list[threading.Thread] = []

    with bench.writer.transaction() as connection:
        for number in (2, 3):
            others.append(threading.Thread(target=bench.writer.run, args=(insert(number),)))
            others[-1].start()
        while len(bench.writer._turns._pieces) < 2:
            pass
        insert(1)(connection)
    for one in others:
        one.join(10)
        assert not one.is_alive()
    assert bench.kept() == [1, 2, 3]
    assert bench.disk.said.count("COMMIT") == 1


def test_more_than_a_commit_takes_are_done_in_several(bench: Bench) -> None:
    count = 2 * MOST_IN_A_COMMIT + 1
    assert handed_in(bench.writer, [insert(number) for number in range(count)]) == [None] * count
    assert bench.kept() == list(range(count))
    assert bench.disk.said.count("COMMIT") == 3


def test_a_transaction_within_one_that_was_handed_in_is_refused(bench: Bench) -> None:
    def nested(connection: sqlite3.Connection) -> None:
        insert(1)(connection)
        with pytest.raises(StoreError, match="within a transaction"):
            bench.writer.run(insert(2))
        with pytest.raises(StoreError, match="within a transaction"), bench.writer.transaction():
            pass

    bench.writer.run(nested)
    assert bench.kept() == [1]


def test_whoever_waits_goes_on_after_any_kind_of_turn(bench: Bench) -> None:
    """Both kinds, and turns without a transaction, from many threads at once: nobody is forgotten."""

    def run(first: int) -> None:
        for number in range(first, first + 20):
            bench.writer.run(insert(number))
            bench.write(number + 100)
            with bench.writer.alone():
                pass

    threads = [threading.Thread(target=run, args=(1000 * place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert len(bench.kept()) == 240


@pytest.mark.parametrize(("moment", "so_far"), [(1, []), (2, ["BEGIN IMMEDIATE"])])
def test_who_is_ready_to_write_may_hand_it_in_before_it_begins_and_before_it_is_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, moment: int, so_far: list[str]
) -> None:
    late = threading.Thread(target=bench.writer.run, args=(thread_of,))
    bench.writer.run(thread_of)
    said = bench.disk.said
    said.clear()
    moments = iter(range(1, 10))

    def let_others_run() -> None:
        if next(moments) == moment:
            assert [one for one in said if one in ("BEGIN IMMEDIATE", "COMMIT")] == so_far
            waiting = bench.writer._turns._pieces
            handed_in = len(waiting) + 1
            late.start()
            while len(waiting) < handed_in and late.is_alive():
                pass

    monkeypatch.setattr(pieces, "_let_others_run", let_others_run)
    bench.writer.run(thread_of)
    late.join(60)
    assert not late.is_alive()
    assert bench.kept() == [1, 2, 3]
    assert said.count("COMMIT") == 1


def test_to_let_others_run_gives_up_the_lock_of_python() -> None:
    interval, turns, is_over = sys.getswitchinterval(), 0, False

    def run_when_let() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            os.sched_yield()

    other = threading.Thread(target=run_when_let)
    try:
        sys.setswitchinterval(1000)  # who does not give up the lock keeps it
        other.start()
        before, deadline = turns, time.monotonic() + 10
        while turns == before and time.monotonic() < deadline:
            pieces._let_others_run()
        assert turns > before
    finally:
        is_over = True
        sys.setswitchinterval(interval)
        other.join(60)
