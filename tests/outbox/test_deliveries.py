from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checkout import store as stores
from checkout.errors import Code, Conflict, Refusal
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from checkout.interfaces import Dialects, Store
from checkout.model.deliveries import Delivery, DeliveryState, Try
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.outbox import deliveries
from checkout.outbox.deliveries import LEASE_S, SCHEDULE, delay_after
from tests.shop import Shop
from tests.world import MERCHANT_KEY, START, FakeClock, Outside, answer

URL = "https://shop.example/notify"
LONG = 72 * 3600


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    return Outgoing("POST", url, {"Content-Type": "text/plain"}, f"{order.number} {now}".encode())


def acknowledged(found: Answer) -> bool:
    return found.status == 200 and found.body == b"success"


DIALECTS = cast(Dialects, {"vmq": SimpleNamespace(NAME="vmq", callback=callback, acknowledged=acknowledged)})


class Outbox:
    """One paid order and what a worker does about it."""

    def __init__(self, store: Store, clock: FakeClock, outside: Outside) -> None:
        self.shop, self.clock, self.outside = Shop(store).fill(), clock, outside
        self.dialects = DIALECTS
        self.order = self.shop.open()
        self.shop.push(990)
        (owed,) = self.shop.deliveries(self.order)
        self.id = owed.id

    @property
    def store(self) -> Store:
        return self.shop.store

    def delivery(self) -> Delivery:
        with self.store.read() as db:
            found = stores.deliveries.get(db, self.id)
        assert found is not None
        return found

    @property
    def attempts(self) -> list[Try]:
        with self.store.read() as db:
            return stores.deliveries.tries(db, self.id)

    def due(self) -> list[Delivery]:
        with self.store.read() as db:
            return stores.deliveries.due(db, self.clock())

    def claim(self) -> Delivery:
        claimed = deliveries.claim(self.store, self.delivery(), self.clock())
        assert claimed is not None
        return claimed

    def deliver(self, claimed: Delivery) -> bool:
        return deliveries.deliver(self.store, self.dialects, self.outside.send, claimed, self.clock)

    def try_once(self) -> bool:
        return self.deliver(self.claim())

    def resend(self) -> Delivery:
        return deliveries.resend(self.store, self.id, self.clock())


@pytest.fixture
def outbox(store: Store, clock: FakeClock, outside: Outside) -> Outbox:
    return Outbox(store, clock, outside)


def jitter(monkeypatch: pytest.MonkeyPatch, fall: Callable[[int], int]) -> None:
    monkeypatch.setattr(secrets, "randbelow", fall)


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    jitter(monkeypatch, lambda sides: 0)


def refuse(request: Outgoing) -> Answer:
    return answer(500, b"no")


def unreachable(request: Outgoing) -> Answer:
    raise Unreachable(Reason.TIMEOUT, "shop.example did not answer in time.")


# One try


def test_an_acknowledged_message_is_not_sent_again(outbox: Outbox) -> None:
    assert outbox.try_once()
    assert (outbox.delivery().state, outbox.delivery().done_at, outbox.delivery().attempts) == (
        DeliveryState.DELIVERED, START, 1,
    )  # fmt: skip
    outbox.clock.go(10 * 86_400)
    assert outbox.due() == []
    assert deliveries.claim(outbox.store, outbox.delivery(), outbox.clock()) is None
    assert len(outbox.outside.sent) == 1


def test_a_refused_message_is_due_again_five_seconds_later(outbox: Outbox, no_jitter: None) -> None:
    outbox.outside.reply = refuse
    assert not outbox.try_once()
    assert (outbox.delivery().state, outbox.delivery().due_at) == (DeliveryState.WAITING, START + 5)
    outbox.clock.go(4)
    assert outbox.due() == []
    outbox.clock.go(1)
    assert outbox.due() == [outbox.delivery()]


def test_an_unreachable_merchant_is_tried_again_and_the_reason_kept(outbox: Outbox, no_jitter: None) -> None:
    outbox.outside.reply = unreachable
    assert not outbox.try_once()
    assert outbox.attempts == [Try(outbox.id, 1, START, None, 0, "", "shop.example did not answer in time.")]
    assert outbox.delivery().due_at == START + 5


