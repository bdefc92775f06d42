"""The processes of one server write in turns, and who waits is next."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from checkout.errors import StoreError
from checkout.store import preferences, turnstile
from checkout.store.sqlite import SqliteStore
from checkout.store.turnstile import Turnstile
from tests.store.test_writer import insert, insert_and_fail
from tests.store.test_writer_failures import Bench

_OTHER = """
import os, sys
from checkout.store.turnstile import Turnstile
other = Turnstile(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT))
other.enter()
print("in", flush=True)
sys.stdin.readline()
other.leave()
print("out", flush=True)
sys.stdin.readline()
"""


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Enters by itself, and leaves when it reads a line."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", _OTHER, str(path)], text=True, **pipes) as other:  # type: ignore[call-overload]
        try:
            yield other
        finally:
            other.kill()


def heard(other: subprocess.Popen[str]) -> str:
    assert other.stdout is not None
    return other.stdout.readline().strip()


def let_leave(other: subprocess.Popen[str]) -> None:
    assert other.stdin is not None
    other.stdin.write("\n")
    other.stdin.flush()
    assert heard(other) == "out"


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def test_the_one_that_has_just_written_lets_the_one_that_waits_go_first(tmp_path: Path, file: int) -> None:
    ours, order = Turnstile(file), list[str]()

    def enter() -> None:
        ours.enter()
        order.append("ours")

    ours.enter()
    with another_process(tmp_path / "lock") as other:
        while not is_taken(file, turnstile.GATE):
            pass
        ours.leave()
        again = in_a_thread(enter)
        assert heard(other) == "in"
        assert order == []
        let_leave(other)
        again.join(60)
        assert order == ["ours"]
    ours.leave()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path, file: int) -> None:
    with another_process(tmp_path / "lock") as other:
        assert heard(other) == "in"
    Turnstile(file).enter()
    Turnstile(file).leave()


def test_a_server_waits_for_its_other_process_and_other_programs_do_not(tmp_path: Path) -> None:
    server, program = SqliteStore(str(tmp_path / "t.db")), SqliteStore(str(tmp_path / "t.db"))
    server.guard()
    with another_process(tmp_path / "t.db.lock") as other:
        assert heard(other) == "in"
        waiting = in_a_thread(lambda: server.locked(lambda _: None, note("server")))
        program.locked(lambda _: None, note("program"))
        waiting.join(0.5)
        assert noted(program) == ["program"]
        let_leave(other)
        waiting.join(60)
    assert noted(program) == ["program", "server"]
    server.close()
    server.locked(lambda _: None, note("closed"))
    assert noted(program) == ["closed", "program", "server"]
    server.close()
    program.close()


def test_while_the_last_of_the_log_is_brought_in_the_other_process_waits(tmp_path: Path, file: int) -> None:
    bench = Bench(tmp_path)
    bench.writer.turnstile = Turnstile(file)
    with another_process(tmp_path / "lock") as other:
        with bench.writer.paused():
            waiting = in_a_thread(lambda: heard(other))
            waiting.join(0.5)
            assert waiting.is_alive()
        waiting.join(60)
        assert not waiting.is_alive()
        let_leave(other)
    bench.writer.close()


@pytest.mark.parametrize("fails", [[], ["BEGIN IMMEDIATE"], ["COMMIT"], ["COMMIT", "ROLLBACK"]])
@pytest.mark.parametrize("work", [insert, insert_and_fail])
def test_whatever_becomes_of_a_transaction_the_next_process_can_enter(
    tmp_path: Path, file: int, fails: list[str], work: Callable[[int], Callable[..., None]]
) -> None:
    bench = Bench(tmp_path)
    bench.writer.turnstile = Turnstile(file)
    bench.disk.fails += fails
    for number in range(2):
        with suppress(StoreError, ValueError):
            bench.writer.run(work(number))
        with suppress(StoreError, ValueError), bench.writer.transaction() as connection:
            work(number + 10)(connection)
    with another_process(tmp_path / "lock") as other:
        assert heard(other) == "in"
    bench.writer.close()


def test_who_cannot_begin_lets_the_next_process_enter_at_once(tmp_path: Path, file: int) -> None:
    bench = Bench(tmp_path)
    bench.writer.turnstile = Turnstile(file)
    bench.disk.fails.append("BEGIN IMMEDIATE")
    with pytest.raises(StoreError):
        bench.write(1)
    with another_process(tmp_path / "lock") as other:
        assert heard(other) == "in"
    bench.writer.close()


def test_a_forked_child_stands_at_the_turnstile_of_its_parent(tmp_path: Path, file: int) -> None:
    bench = Bench(tmp_path)
    bench.writer.turnstile = parents = Turnstile(file)
    bench.writer.abandon()
    assert bench.writer.turnstile is parents


def test_a_file_that_cannot_be_locked_stops_nobody(tmp_path: Path, file: int) -> None:
    closed = os.dup(file)
    os.close(closed)
    Turnstile(closed).enter()
    Turnstile(closed).leave()


def is_taken(file: int, place: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except OSError:
        return True
    fcntl.lockf(file, fcntl.LOCK_UN, 1, place)
    return False


def note(name: str) -> Callable[..., None]:
    return lambda db, _: preferences.put(db, name, "1", 0)


def noted(store: SqliteStore) -> list[str]:
    with store.read() as db:
        return sorted(preferences.all_of(db))
