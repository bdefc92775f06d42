"""The message itself: as it is shown to people, as it is sent, and what is kept of each try."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from checkout import store as stores
from checkout.errors import Refusal
from checkout.http.client import Answer, Outgoing, Reason, Unreachable
from checkout.interfaces import Dialects, Store
from checkout.model.deliveries import Delivery, DeliveryState, Try
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.outbox import deliveries, endpoints, letters
from checkout.outbox.deliveries import LEASE_S, PAUSE_AFTER_S
from tests.hooks import URL, Listener
from tests.shop import Shop
from tests.world import START, FakeClock, Outside, answer


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    return Outgoing("PUT", url, {"X-Shop": merchant.name}, f"{order.number} {now} {receipt}".encode())


DIALECTS = cast(
    Dialects, {"vmq": SimpleNamespace(callback=callback, acknowledged=lambda found: found.body == b"success")}
)


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def listener(store: Store, clock: FakeClock, outside: Outside) -> Listener:
    return Listener(store, clock, outside)


def owed_by(shop: Shop, order: Order) -> Delivery:
    [owed] = shop.deliveries(order)
    return owed


def paid(shop: Shop, number: str = "N1", **changes: Any) -> Order:
    order = shop.open(number, **changes)
    shop.push(order.really_price)
    return shop.order(order)


def try_once(shop: Shop, delivery: Delivery, outside: Outside) -> bool:
    claimed = deliveries.claim(shop.store, delivery, shop.now)
    assert claimed is not None
    return deliveries.deliver(shop.store, DIALECTS, outside.send, claimed, lambda: shop.now)


def test_a_paid_order_owes_a_message_that_is_due_at_once(shop: Shop) -> None:
    order = paid(shop)
    owed = owed_by(shop, order)
    assert owed == Delivery(
        owed.id, order.token, 1001, "vmq", "order.paid", "https://shop.example/notify", DeliveryState.WAITING, 0,
        START, START, None,
    )  # fmt: skip


def shown(store: Store, dialects: Dialects, delivery: Delivery, now: int) -> Outgoing | None:
    with store.read() as db:
        return letters.shown(db, dialects, delivery, now)


def test_what_people_see_of_a_callback_is_what_is_sent(shop: Shop, outside: Outside) -> None:
    order = paid(shop)
    shop.go(3)
    seen = shown(shop.store, DIALECTS, owed_by(shop, order), shop.now)
    assert try_once(shop, owed_by(shop, order), outside)
    assert [seen] == outside.sent
    with shop.store.read() as db:
        receipt = stores.receipts.of_order(db, order.token)
    assert receipt is not None
    assert seen is not None
    assert (seen.method, seen.url) == ("PUT", "https://shop.example/notify")
    assert seen.body == f"N1 {START + 3} {receipt.token}".encode()
    assert sorted(seen.headers) == ["X-Shop", "webhook-id", "webhook-signature", "webhook-timestamp"]
    assert (seen.headers["webhook-id"], seen.headers["webhook-timestamp"]) == (
        owed_by(shop, order).id, str(START + 3),
    )  # fmt: skip


def test_an_order_without_a_receipt_is_told_all_the_same(shop: Shop, outside: Outside) -> None:
    order = paid(shop)
    with shop.store.transaction() as db:
        db.run("DELETE FROM receipts")
    seen = shown(shop.store, DIALECTS, owed_by(shop, order), START)
    assert try_once(shop, owed_by(shop, order), outside)
    assert [seen] == outside.sent
    assert outside.sent[0].body == f"N1 {START} ".encode()


def test_each_try_at_an_event_is_logged_too(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = listener.add("order.paid")
    listener.paid()
    caplog.set_level(logging.INFO, "checkout.events")
    listener.work()
    [logged] = [one.__dict__["fields"] for one in caplog.records if one.message == "message.tried"]
    assert (logged["endpoint"], logged["acknowledged"], logged["status"]) == (endpoint.id, True, 200)


def test_what_people_see_of_an_event_is_what_is_sent(listener: Listener) -> None:
    endpoint = listener.add("order.paid")
    listener.paid()
    listener.clock.go(3)
    [owed] = listener.owed(endpoint)
    seen = shown(listener.store, {}, owed, listener.clock())
    listener.work()
    assert [seen] == listener.outside.sent
    assert seen is not None
    assert (seen.method, seen.url, seen.body) == ("POST", URL, owed.body.encode())
    assert seen.headers["Content-Type"] == "application/json"
    assert (seen.headers["webhook-id"], seen.headers["webhook-timestamp"]) == (owed.id, str(START + 3))


def test_an_event_whose_endpoint_was_removed_is_no_message_any_more(listener: Listener) -> None:
    endpoint = listener.add("order.paid")
    listener.paid()
    [owed] = listener.owed(endpoint)
    endpoints.remove(listener.store, endpoint.id, **listener.by)
    assert shown(listener.store, {}, owed, START) is None
    with pytest.raises(Refusal, match="was removed"):
        deliveries.resend(listener.store, owed.id, START)


def test_a_claim_lends_a_delivery_for_half_a_minute(shop: Shop) -> None:
    owed = owed_by(shop, paid(shop))
    assert LEASE_S == 30
    assert deliveries.claim(shop.store, owed, START + 7) == replace(owed, attempts=1, due_at=START + 37)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", ""),
        (b"x" * 4096, "x" * 4096),
        (b"x" * 4097, "x" * 4096),
        (b"\x00" + b"x" * 4095, "\ufffd" + "x" * 4093),
        (b"x" * 4095 + "é".encode(), "x" * 4095),
    ],
)
def test_of_an_answer_the_first_4096_bytes_are_kept(shop: Shop, outside: Outside, body: bytes, kept: str) -> None:
    outside.reply = lambda request: Answer(200, {}, body, 7)
    owed = owed_by(shop, paid(shop))
    try_once(shop, owed, outside)
    with shop.store.read() as db:
        assert stores.deliveries.tries(db, owed.id) == [Try(owed.id, 1, START, 200, 7, kept, "")]


def test_each_try_is_logged_with_what_came_of_it(
    shop: Shop, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "checkout.events")

    def unreachable(request: Outgoing) -> Answer:
        raise Unreachable(Reason.TIMEOUT, "shop.example did not answer in time.")

    order = paid(shop)
    owed = owed_by(shop, order)
    caplog.clear()
    outside.reply = unreachable
    try_once(shop, owed, outside)
    outside.reply = lambda request: Answer(200, {}, b"success", 7)
    try_once(shop, owed_by_id(shop, owed.id), outside)
    about: dict[str, Any] = {
        "delivery": owed.id, "about": "order.paid", "order": order.token, "merchant": 1001, "endpoint": "",
    }  # fmt: skip
    assert [(one.message, one.__dict__["fields"]) for one in caplog.records] == [
        (
            "message.tried",
            {**about, "attempt": 1, "acknowledged": False, "why": "shop.example did not answer in time."},
        ),
        ("message.tried", {**about, "attempt": 2, "acknowledged": True, "why": "", "status": 200, "duration_ms": 7}),
    ]


def test_a_try_is_booked_at_the_time_when_it_ended_and_noted_at_the_time_when_it_began(shop: Shop) -> None:
    owed = owed_by(shop, paid(shop))
    claimed = deliveries.claim(shop.store, owed, START)
    assert claimed is not None
    times = iter([START + 1, START + 11])
    assert deliveries.deliver(shop.store, DIALECTS, lambda request: answer(), claimed, lambda: next(times))
    assert owed_by_id(shop, owed.id).done_at == START + 11
    with shop.store.read() as db:
        assert [one.at for one in stores.deliveries.tries(db, owed.id)] == [START + 1]


def test_a_message_that_is_sent_again_begins_its_schedule_anew(shop: Shop, outside: Outside) -> None:
    outside.reply = lambda request: answer(500, b"no")
    owed = owed_by(shop, paid(shop))
    for _ in range(9):
        try_once(shop, owed_by_id(shop, owed.id), outside)
    shop.go(10**6)
    again = deliveries.resend(shop.store, owed.id, shop.now)
    assert (again.attempts, again.tried_before) == (9, 9)
    try_once(shop, again, outside)
    assert shop.now + 5 <= owed_by_id(shop, owed.id).due_at <= shop.now + 6


def test_a_message_keeps_its_own_address_when_it_is_sent_again(shop: Shop) -> None:
    order = paid(shop, notify_url="https://own.example/n")
    shop.change_merchant(notify_url="https://new.example/n")
    assert deliveries.resend(shop.store, owed_by(shop, order).id, START).url == "https://own.example/n"


def owed_by_id(shop: Shop, name: str) -> Delivery:
    with shop.store.read() as db:
        found = stores.deliveries.get(db, name)
    assert found is not None
    return found


# What a try says of its endpoint


@pytest.mark.parametrize(("status", "is_good"), [(199, False), (200, True), (204, True), (299, True), (300, False)])
def test_any_2xx_acknowledges_an_event(listener: Listener, status: int, is_good: bool) -> None:
    endpoint = listener.add("order.paid")
    listener.paid()
    listener.outside.reply = lambda request: answer(status)
    claimed = deliveries.claim(listener.store, listener.owed(endpoint)[0], START)
    assert claimed is not None
    assert deliveries.deliver(listener.store, {}, listener.outside.send, claimed, listener.clock) is is_good
    [owed] = listener.owed(endpoint)
    assert owed.state is (DeliveryState.DELIVERED if is_good else DeliveryState.WAITING)
    assert listener.now(endpoint).failing_since == (None if is_good else START)


@pytest.mark.parametrize(("later", "is_paused"), [(PAUSE_AFTER_S - 1, False), (PAUSE_AFTER_S, True)])
def test_an_endpoint_is_paused_when_every_try_of_three_days_has_failed(
    listener: Listener, later: int, is_paused: bool
) -> None:
    assert PAUSE_AFTER_S == 259_200
    endpoint = listener.add("order.paid")
    with listener.store.transaction() as db:
        stores.endpoints.failed(db, endpoint.id, START)
    listener.clock.go(later)
    listener.paid()
    listener.outside.reply = lambda request: answer(500)
    listener.work()
    found, [owed] = listener.now(endpoint), listener.owed(endpoint)
    paused = (START + later, "failing", DeliveryState.HELD)
    assert (found.paused_at, found.pause, owed.state) == (paused if is_paused else (None, "", DeliveryState.WAITING))
    assert len(listener.tries(owed)) == 1


def test_an_endpoint_that_is_gone_is_paused_at_once_and_one_that_cannot_be_reached_is_not(listener: Listener) -> None:
    def unreachable(request: Outgoing) -> Answer:
        raise Unreachable(Reason.TIMEOUT, "hooks.example did not answer in time.")

    endpoint = listener.add("order.paid")
    listener.paid()
    listener.outside.reply = unreachable
    listener.work()
    assert listener.now(endpoint).pause == ""
    listener.clock.go(60)
    listener.outside.reply = lambda request: answer(410)
    listener.work()
    assert (listener.now(endpoint).pause, listener.now(endpoint).paused_at) == ("gone", START + 60)


def test_a_success_ends_the_count_of_days(listener: Listener) -> None:
    endpoint = listener.add("order.paid")
    with listener.store.transaction() as db:
        stores.endpoints.failed(db, endpoint.id, START)
    listener.paid()
    listener.work()
    assert listener.now(endpoint).failing_since is None


def test_pausing_says_whether_it_was_not_paused_before_and_holds_what_waits_either_way(listener: Listener) -> None:
    endpoint = listener.add("order.paid")
    listener.paid()
    with listener.store.transaction() as db:
        assert deliveries.pause(db, endpoint.id, "hand", START)
        db.run("UPDATE deliveries SET state = 'waiting' WHERE endpoint <> ''")
        assert not deliveries.pause(db, endpoint.id, "gone", START + 1)
    assert [one.state for one in listener.owed(endpoint)] == [DeliveryState.HELD]
    assert (listener.now(endpoint).pause, listener.now(endpoint).paused_at) == ("hand", START)


@pytest.mark.parametrize("end", ["paused", "removed"])
def test_nothing_is_sent_to_an_endpoint_that_went_after_the_claim(listener: Listener, end: str) -> None:
    endpoint = listener.add("order.paid")
    listener.paid()
    claimed = deliveries.claim(listener.store, listener.owed(endpoint)[0], START)
    assert claimed is not None
    getattr(endpoints, "pause" if end == "paused" else "remove")(listener.store, endpoint.id, **listener.by)
    assert not deliveries.deliver(listener.store, {}, listener.outside.send, claimed, listener.clock)
    assert listener.outside.sent == []
    assert listener.tries(claimed) == []
