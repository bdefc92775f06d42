from __future__ import annotations

import itertools
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from checkout.http import resolver
from checkout.http.client import Answer, Client, Forbidden, Outgoing, Reason, Unreachable
from checkout.http.steps import Deadline, alone
from tests.http.test_targets import NOT_PUBLIC, PUBLIC
from tests.loopback import answering, ok, serving

SOON = 0.15  # seconds


@pytest.fixture
def hanging() -> Iterator[Callable[[str], Sequence[str]]]:
    """A resolver that does not come back while the test runs."""
    over = threading.Event()

    def resolve(host: str) -> Sequence[str]:
        over.wait(3)
        return ["127.0.0.1"]

    yield resolve
    over.set()


def test_a_lookup_that_hangs_costs_no_more_than_the_deadline(hanging: Callable[[str], Sequence[str]]) -> None:
    client = Client(allow_private=True, resolve=hanging)
    with serving(answering(ok())) as server, pytest.raises(Unreachable) as outcome:
        client.send(Outgoing("GET", f"http://shop.example:{server.port}/"), deadline_s=SOON)
    assert outcome.value.reason == Reason.DNS
    assert "in time" in outcome.value.message


def test_lookups_that_hang_do_not_pile_up() -> None:
    over, calls = threading.Event(), itertools.count()

    def resolve(host: str) -> Sequence[str]:
        next(calls)
        over.wait(10)
        return ["127.0.0.1"]

    with serving(answering(ok())) as server:
        client = Client(allow_private=True, resolve=resolve)
        request = Outgoing("GET", f"http://shop.example:{server.port}/")
        for _ in range(40):
            with pytest.raises(Unreachable) as outcome:
                client.send(request, deadline_s=0.005)
            assert outcome.value.reason == Reason.DNS
        over.set()
        assert next(calls) <= 32
        assert client.send(request).status == 200


def lookups_of(
    resolve: Callable[[str], Sequence[str]],
) -> tuple[resolver.Lookups, Callable[[str], Reason | Sequence[str]]]:
    made = resolver.Lookups(resolve)

    def ask(host: str) -> Reason | Sequence[str]:
        try:
            return alone(made.of(host, Deadline(SOON)))
        except Unreachable as error:
            return error.reason

    return made, ask


def test_a_name_that_hangs_keeps_one_place_and_the_others_are_resolved() -> None:
    over, asked = threading.Event(), Counter[str]()

    def resolve(host: str) -> Sequence[str]:
        asked[host] += 1
        if host == "slow.example":
            over.wait(10)
        return ["8.8.8.8"]

    _, ask = lookups_of(resolve)
    assert [ask("slow.example") for _ in range(40)] == [Reason.DNS] * 40
    assert ask("quick.example") == ["8.8.8.8"]
    over.set()
    assert ask("slow.example") == ["8.8.8.8"]
    assert asked["slow.example"] <= 2


def test_a_name_whose_lookup_may_never_end_is_asked_about_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    over, first = threading.Event(), iter([True])

    def resolve(host: str) -> Sequence[str]:
        if next(first, False):
            over.wait(10)
            return ["1.1.1.1"]
        return ["8.8.8.8"]

    clock = SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr(resolver, "time", clock)
    made = resolver.Lookups(resolve)
    hanging, sharing = (made.of("a.example", Deadline(10)) for _ in range(2))
    next(hanging)
    clock.monotonic = lambda: 114.5
    next(sharing)
    clock.monotonic = lambda: 115.0
    assert alone(made.of("a.example", Deadline(3))) == ["8.8.8.8"]
    over.set()
    assert alone(hanging) == alone(sharing) == ["1.1.1.1"]
    assert alone(made.of("a.example", Deadline(3))) == ["8.8.8.8"]
    assert made._asked == {}


def test_32_names_are_resolved_at_once_and_the_next_one_waits() -> None:
    over, others = threading.Event(), set(threading.enumerate())

    def resolve(host: str) -> Sequence[str]:
        over.wait(10)
        return [f"address of {host}"]

    many = resolver.Lookups(resolve)
    asking = [many.of(f"{number}", Deadline(10)) for number in range(33)]
    for steps in asking:
        next(steps)
    threads = set(threading.enumerate()) - others
    assert len(threads) == 32
    over.set()
    assert [alone(steps) for steps in asking] == [[f"address of {number}"] for number in range(33)]
    for thread in threads:
        thread.join()


def test_a_name_that_had_to_wait_is_resolved_when_another_has_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST_AT_ONCE", 1)
    over, asked = threading.Event(), list[str]()

    def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        over.wait(10)
        return [f"address of {host}"]

    others, open_before = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    many = resolver.Lookups(resolve)
    first, given_up, second = (many.of(host, Deadline(10)) for host in ("a", "b", "c"))
    for steps in (first, given_up, second):
        next(steps)
    (thread,) = set(threading.enumerate()) - others
    assert (thread.name, thread.daemon) == ("lookup", True), "the end of the server must not wait for it"
    given_up.close()
    over.set()
    assert [alone(first), alone(second)] == [["address of a"], ["address of c"]]
    assert asked == ["a", "c"]
    thread.join()
    assert many._running == 0
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert alone(many.of("b", Deadline(3))) == ["address of b"], "who asks later waits for no answer that nobody seeks"