def test_each_answer_is_kept_with_its_status_and_latency(outbox: Outbox) -> None:
    outbox.outside.reply = lambda request: Answer(503, {}, "忙 \x00!".encode(), 1234)
    outbox.try_once()
    outbox.clock.go(60)
    outbox.outside.reply = lambda request: Answer(200, {}, b"success", 7)
    outbox.try_once()
    assert outbox.attempts == [
        Try(outbox.id, 1, START, 503, 1234, "忙 \ufffd!", ""),
        Try(outbox.id, 2, START + 60, 200, 7, "success", ""),
    ]


@pytest.mark.parametrize("body", [b"x" * 70_000, b"\xff" * 70_000, "忙".encode() * 20_000, b"\x00" * 5_000])
def test_of_an_answer_at_most_4_kib_are_kept(outbox: Outbox, body: bytes) -> None:
    outbox.outside.reply = lambda request: Answer(200, {}, body, 1)
    outbox.try_once()
    (kept,) = outbox.attempts
    assert 4000 < len(kept.answer.encode()) <= 4096
    assert "\x00" not in kept.answer


# The schedule


def test_the_tries_spread_over_three_days_and_then_the_delivery_has_failed(outbox: Outbox, no_jitter: None) -> None:
    outbox.outside.reply = refuse
    waits = []
    while outbox.delivery().state is DeliveryState.WAITING:
        waits.append(outbox.delivery().due_at - outbox.clock())
        outbox.clock.now = outbox.delivery().due_at
        assert not outbox.try_once()
    assert tuple(waits) == SCHEDULE
    assert SCHEDULE == (0, 5, 30, 120, 600, 1800, 3600, 10_800, 28_800, 43_200, 86_400, 86_400)
    assert (outbox.delivery().state, outbox.delivery().attempts) == (DeliveryState.FAILED, 12)
    assert outbox.delivery().done_at == START + sum(SCHEDULE)
    assert len(outbox.attempts) == 12
    outbox.clock.go(10 * 86_400)
    assert outbox.due() == []


def test_every_try_has_the_same_id(outbox: Outbox) -> None:
    outbox.outside.reply = refuse
    for _ in range(3):
        outbox.clock.now = outbox.delivery().due_at
        outbox.try_once()
    assert {sent.headers["webhook-id"] for sent in outbox.outside.sent} == {outbox.id}
    assert outbox.id.startswith("msg_")
    assert len({sent.headers["webhook-timestamp"] for sent in outbox.outside.sent}) == 3


