"""The courier has many requests under way at once, and loses none."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from checkout.http.client import Answer, Client, Outgoing, Reason, Unreachable
from checkout.http.steps import READ, Steps, Wait
from checkout.interfaces import Exchange
from checkout.outbox import courier as couriers
from checkout.outbox.courier import Courier, Reply
from tests.loopback import answering, ok, read_request, serving

PATIENCE_S = 10


@pytest.fixture
def courier() -> Courier[str]:
    return opened(Client(allow_private=True, deadline_s=5).exchange)


def opened(exchange: Exchange) -> Courier[str]:
    made: Courier[str] = Courier(exchange)
    made.open()
    return made


def get(port: int, host: str = "127.0.0.1") -> Outgoing:
    return Outgoing("GET", f"http://{host}:{port}/")


def held_until(let_go: threading.Event) -> Callable[[socket.socket], None]:
    """A server that answers then."""

    def answer(sock: socket.socket) -> None:
        read_request(sock)
        let_go.wait(PATIENCE_S)
        sock.sendall(ok())

    return answer


def all_of(courier: Courier[str], count: int) -> dict[str, Reply]:
    came: dict[str, Reply] = {}
    ends = time.monotonic() + PATIENCE_S
    while len(came) < count and time.monotonic() < ends:
        came.update(courier.turn(0.5))
    return came


def test_a_reply_comes_back_with_what_it_is_about(courier: Courier[str]) -> None:
    with serving(answering(ok())) as server:
        courier.carry("a", get(server.port))
        came = all_of(courier, 1)
    assert isinstance(came["a"], Answer)
    assert (came["a"].status, came["a"].body) == (200, b"success")
    assert courier.turn(0) == []


def test_servers_that_hang_delay_no_other(courier: Courier[str]) -> None:
    let_go = threading.Event()
    with serving(held_until(let_go)) as slow, serving(answering(ok())) as quick:
        for number in range(20):
            courier.carry(f"slow {number}", get(slow.port))
        for number in range(20):
            courier.carry(f"quick {number}", get(quick.port))
        came = all_of(courier, 20)
        assert sorted(came) == sorted(f"quick {number}" for number in range(20))
        let_go.set()
        came = all_of(courier, 20)
    assert all(isinstance(reply, Answer) and reply.body == b"success" for reply in came.values())
    assert sorted(came) == sorted(f"slow {number}" for number in range(20))


def test_what_cannot_be_reached_comes_back_with_its_reason(courier: Courier[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    courier.carry("refused", get(port))
    courier.carry("forbidden", Outgoing("GET", "file:///etc/passwd"))
    courier.carry("nothing", None)
    came = all_of(courier, 3)
    assert isinstance(came["refused"], Unreachable)
    assert isinstance(came["forbidden"], Unreachable)
    assert (came["refused"].reason, came["forbidden"].reason) == (Reason.CONNECT, Reason.URL)
    assert came["nothing"] is None


def test_a_server_that_never_answers_is_given_up_a_second_after_its_deadline_at_most() -> None:
    courier = opened(Client(allow_private=True, deadline_s=0.2).exchange)
    over = threading.Event()

    def hang(sock: socket.socket) -> None:
        over.wait(PATIENCE_S)

    with serving(hang) as server:
        began = time.monotonic()
        courier.carry("a", get(server.port))
        came = all_of(courier, 1)
        assert 0.2 <= time.monotonic() - began < 4
        over.set()
    assert isinstance(came["a"], Unreachable)
    assert came["a"].reason == Reason.TIMEOUT


def test_what_is_carried_from_another_thread_ends_the_wait(courier: Courier[str]) -> None:
    threading.Timer(0.05, courier.carry, ("a", None)).start()
    began = time.monotonic()
    courier._look_at = began + 60
    assert courier.turn(10) == [("a", None)]
    assert time.monotonic() - began < 8


def test_a_request_that_ends_in_the_thread_that_carries_it_ends_the_wait() -> None:
    def fails() -> Steps[Answer]:
        yield from ()
        raise Unreachable(Reason.DNS, "no")

    courier = faulty(fails)
    threading.Timer(0.05, courier.carry, ("a", get(1))).start()
    began = time.monotonic()
    courier._look_at = began + 60
    ((about, reply),) = courier.turn(10)
    assert (about, str(reply)) == ("a", "no")
    assert time.monotonic() - began < 8


def test_the_end_ends_the_wait(courier: Courier[str]) -> None:
    threading.Timer(0.05, courier.close).start()
    began = time.monotonic()
    courier._look_at = began + 60
    assert courier.turn(10) == []
    assert time.monotonic() - began < 8


def test_the_bell_itself_is_never_waited_for(courier: Courier[str]) -> None:
    assert not os.get_blocking(courier._bell)
    assert not os.get_blocking(courier._button)


def test_what_was_rung_for_is_over_with_the_turn(courier: Courier[str]) -> None:
    courier.ring()
    assert courier._selector.select(0) != []
    assert courier.turn(0) == []
    assert courier._selector.select(0) == []


def test_what_ends_in_a_turn_needs_no_ringing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair

    def waits() -> Steps[Answer]:
        yield Wait(ours, READ, time.monotonic() + 60)
        return reply

    reply = Answer(200, {}, b"", 0)
    courier = faulty(waits)
    courier.carry("a", get(1))
    theirs.sendall(b".")
    assert courier.turn(0) == [("a", reply)]
    assert courier._selector.select(0) == []


def test_ringing_ends_the_wait_and_ringing_often_does_no_harm(courier: Courier[str]) -> None:
    for _ in range(100_000):
        courier.ring()
    courier._look_at = time.monotonic() + 60
    while courier.turn(0):
        pass
    threading.Timer(0.05, courier.ring).start()
    began = time.monotonic()
    assert courier.turn(10) == []
    assert time.monotonic() - began < 8


def test_of_many_replies_a_few_come_at_a_time(courier: Courier[str]) -> None:
    let_go = threading.Event()
    with serving(held_until(let_go)) as server:
        for number in range(20):
            courier.carry(str(number), get(server.port))
        let_go.set()
        time.sleep(0.5)
        sizes: list[int] = []
        while sum(sizes) < 20:
            sizes.append(len(courier.turn(0.5)))
    assert max(sizes) <= couriers._MOST_AT_ONCE


# How long it waits


class Watch:
    """Stands for the module `time`: what its clock says, and how long the courier would have waited each time."""

    def __init__(self, courier: Courier[str]) -> None:
        self.now, self.waits = 100.0, list[float]()
        self._select = courier._selector.select
        courier._selector.select = self._selected  # type: ignore[method-assign]

    def monotonic(self) -> float:
        return self.now

    def _selected(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None
        self.waits.append(timeout)
        return self._select(0)


def test_it_waits_as_long_as_it_is_told_but_looks_at_deadlines_once_a_second(
    courier: Courier[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(courier)
    monkeypatch.setattr(couriers, "time", watch)
    for now, timeout_s in ((100, 5), (100.25, 5), (100.25, 0.5), (101.5, 5)):
        watch.now = now
        assert courier.turn(timeout_s) == []
    assert watch.waits == [0, 0.75, 0.5, 0]


def test_what_has_come_already_is_not_waited_for(courier: Courier[str], monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(courier)
    monkeypatch.setattr(couriers, "time", watch)
    courier.turn(0)
    courier.carry("a", None)
    assert courier.turn(5) == [("a", None)]
    assert courier.turn(5) == []
    assert watch.waits == [0, 0, 1]


def test_what_is_late_goes_on_with_the_next_look_at_the_deadlines(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on: list[float] = []

    def waits() -> Steps[Answer]:
        for until in (100.5, 102):
            yield Wait(pair[0], READ, until)
            went_on.append(watch.now)
        raise Unreachable(Reason.TIMEOUT, "too late")

    courier = faulty(waits)
    watch = Watch(courier)
    monkeypatch.setattr(couriers, "time", watch)
    courier.carry("a", get(1))
    for now in (100, 100.9, 101, 101.9):
        watch.now = now
        assert courier.turn(0) == []
    assert went_on == [101]
    watch.now = 102
    ((_, reply),) = courier.turn(0)
    assert (went_on, str(reply)) == ([101, 102], "too late")


def carry_many(courier: Courier[str], name: str, port: int) -> None:
    for number in range(25):
        courier.carry(f"{name} {number}", get(port))


def test_many_threads_may_carry_at_once() -> None:
    courier = opened(Client(allow_private=True).exchange)
    with serving(answering(ok())) as server, ExitStack() as threads:
        for name in "abcdefgh":
            thread = threading.Thread(target=carry_many, args=(courier, name, server.port))
            thread.start()
            threads.callback(thread.join)
        came = all_of(courier, 200)
    assert len(came) == 200
    assert all(isinstance(reply, Answer) for reply in came.values())


# Its end


def test_one_that_has_carried_nothing_may_end_at_once(courier: Courier[str]) -> None:
    assert courier.close()


def test_what_was_dealt_with_keeps_nobody_from_the_end_during_the_next_turn(courier: Courier[str]) -> None:
    ends: list[bool] = []
    select = courier._selector.select

    def selected(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ends.append(courier.close())
        return select(timeout)

    courier.carry("a", None)
    assert courier.turn(0) == [("a", None)]
    courier._selector.select = selected  # type: ignore[method-assign]
    assert courier.turn(0) == []
    assert ends == [True]


def test_it_ends_when_nothing_is_under_way_and_what_came_was_dealt_with(courier: Courier[str]) -> None:
    let_go = threading.Event()
    with serving(held_until(let_go)) as server:
        courier.carry("a", get(server.port))
        assert not courier.close()
        let_go.set()
        assert list(all_of(courier, 1)) == ["a"]
        assert not courier.close(), "the reply may not be booked yet"
        assert courier.turn(0) == []
        assert courier.close()
        assert courier.is_closed
        with pytest.raises(RuntimeError, match="closed"):
            courier.carry("b", get(server.port))


def test_before_it_is_opened_and_after_its_end_it_holds_no_files_and_carries_nothing() -> None:
    before = os.listdir("/proc/self/fd")
    courier: Courier[str] = Courier(Client().exchange)
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(RuntimeError, match="closed"):
        courier.carry("a", None)
    courier.open()
    assert courier.close()
    courier.free()
    courier.ring()
    assert courier.close()
    assert os.listdir("/proc/self/fd") == before


def test_what_was_not_sent_is_not_forgotten_at_the_end(courier: Courier[str]) -> None:
    courier.carry("a", None)
    assert not courier.close()
    assert courier.turn(0) == [("a", None)]


def test_a_request_whose_first_step_is_being_taken_is_under_way() -> None:
    closed: list[bool] = []

    def steps() -> Steps[Answer]:
        closed.append(made.close())
        yield from ()
        raise Unreachable(Reason.DNS, "no")

    made = faulty(steps)
    made.carry("a", get(1))
    assert closed == [False]


# Faults of ours


def faulty(fault: Callable[[], Steps[Answer]]) -> Courier[str]:
    return opened(lambda request: fault())


def test_a_request_that_breaks_comes_back_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def breaks() -> Steps[Answer]:
        yield from ()
        raise ZeroDivisionError

    courier = faulty(breaks)
    courier.carry("a", get(1))
    assert courier.turn(0) == [("a", None)]
    assert "could not be made" in caplog.text


def test_what_cannot_be_waited_for_is_closed_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[bool] = []

    class Gone:
        def fileno(self) -> int:
            return -1

    def waits() -> Steps[Answer]:
        try:
            yield Wait(Gone(), READ, time.monotonic() + 60)
        finally:
            closed.append(True)
        raise AssertionError("never")

    courier = faulty(waits)
    courier.carry("a", get(1))
    assert courier.turn(0) == [("a", None)]
    assert closed == [True]
    assert courier.turn(0) == []
    assert courier.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_is_late_and_ready_in_the_same_turn_goes_on_once(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    went_on: list[float] = []

    def waits() -> Steps[Answer]:
        yield Wait(ours, READ, 0)
        went_on.append(time.monotonic())
        yield Wait(ours, READ, time.monotonic() + 60)
        raise AssertionError("never")

    courier = faulty(waits)
    courier.carry("a", get(1))
    theirs.sendall(b".")
    assert courier.turn(0) == []
    assert len(went_on) == 1
