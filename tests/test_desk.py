"""The desk answers many with one commit, and nobody is told of what is not on the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import cast

import pytest

from checkout.desk import MOST_AT_ONCE, Desk
from checkout.errors import StoreError
from checkout.inline import need_thread
from checkout.interfaces import Store
from checkout.store.writer import MOST_IN_A_COMMIT

Served = list[tuple[str, str | None]]


class Book:
    """A store that notes when a commit begins and ends; each may fail."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.fails = False
        self.refuses = False

    @contextmanager
    def together(self) -> Iterator[None]:
        if self.refuses:
            raise StoreError("no")
        self.said.append("begin")
        yield
        self.said.append("commit")
        if self.fails:
            raise StoreError("the disk is full")


class Hall:
    """A desk, those who come to it, and what they are told."""

    def __init__(self) -> None:
        self.book, self.told = Book(), SimpleQueue[Served]()
        self.go_on = threading.Event()
        self.go_on.set()
        self.desk: Desk[str, str] = Desk(cast(Store, self.book), self.answer, self.told.put)

    def answer(self, client: str) -> str:
        self.go_on.wait(10)
        self.book.said.append(client)
        if client == "elsewhere":
            need_thread()
        if client == "broken":
            raise ZeroDivisionError
        return f"to {client}"

    def serve(self, *clients: str) -> list[Served]:
        """They come while the first is looked after."""
        self.go_on.clear()
        for client in clients:
            self.desk.take(client)
        self.desk.start()
        self.go_on.set()
        served: list[Served] = []
        while sum(map(len, served)) < len(clients):
            served.append(self.told.get(timeout=10))
        return served


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_those_who_come_together_share_a_commit_and_are_told_after_it(hall: Hall) -> None:
    assert hall.serve("a", "b", "c") == [[("a", "to a"), ("b", "to b"), ("c", "to c")]]
    assert hall.book.said == ["begin", "a", "b", "c", "commit"]


def test_who_needs_a_thread_or_meets_a_fault_is_asked_in_one_and_the_others_are_not(hall: Hall) -> None:
    assert hall.serve("a", "elsewhere", "broken", "b") == [
        [("a", "to a"), ("elsewhere", None), ("broken", None), ("b", "to b")]
    ]


def test_where_the_commit_fails_everybody_is_asked_again(hall: Hall) -> None:
    hall.book.fails = True
    assert hall.serve("a", "b") == [[("a", None), ("b", None)]]


def test_a_store_that_cannot_begin_loses_nobody_and_the_next_are_served(hall: Hall) -> None:
    hall.book.refuses = True
    assert hall.serve("a") == [[("a", None)]]
    hall.book.refuses = False
    hall.desk.take("b")
    assert hall.told.get(timeout=10) == [("b", "to b")]


def test_a_desk_that_cannot_give_its_answers_back_tries_again_and_serves_the_next(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("checkout.desk.time.sleep", pauses.append)
    """Where memory is short, whatever is called may fail; without the desk all orders would wait for ever."""
    told, failures = hall.told.put, [MemoryError(), RuntimeError()]

    def give_back(served: Served) -> None:
        if failures:
            raise failures.pop()
        told(served)

    hall.desk._give_back = give_back
    assert hall.serve("a", "b") == [[("a", "to a"), ("b", "to b")]]
    assert pauses
    assert all("could not give its answers back" in record.message for record in caplog.records)
    assert len(caplog.records) == len(pauses)


def test_a_server_that_ends_does_not_wait_for_its_desk(hall: Hall) -> None:
    before = set(threading.enumerate())
    hall.desk.start()
    (mine,) = set(threading.enumerate()) - before
    assert (mine.name, mine.daemon) == ("desk", True)


def test_who_comes_to_the_desk_together_fits_into_one_commit() -> None:
    assert MOST_AT_ONCE == MOST_IN_A_COMMIT


def test_a_crowd_does_not_keep_the_first_from_their_commit(hall: Hall) -> None:
    served = hall.serve(*(str(number) for number in range(MOST_AT_ONCE + 1)))
    assert [len(group) for group in served] == [MOST_AT_ONCE, 1]
