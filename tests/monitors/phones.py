"""Devices for the tests of monitors, and how their messages are refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from checkout import store as stores
from checkout.model.devices import Device
from checkout.model.payments import Payment
from tests.clients.wire import Reply
from tests.dump import dump
from tests.world import START, World, device

KEY = "5" * 64
TOKEN = "0123456789abcdef" * 2


def add_device(world: World, kind: str, accounts: Sequence[str] = ("wx-main", "ali-main"), **changes: object) -> Device:
    made = device(**{"id": f"dev_{kind}", "name": kind, "kind": kind, "key": KEY, "token": TOKEN, **changes})
    with world.store.transaction() as db:
        stores.devices.add(db, made, accounts)
    return made


def stored(world: World, device_id: str) -> Device:
    with world.store.read() as db:
        found = stores.devices.get(db, device_id)
    assert found is not None
    return found


def only_payment(world: World) -> Payment:
    (found,) = world.payments()
    return found


def assert_refused(reply: Reply, *words: str) -> None:
    """A status of 4xx and one sentence in JSON, which holds no secret."""
    assert 400 <= reply.status < 500, (reply.status, reply.body)
    found = reply.json()
    assert set(found) == {"ok", "error"}
    assert found["ok"] is False
    sentence = found["error"]
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert KEY not in sentence
    assert TOKEN not in sentence
    assert all(word in sentence for word in words), sentence


def refused_without_trace(world: World, send: Callable[[], Reply], *words: str) -> None:
    before = dump(world)
    assert_refused(send(), *words)
    assert dump(world) == before


def all_refused(world: World, replies: Iterable[Reply], *words: str) -> None:
    """As above, for many requests that are sent while they are looked at."""
    before = dump(world)
    statuses = []
    for reply in replies:
        assert_refused(reply, *words)
        statuses.append(reply.status)
    assert statuses
    assert dump(world) == before


class Lines(logging.Handler):
    """Everything that is logged, formatted as a server writes it."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


NOW_MS = START * 1000