@pytest.mark.parametrize("attempts", range(1, len(SCHEDULE)))
def test_a_wait_is_spread_by_at_most_a_tenth(attempts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, found = SCHEDULE[attempts], set()
    for fall in (0, 1, 50, 100, 10**9):
        jitter(monkeypatch, lambda sides, fall=fall: min(fall, sides - 1))  # type: ignore[misc]
        delay = delay_after(attempts)
        assert delay is not None
        assert planned * 9 // 10 <= delay <= planned * 11 // 10
        found.add(delay)
    assert len(found) > 1 or planned < 50


def test_after_the_last_try_there_is_no_next_one() -> None:
    assert delay_after(len(SCHEDULE) - 1) is not None
    assert delay_after(len(SCHEDULE)) is None
    assert delay_after(len(SCHEDULE) + 1) is None


def test_an_outage_of_71_hours_is_survived_however_the_dice_fall(outbox: Outbox, no_jitter: None) -> None:
    outbox.outside.reply = lambda request: answer() if outbox.clock() >= START + 71 * 3600 else refuse(request)
    while outbox.delivery().state is DeliveryState.WAITING:
        outbox.clock.now = outbox.delivery().due_at
        outbox.try_once()
    assert outbox.delivery().state is DeliveryState.DELIVERED


# Leases


def test_a_claimed_delivery_is_nobody_else_s_until_the_lease_is_over(outbox: Outbox) -> None:
    seen = outbox.delivery()
    assert deliveries.claim(outbox.store, seen, START) is not None
    assert deliveries.claim(outbox.store, seen, START) is None
    assert outbox.due() == []
    outbox.clock.go(LEASE_S - 1)
    assert outbox.due() == []


def test_the_message_of_a_dead_worker_comes_back_by_itself(outbox: Outbox) -> None:
    outbox.claim()
    outbox.clock.go(LEASE_S)
    (again,) = outbox.due()
    claimed = deliveries.claim(outbox.store, again, outbox.clock())
    assert claimed is not None
    assert claimed.attempts == 2
    assert outbox.deliver(claimed)
    assert [attempt.number for attempt in outbox.attempts] == [2]


def test_a_worker_that_comes_back_after_its_lease_does_not_move_the_next_one_s_try(
    outbox: Outbox, no_jitter: None
) -> None:
    slow = outbox.claim()
    outbox.clock.go(LEASE_S)
    outbox.claim()
    lease = outbox.delivery().due_at
    outbox.outside.reply = refuse
    assert not outbox.deliver(slow)
    assert (outbox.delivery().due_at, outbox.delivery().attempts) == (lease, 2)


def test_a_worker_that_comes_back_too_late_does_not_fail_what_the_next_one_delivers(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "SCHEDULE", (0,))
    slow = outbox.claim()
    outbox.clock.go(LEASE_S)
    quick = outbox.claim()
    outbox.outside.reply = refuse
    outbox.deliver(slow)
    assert outbox.delivery().state is DeliveryState.WAITING
    outbox.outside.reply = lambda request: answer()
    assert outbox.deliver(quick)
    assert outbox.delivery().state is DeliveryState.DELIVERED


def test_an_acknowledgement_counts_however_late_it_is_booked(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "SCHEDULE", (0,))
    slow = outbox.claim()
    outbox.clock.go(LEASE_S)
    outbox.outside.reply = refuse
    outbox.try_once()
    assert outbox.delivery().state is DeliveryState.FAILED
    outbox.outside.reply = lambda request: answer()
    assert outbox.deliver(slow)
    assert outbox.delivery().state is DeliveryState.DELIVERED


# What cannot be sent


def broken(*_: Any) -> Any:
    raise ValueError("no such thing")


@pytest.mark.parametrize(
    "dialects",
    [
        {},
        {"vmq": SimpleNamespace(callback=broken, acknowledged=acknowledged)},
        {"vmq": SimpleNamespace(callback=callback, acknowledged=broken)},
    ],
    ids=["a dialect that is gone", "a message that cannot be made", "an answer that cannot be read"],
)
def test_what_fails_on_our_side_is_tried_by_the_schedule_and_ends_as_failed(
    outbox: Outbox, dialects: dict[str, Any], no_jitter: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every half minute for ever."""
    outbox.dialects = cast(Dialects, dialects)
    with caplog.at_level(logging.ERROR):
        assert not outbox.try_once()
    assert outbox.delivery().due_at == START + 5
    (attempt,) = outbox.attempts
    assert attempt.error == "The message could not be made or its answer not be read; the log says why."
    assert outbox.id in caplog.text
    while outbox.delivery().state is DeliveryState.WAITING:
        outbox.clock.now = outbox.delivery().due_at
        outbox.try_once()
    assert (outbox.delivery().state, len(outbox.attempts)) == (DeliveryState.FAILED, len(SCHEDULE))


# Standard Webhooks


def verified(secret: bytes, sent: Outgoing, now: int) -> bool:
    """The receiver's check, written from the specification: fresh, and one of the listed v1 signatures fits."""
    headers = {name.lower(): value for name, value in sent.headers.items()}
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(now - int(timestamp)) > 300:
        return False
    content = b".".join([message_id.encode(), timestamp.encode(), sent.body])
    expected = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    given = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(signature, expected) for version, signature in given)


def test_every_message_carries_a_webhook_signature_of_the_merchant_s_key(outbox: Outbox) -> None:
    outbox.try_once()
    (sent,) = outbox.outside.sent
    assert verified(MERCHANT_KEY.encode(), sent, START)
    assert not verified(b"another key", sent, START)
    assert not verified(MERCHANT_KEY.encode(), sent, START + 301)
    changed = Outgoing(sent.method, sent.url, sent.headers, sent.body + b" ")
    assert not verified(MERCHANT_KEY.encode(), changed, START)
    assert (sent.method, sent.url, sent.headers["Content-Type"]) == ("POST", URL, "text/plain")


# By hand


def test_a_failed_delivery_can_be_sent_again_and_keeps_its_id(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "SCHEDULE", (0,))
    outbox.outside.reply = refuse
    outbox.try_once()
    assert outbox.delivery().state is DeliveryState.FAILED
    outbox.clock.go(LONG)
    again = outbox.resend()
    assert (again.id, again.state, again.due_at, again.done_at) == (
        outbox.id, DeliveryState.WAITING, START + LONG, None,
    )  # fmt: skip
    outbox.outside.reply = lambda request: answer()
    assert outbox.try_once()
    assert outbox.delivery().state is DeliveryState.DELIVERED


def test_a_delivered_message_can_be_sent_again_on_request(outbox: Outbox) -> None:
    outbox.try_once()
    outbox.resend()
    assert outbox.try_once()
    assert len(outbox.outside.sent) == 2


def test_a_message_without_an_address_goes_out_when_the_merchant_has_one(
    store: Store, clock: FakeClock, outside: Outside
) -> None:
    shop = Shop(store).fill()
    shop.change_merchant(notify_url="")
    order = shop.open()
    shop.push(990)
    (owed,) = shop.deliveries(order)
    assert owed.state is DeliveryState.NONE
    with store.read() as db:
        assert stores.deliveries.due(db, START) == []
    with pytest.raises(Refusal) as caught:
        deliveries.resend(store, owed.id, START)
    assert caught.value.code is Code.BAD_URL
    shop.change_merchant(notify_url=URL)
    assert deliveries.resend(store, owed.id, START).url == URL
    with store.read() as db:
        assert [one.id for one in stores.deliveries.due(db, START)] == [owed.id]


def test_a_delivery_that_does_not_exist_cannot_be_sent_again(outbox: Outbox) -> None:
    with pytest.raises(Refusal) as caught:
        deliveries.resend(outbox.store, "nothing", START)
    assert caught.value.code is Code.NOT_FOUND


def test_an_order_owes_each_event_once(outbox: Outbox) -> None:
    with pytest.raises(Conflict), outbox.store.transaction() as db:
        deliveries.owe(db, outbox.order, "order.paid", receipt="", new_id=outbox.shop.new_id, now=START)
    assert len(outbox.shop.deliveries(outbox.order)) == 1


def test_the_order_s_own_address_goes_before_the_merchant_s(outbox: Outbox) -> None:
    assert outbox.delivery().url == URL
    order = outbox.shop.open("N2", notify_url="https://other.example/n")
    outbox.shop.push(order.really_price)
    assert [owed.url for owed in outbox.shop.deliveries(order)] == ["https://other.example/n"]


# The store's pages


def test_what_is_due_comes_in_pages_the_oldest_first(outbox: Outbox) -> None:
    for number in range(5):
        outbox.shop.go(1)
        order = outbox.shop.open(f"M{number}", price=2000)
        outbox.shop.push(order.really_price)
    outbox.clock.go(3)
    found: list[Delivery] = []
    after = (0, "")
    while True:
        with outbox.store.read() as db:
            page = stores.deliveries.due(db, outbox.clock(), after=after, limit=2)
        if not page:
            break
        found += page
        after = (page[-1].due_at, page[-1].id)
    assert [one.due_at - START for one in found] == [0, 1, 2, 3]
    with outbox.store.read() as db:
        assert stores.deliveries.next_due_at(db) == START
        first = stores.deliveries.listed(db, state="waiting", limit=4)
        rest = stores.deliveries.listed(db, state=None, before=(first[-1].created_at, first[-1].id))
        assert len({one.id for one in first + rest}) == 6
        assert stores.deliveries.listed(db, state="failed") == []


def test_an_empty_outbox_has_no_next_time(store: Store) -> None:
    with store.read() as db:
        assert stores.deliveries.next_due_at(db) is None
