"""The desk answers many with one commit, and nobody is told of what is not on the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from types import SimpleNamespace
from typing import cast

import pytest

from checkout.errors import StoreError
from checkout.inline import need_thread
from checkout.interfaces import Store
from checkout.server.desk import MOST_AT_ONCE, Desk
from checkout.store.commits import MOST_IN_A_COMMIT

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


class Mail:
    """Merchants' answers: `came` are there, and booked with the next commit."""

    def __init__(self, book: Book) -> None:
        self.book, self.bell = book, threading.Semaphore(0)
        self.came: list[str] = []
        self.faults: list[Exception] = []
        self.fails = False
        self.waits: list[float] = []
        self.rung = 0

    def collect(self, timeout_s: float) -> list[str]:
        self.waits.append(timeout_s)
        if self.faults:
            raise self.faults.pop()
        if not self.came:
            self.bell.acquire(timeout=timeout_s)
        came, self.came = self.came, []
        return came

    def replied(self, came: Sequence[str]) -> None:
        if self.fails:
            raise ZeroDivisionError
        self.book.said += came

    def ring(self) -> None:
        self.rung += 1
        self.bell.release()


class Hall:
    """A desk, those who come to it, and what they are told."""

    def __init__(self) -> None:
        self.book, self.told = Book(), SimpleQueue[Served]()
        self.post = Mail(self.book)
        self.go_on = threading.Event()
        self.go_on.set()
        self.follower: str | None = None  # who comes while another is answered
        self.desk: Desk[str, str] = Desk(cast(Store, self.book), self.begin, self.told.put, self.post)

    def begin(self, client: str) -> Callable[[], str]:
        self.go_on.wait(10)
        self.book.said.append(f"reads {client}")
        if client == "foreign":
            need_thread()
        if client == "odd":
            raise ZeroDivisionError
        return partial(self.finish, client)

    def finish(self, client: str) -> str:
        self.book.said.append(client)
        if self.follower:
            follower, self.follower = self.follower, None
            self.desk.take(follower)
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

    def wait_until_idle(self) -> None:
        for _ in range(1000):
            if self.desk._is_idle:
                return
            time.sleep(0.01)


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_those_who_come_together_share_a_commit_and_are_told_after_it(hall: Hall) -> None:
    assert hall.serve("a", "b", "c") == [[("a", "to a"), ("b", "to b"), ("c", "to c")]]
    assert hall.book.said[-5:] == ["begin", "a", "b", "c", "commit"]


def test_all_who_wait_are_read_before_the_database_is_taken(hall: Hall) -> None:
    hall.post.came = ["success"]
    hall.serve("a", "b")
    assert hall.book.said == ["reads a", "reads b", "begin", "success", "a", "b", "commit"]


def test_who_comes_while_others_are_served_shares_their_commit(hall: Hall) -> None:
    hall.follower = "c"
    assert hall.serve("a", "b")[0][:2] == [("a", "to a"), ("b", "to b")]
    assert hall.book.said == ["reads a", "reads b", "begin", "a", "b", "reads c", "c", "commit"]


@pytest.mark.parametrize("who", ["foreign", "odd", "elsewhere", "broken"])
def test_who_needs_a_thread_or_meets_a_fault_is_asked_in_one_and_the_others_are_not(hall: Hall, who: str) -> None:
    assert hall.serve("a", who, "b") == [[("a", "to a"), (who, None), ("b", "to b")]]
    assert (who in hall.book.said) == (who in ("elsewhere", "broken"))


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
    """Where memory is short, whatever is called may fail; without the desk all orders would wait for ever."""
    pauses: list[float] = []
    monkeypatch.setattr("checkout.server.desk.time", SimpleNamespace(sleep=pauses.append))
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


def test_what_merchants_have_answered_is_booked_with_those_who_have_come(hall: Hall) -> None:
    hall.post.came = ["success", "fail"]
    assert hall.serve("a", "b") == [[("a", "to a"), ("b", "to b")]]
    assert hall.book.said[-6:] == ["begin", "success", "fail", "a", "b", "commit"]


def test_who_comes_while_answers_are_booked_shares_their_commit(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    hall.serve("a")
    del hall.book.said[:]
    booked = hall.post.replied

    def slowly(came: Sequence[str]) -> None:
        booked(came)
        hall.desk.take("b")

    monkeypatch.setattr(hall.post, "replied", slowly)
    hall.post.came = ["success"]
    hall.post.ring()
    assert hall.told.get(timeout=10) == [("b", "to b")]
    assert hall.book.said == ["begin", "success", "reads b", "b", "commit"]


def test_what_merchants_have_answered_is_booked_while_nobody_comes(hall: Hall) -> None:
    hall.serve("a")
    del hall.book.said[:]
    hall.post.came = ["success"]
    hall.post.ring()
    for _ in range(1000):
        if "commit" in hall.book.said:
            break
        time.sleep(0.01)
    assert hall.book.said == ["begin", "success", "commit"]
    assert hall.told.empty()


def test_who_comes_while_the_desk_is_idle_rings(hall: Hall) -> None:
    hall.serve("a")
    for name in "bcd":
        time.sleep(0.02)
        hall.desk.take(name)
        assert hall.told.get(timeout=0.9) == [(name, f"to {name}")]


def test_who_comes_while_the_desk_is_at_work_need_not_ring(hall: Hall) -> None:
    hall.serve("a")
    hall.wait_until_idle()
    hall.follower = "c"
    hall.desk.take("b")
    assert hall.told.get(timeout=10) == [("b", "to b"), ("c", "to c")]
    assert hall.post.rung == 1


def test_the_desk_waits_only_where_nobody_has_come(hall: Hall) -> None:
    hall.serve(*(str(number) for number in range(MOST_AT_ONCE + 1)))
    hall.wait_until_idle()
    assert hall.post.waits[:2] == [0, 0]
    hall.desk.take("b")
    assert hall.told.get(timeout=10) == [("b", "to b")]
    assert 0 < hall.post.waits[2] < 10


def test_who_comes_just_before_the_desk_is_idle_is_not_left_waiting(hall: Hall) -> None:
    hall.desk.take("a")
    assert hall.post.rung == 0
    assert hall.desk._patience() == 0


def test_a_post_that_fails_keeps_nobody_waiting(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("checkout.server.desk.time", SimpleNamespace(sleep=pauses.append))
    hall.post.faults = [MemoryError()]
    served = hall.serve("a", "b")
    assert [one for together in served for one in together] == [("a", "to a"), ("b", "to b")]
    assert caplog.text.count("could not collect") == 1
    assert len(pauses) == 1


def test_what_merchants_have_answered_is_booked_alone_where_the_store_cannot_begin(hall: Hall) -> None:
    hall.book.refuses = True
    hall.post.came = ["success"]
    assert hall.serve("a", "b") == [[("a", None), ("b", None)]]
    assert hall.book.said == ["reads a", "reads b", "success"]


def test_answers_that_cannot_be_booked_keep_nobody_waiting(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    hall.post.came, hall.post.fails = ["success"], True
    assert hall.serve("a") == [[("a", "to a")]]
    assert "could not be booked" in caplog.text
