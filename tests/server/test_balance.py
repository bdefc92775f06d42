"""Clients that stay are shared out evenly among workers."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from checkout.server import balance, buffering
from checkout.server.balance import MOMENT_S, Balance, Share
from tests.servers import CHECKOUT, serving, until

OURS, THEIRS = 0, 1


def test_every_worker_sees_how_many_clients_the_others_have() -> None:
    numbers = Balance(2)
    ours, theirs = Share(numbers, OURS), Share(numbers, THEIRS)
    assert not ours.leaves_newcomer()
    if not (child := os.fork()):
        theirs.note(3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (ours.leaves_newcomer(), theirs.leaves_newcomer()) == (False, True)
    ours.note(3)
    assert (ours.leaves_newcomer(), theirs.leaves_newcomer()) == (False, False)


def test_who_is_alone_leaves_nobody_to_others() -> None:
    alone = Share(Balance(1), OURS)
    alone.note(9)
    assert not alone.leaves_newcomer()


def test_a_newcomer_is_left_to_another_for_a_moment_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(balance, "time", SimpleNamespace(monotonic=lambda: now))
    ours = Share(Balance(2), OURS)
    ours.note(1)
    assert ours.leaves_newcomer()
    now = MOMENT_S
    assert not ours.leaves_newcomer()


class Door:
    """A worker, whose loop does not run, at a real listener, and a clock that stands still."""

    def __init__(self, listener: socket.socket) -> None:
        numbers = Balance(2)
        self.ours, self.theirs = Share(numbers, OURS), Share(numbers, THEIRS)
        self.now, self._listener = 100.0, listener
        self.worker = buffering.BufferingWorker(OURS, os.getppid(), [listener], Mock(), 30, Config(), Mock())
        self.worker.poller = selectors.DefaultSelector()
        self.worker.share_clients(numbers)

    def looks(self, *, later: float = 0) -> int:
        """How many clients the worker has after it has seen that somebody is there."""
        self.now += later
        self.worker.accept(self._listener)
        return int(self.worker.nr_conns)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def door(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    made = Door(listener)
    monkeypatch.setattr(balance, "time", SimpleNamespace(monotonic=lambda: made.now))
    with closing(made.worker.poller), closing(made.worker.tmp):
        yield made
        for conn in list(made.worker._waiting):
            made.worker._drop(conn)


def come(listener: socket.socket, stack: ExitStack) -> None:
    stack.enter_context(socket.create_connection(listener.getsockname(), timeout=10))


def test_who_has_as_many_as_another_takes_a_newcomer_at_once(door: Door, listener: socket.socket) -> None:
    door.ours.note(2)
    door.theirs.note(2)
    with ExitStack() as stack:
        come(listener, stack)
        assert door.looks() == 1


def test_who_has_more_leaves_a_newcomer_to_the_other_who_takes_them(door: Door, listener: socket.socket) -> None:
    door.ours.note(1)
    with ExitStack() as stack:
        come(listener, stack)
        assert door.looks() == 0
        stack.enter_context(listener.accept()[0])
        door.theirs.take()
        come(listener, stack)
        assert door.looks(later=10) == 0, "the next one is left to the other as well"


@pytest.mark.parametrize(("step", "looks"), [(MOMENT_S * 0.6, 2), (MOMENT_S * 2, 1), (1, 1)])
def test_whom_nobody_takes_within_a_moment_is_taken_by_who_has_more(
    door: Door, listener: socket.socket, step: float, looks: int
) -> None:
    """However seldom it looks: the other may hang, and its number stays."""
    door.ours.note(1)
    for number in range(3):
        with ExitStack() as stack:
            come(listener, stack)
            assert door.looks(later=step) == number
            assert [door.looks(later=step) for _ in range(looks)][-1] == number + 1


def test_clients_are_answered_while_the_worker_with_fewer_hangs(tmp_path: Path) -> None:
    with serving(tmp_path, *CHECKOUT, "serve", "--port", "{port}", environ={"CHECKOUT_WORKERS": "2"}) as (server, url):
        until(lambda: len(server.children()) == 2)
        hangs = server.children()[1]
        with ExitStack() as stack:
            stack.callback(os.kill, hangs, signal.SIGCONT)
            os.kill(hangs, signal.SIGSTOP)
            for _ in range(20):
                assert answered(stack, url) == 200


def test_clients_that_stay_are_shared_out_evenly(tmp_path: Path) -> None:
    """On a busy machine a worker may not get to look for longer than a moment."""
    patient = "from checkout.server import balance; balance.MOMENT_S = 30"
    serve = (sys.executable, "-c", f"{patient}; from checkout import cli; cli.main()", "serve", "--port", "{port}")
    with (
        serving(tmp_path, *serve, environ={"CHECKOUT_WORKERS": "2"}) as (server, url),
        ExitStack() as stack,
    ):
        until(lambda: len(server.children()) == 2)
        workers = server.children()
        before = [sockets(worker) for worker in workers]
        for _ in range(8):
            answered(stack, url)
        shares = [sockets(worker) - had for worker, had in zip(workers, before, strict=True)]
        assert min(shares) >= 3, shares  # who was there first may have hung up meanwhile


def answered(stack: ExitStack, url: str) -> int:
    """To a client who stays."""
    client = stack.enter_context(closing(HTTPConnection(url.removeprefix("http://"), timeout=30)))
    client.request("GET", "/healthz")
    answer = client.getresponse()
    answer.read()
    return answer.status


def sockets(process: int) -> int:
    names = (os.readlink(entry.path) for entry in os.scandir(f"/proc/{process}/fd"))
    return sum(name.startswith("socket:") for name in names)