@pytest.mark.parametrize(
    "fault", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long"), OSError(), []]
)
def test_a_name_without_an_address_is_unreachable(fault: Exception | list[str]) -> None:
    def resolve(host: str) -> Sequence[str]:
        if isinstance(fault, Exception):
            raise fault
        return fault

    with pytest.raises(Unreachable) as outcome:
        Client(resolve=resolve).send(Outgoing("GET", "http://shop.example/"))
    assert type(outcome.value) is Unreachable
    assert outcome.value.reason == Reason.DNS


def test_a_lookup_without_a_thread_to_run_in_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    client = Client(allow_private=True)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(40):
            with pytest.raises(Unreachable) as outcome:
                client.send(Outgoing("GET", "http://shop.example/"), deadline_s=SOON)
            assert "thread" in outcome.value.message
    assert client._lookups._running == 0
    with serving(answering(ok())) as server:
        assert client.send(Outgoing("GET", f"http://localhost:{server.port}/")).status == 200


def test_an_ip_address_needs_neither_a_lookup_nor_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> Sequence[str]:
        raise AssertionError("not needed")

    with serving(answering(ok())) as server:
        client = Client(allow_private=True, resolve=never)
        monkeypatch.setattr(resolver, "_Lookup", never)
        assert client.send(Outgoing("GET", f"http://127.0.0.1:{server.port}/")).status == 200


def test_the_systems_own_resolver_knows_the_own_host() -> None:
    with serving(answering(ok())) as server:
        answer = Client(allow_private=True).send(Outgoing("GET", f"http://localhost:{server.port}/"))
    assert answer.body == b"success"


def test_the_next_address_is_tried_when_one_refuses() -> None:
    with serving(answering(ok())) as server:
        client = Client(allow_private=True, resolve=lambda host: ["127.0.0.3", "::1", "127.0.0.1"])
        assert client.send(Outgoing("GET", f"http://shop.example:{server.port}/")).status == 200


# Where a connection may go


@dataclass
class Wire:
    """Where connections were meant to go; all but those to `silent` end at one loopback server."""

    dialled: list[tuple[object, ...]] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    recorder = Wire()
    genuine = socket.socket.connect_ex

    def connect_ex(sock: socket.socket, address: tuple[object, ...]) -> int:
        recorder.dialled.append(address)
        with socket.socket() as real:
            real.setblocking(False)
            os.dup2(real.fileno(), sock.fileno())
            return genuine(real, full.getsockname() if address[0] in recorder.silent else ("127.0.0.1", server.port))

    with (
        serving(answering(ok())) as server,
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
        monkeypatch.context() as patched,
    ):
        patched.setattr(socket.socket, "connect_ex", connect_ex)
        yield recorder


def get(found: Sequence[str]) -> Answer:
    """The answer to a request to a name that stands for these addresses."""
    return Client(resolve=lambda host: found).send(Outgoing("GET", "http://shop.example/"))


def test_a_connection_goes_to_the_address_that_was_judged_and_to_no_later_one(wire: Wire) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34"]])
    client = Client(resolve=lambda host: next(answers))
    assert client.send(Outgoing("GET", "http://rebind.example/")).status == 200
    assert wire.dialled == [("93.184.216.34", 80)]
    with pytest.raises(Forbidden) as refusal:
        client.send(Outgoing("GET", "http://rebind.example/"))
    assert refusal.value.reason == Reason.ADDRESS
    assert wire.dialled == [("93.184.216.34", 80)]


def test_each_name_is_looked_up_once_a_request(wire: Wire) -> None:
    looked_up: list[str] = []

    def resolve(host: str) -> Sequence[str]:
        looked_up.append(host)
        return ["8.8.8.8"]

    client = Client(resolve=resolve)
    for _ in range(3):
        client.send(Outgoing("GET", "http://SHOP.example/"))
    assert looked_up == ["shop.example"] * 3


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_that_stands_for_an_address_that_is_not_public_is_refused(wire: Wire, address: str) -> None:
    for found in ([address], ["8.8.8.8", address], [address, "8.8.8.8"], ["2606:4700:4700::1111", address]):
        with pytest.raises(Forbidden) as refusal:
            get(found)
        assert refusal.value.reason == Reason.ADDRESS
        assert address not in refusal.value.message.split()
    assert wire.dialled == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_name_that_stands_for_a_public_address_is_called_there(wire: Wire, address: str) -> None:
    assert get([address]).status == 200
    assert wire.dialled == [(address, 80)]


def test_an_address_of_an_unknown_kind_is_refused(wire: Wire) -> None:
    with pytest.raises(Forbidden):
        get(["8.8.8.8", "not an address"])
    assert wire.dialled == []


def test_an_address_that_stays_silent_leaves_time_for_the_next_ones(wire: Wire) -> None:
    wire.silent = {"8.8.8.8", "1.1.1.1"}
    client = Client(resolve=lambda host: ["8.8.8.8", "1.1.1.1", "9.9.9.9"])
    assert client.send(Outgoing("GET", "http://shop.example/"), deadline_s=3).status == 200
    assert wire.dialled == [("8.8.8.8", 80), ("1.1.1.1", 80), ("9.9.9.9", 80)]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/", "http://localhost/", "http://8.8.8.8:22/"]
)
def test_a_url_that_is_refused_as_written_is_neither_looked_up_nor_called(wire: Wire, url: str) -> None:
    looked_up: list[str] = []

    def resolve(host: str) -> Sequence[str]:
        looked_up.append(host)
        return ["8.8.8.8"]

    with pytest.raises(Forbidden):
        Client(resolve=resolve).send(Outgoing("GET", url))
    assert looked_up == []
    assert wire.dialled == []
