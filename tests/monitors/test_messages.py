"""What holds for every kind of message: no fault of ours, no trace of what was refused, no secret in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from checkout import logs
from checkout.errors import StoreError
from checkout.interfaces import Owed
from checkout.model.deliveries import Delivery
from checkout.model.orders import Order
from checkout.monitors import messages
from checkout.monitors.messages import digest
from tests.clients.smsforwarder import WECHAT, Forwarder, Notification
from tests.clients.wire import Reply, to_app
from tests.dump import dump
from tests.monitors.phones import KEY, NOW_MS, TOKEN, Lines, add_device, assert_refused
from tests.world import World

OTHER = "e" * 32
PATHS = {"smsforwarder": f"/monitor/smsforwarder/{TOKEN}", "generic": f"/monitor/push/{OTHER}"}
SEEN = Notification(WECHAT, "微信支付", "微信支付收款9.90元(朋友到店)", NOW_MS)
EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(autouse=True)
def phones(world: World) -> None:
    add_device(world, "smsforwarder")
    add_device(world, "generic", key="6" * 64, token=OTHER)


def post(world: World, path: str, body: bytes, kind: str = "application/json") -> Reply:
    return to_app(world.app)("POST", path, {"Content-Type": kind}, body)


def good(world: World) -> dict[str, Any]:
    found = json.loads(Forwarder(to_app(world.app), PATHS["smsforwarder"], KEY).request(SEEN, NOW_MS).body)
    assert isinstance(found, dict)
    return found


def judge(world: World, reply: Reply, before: object) -> None:
    """Taken, or refused without a trace."""
    if reply.status != 200:
        assert_refused(reply)
        assert dump(world) == before


TEXTS = st.text(max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
GENERIC = st.sampled_from(["method", "amount", "title", "text", "package", "id", "time", "beat", "ts", "sign"])


@EXAMPLES
@given(st.dictionaries(GENERIC, VALUES, max_size=6))
def test_any_json_object_is_taken_or_refused_by_push(world: World, message: dict[str, Any]) -> None:
    before = dump(world)
    judge(world, post(world, PATHS["generic"], json.dumps(message).encode()), before)


@EXAMPLES
@given(st.data())
def test_a_forwarded_message_with_any_part_changed_is_taken_or_refused(world: World, data: st.DataObject) -> None:
    message = good(world)
    for name in data.draw(st.lists(st.sampled_from(sorted(message)), min_size=1, max_size=2)):
        message[name] = data.draw(VALUES)
    before = dump(world)
    judge(world, post(world, PATHS["smsforwarder"], json.dumps(message).encode()), before)


@EXAMPLES
@given(
    st.sampled_from(sorted(PATHS)),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a"]),
    st.binary(max_size=60), st.integers(0, 200), st.integers(0, 40),
)  # fmt: skip
def test_a_message_with_bytes_changed_is_taken_or_refused(
    world: World, kind: str, content_type: str, put: bytes, at: int, cut: int
) -> None:
    body = json.dumps(good(world), ensure_ascii=False).encode()
    before = dump(world)
    judge(world, post(world, PATHS[kind], body[:at] + put + body[at + cut :], content_type), before)


@EXAMPLES
@given(st.sampled_from(sorted(PATHS)), st.binary(max_size=200), st.binary(max_size=200))
def test_any_query_and_form_is_taken_or_refused(world: World, kind: str, query: bytes, body: bytes) -> None:
    before = dump(world)
    target = f"{PATHS[kind]}?{query.decode('latin-1')}"
    judge(world, to_app(world.app)("POST", target, {"Content-Type": "application/x-www-form-urlencoded"}, body), before)


def test_digests_tell_words_apart() -> None:
    assert digest("a", "b") == digest("a", "b")
    assert len({digest("a", "b"), digest("ab"), digest("", "ab"), digest("b", "a"), digest('a", "b')}) == 5


def test_the_worker_is_told_of_an_order_that_was_paid(world: World) -> None:
    told: list[str] = []

    def callback(delivery: Delivery, order: Order, *_: object) -> Delivery:
        told.append(order.token)
        return delivery

    @contextmanager
    def at_once() -> Iterator[Owed]:
        yield cast(Owed, SimpleNamespace(reset=lambda: None, callback=callback))

    world.app.extensions["checkout"] = replace(world.parts, at_once=at_once)
    paid = b'{"method":"wechat","amount":"9.90","id":"%d"}'
    post(world, PATHS["generic"], paid % 1)
    assert told == []
    token = world.create("N1")["data"]["orderId"]
    world.clock.go(10)
    for _ in range(2):
        post(world, PATHS["generic"], paid % 2)
    assert told == [token]


# Secrets and faults.


@pytest.fixture
def log() -> Iterator[Lines]:
    lines = Lines(logs.Redacting())
    root = logging.getLogger()
    root.addHandler(lines)
    yield lines
    root.removeHandler(lines)


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_fault_of_ours_is_a_500_and_no_secret_reaches_the_log(
    world: World, log: Lines, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"while at {PATHS[kind]} with {KEY}")

    monkeypatch.setattr(messages, "beat", fail)
    world.app.testing = False
    body = json.dumps({"beat": True} if kind == "generic" else {**good(world), "from": "通知"}).encode()
    reply = post(world, PATHS[kind], body)
    assert reply.status == 500
    text = "\n".join(log.lines) + reply.body.decode()
    assert "Unexpected error on /monitor/" in text
    assert "RuntimeError" in text
    for secret in (TOKEN, OTHER, KEY, good(world)["sign"]):
        assert secret not in text


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_database_that_cannot_be_written_is_a_503_that_promises_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreError("The database is locked by another program; try again in a moment.")

    before = dump(world)
    monkeypatch.setattr("checkout.store.payments.judge", fail)
    message = {"method": "wechat", "amount": "9.90"} if kind == "generic" else good(world)
    reply = post(world, PATHS[kind], json.dumps(message).encode())
    assert reply.status == 503
    assert b'"ok":true' not in reply.body
    assert dump(world) == before


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_refusals_and_answers_hold_no_secret(world: World, log: Lines, kind: str) -> None:
    for body in (b"", b"{}", json.dumps(good(world)).encode(), b'{"method":"wechat","amount":"9.90"}'):
        reply = post(world, PATHS[kind], body)
        said = reply.body.decode() + "\n".join(log.lines) + str(reply.headers)
        for secret in (TOKEN, OTHER, KEY, "6" * 64):
            assert secret not in said
