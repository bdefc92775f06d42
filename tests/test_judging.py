"""What is kept of a report of money, whatever became of it: the payment field by field, the reason, who did it, and
what is told to those who listen and to the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import orders, payments
from checkout import store as stores
from checkout.errors import Code, Refusal, StoreError
from checkout.interfaces import Store
from checkout.model.orders import State
from checkout.model.payments import Judgement, Payment
from checkout.payments import CLOCK_SLACK_S, ECHO_WINDOW_S, REPEAT_WINDOW_S, Outcome, Report
from tests.hooks import Listener
from tests.shop import Shop
from tests.world import START, FakeClock, Outside


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store).fill()


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """What was logged since the last look."""
    caplog.set_level(logging.INFO, "checkout.events")

    def look() -> list[tuple[str, dict[str, Any]]]:
        found = [(one.message, one.__dict__["fields"]) for one in caplog.records if one.name == "checkout.events"]
        caplog.clear()
        return found

    return look


Look = Callable[[], list[tuple[str, dict[str, Any]]]]


def report(shop: Shop, **changes: Any) -> Report:
    with shop.store.read() as db:
        phone = stores.devices.get(db, "phone")
    assert phone is not None
    told = Report(phone, "wechat", 990, shop.new_id("told"), '{"a": 1}', shop.now - 2)
    return replace(told, **changes)


def receive(shop: Shop, told: Report) -> Outcome:
    return payments.receive(shop.store, told, new_id=shop.new_id, now=shop.now)


def told_of(shop: Shop, told: Report, **changes: Any) -> dict[str, Any]:
    """The fields of the payment that the report makes."""
    return {
        "channel": "personal", "reference": told.reference, "device": "phone", "method": "wechat",
        "amount": told.amount, "judgement": Judgement.UNMATCHED, "order_token": "", "account": "", "raw": '{"a": 1}',
        "note": "", "happened_at": told.happened_at, "received_at": shop.now, "judged_at": shop.now, "merchant": 0,
        **changes,
    }  # fmt: skip


def fields(shop: Shop, outcome: Outcome) -> dict[str, Any]:
    stored = shop.payment(outcome)
    return {name: getattr(stored, name) for name in Payment.__struct_fields__ if name != "id"}


def test_the_windows_are_three_seconds_an_hour_and_five_seconds() -> None:
    assert (REPEAT_WINDOW_S, ECHO_WINDOW_S, CLOCK_SLACK_S) == (3, 3600, 5)


def test_a_report_says_no_more_than_it_is_told() -> None:
    told = Report(None, "wechat", 990, "r", "{}", START)  # type: ignore[arg-type]
    assert (told.note, told.event, told.came_at, told.repeat_s) == ("", "", None, 3)


def test_money_that_pays_an_order_is_booked_to_it_and_logged(shop: Shop, events: Look) -> None:
    order = shop.open()
    shop.go(7)
    events()
    told = report(shop)
    outcome = receive(shop, told)
    as_reported = {"judgement": Judgement.UNMATCHED, "judged_at": None}
    assert {name: getattr(outcome.payment, name) for name in Payment.__struct_fields__ if name != "id"} == told_of(
        shop, told, **as_reported
    )
    assert outcome.payment.id.startswith("pay_0000")
    assert fields(shop, outcome) == told_of(
        shop, told, judgement=Judgement.MATCHED, order_token=order.token, account="wx-main", merchant=1001
    )
    assert events() == [
        ("payment.received", {"payment": outcome.payment.id, "device": "phone"}),
        ("order.paid", {"order": order.token, "merchant": 1001, "payment": outcome.payment.id, "late": False}),
    ]
    with shop.store.read() as db:
        phone = stores.devices.get(db, "phone")
    assert phone is not None
    assert phone.push_at == START + 7


def test_a_report_that_is_repeated_changes_and_logs_nothing(
    shop: Shop, events: Look, caplog: pytest.LogCaptureFixture
) -> None:
    told = report(shop)
    first = receive(shop, told)
    events()
    shop.go(9)
    again = receive(shop, replace(told, amount=5))
    assert (again.repeated, again.order, first.repeated) == (True, None, False)
    assert shop.payments() == [shop.payment(first)]
    assert caplog.records == []


def test_money_for_no_order_is_kept_with_the_reason(shop: Shop, events: Look) -> None:
    told = report(shop)
    outcome = receive(shop, told)
    assert fields(shop, outcome) == told_of(shop, told, note="No waiting order has this amount.")
    assert [name for name, _ in events()] == ["payment.received"]


@pytest.mark.parametrize(("note", "kept"), [("", "The amount could not be read."), ("Two amounts.", "Two amounts.")])
def test_an_amount_that_nobody_could_read_is_kept_with_the_reason(shop: Shop, note: str, kept: str) -> None:
    told = report(shop, amount=None, note=note)
    assert fields(shop, receive(shop, told)) == told_of(shop, told, judgement=Judgement.UNREADABLE, note=kept)


def cannot(*_: object, **__: object) -> None:
    raise AssertionError("a fault of ours")


def test_money_that_cannot_be_judged_waits_for_a_person_and_changes_no_order(
    shop: Shop, events: Look, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.open()
    shop.go(7)
    events()
    told = report(shop)
    monkeypatch.setattr(stores.receipts, "add", cannot)  # after the order was marked as paid
    outcome = receive(shop, told)
    assert (outcome.order, outcome.repeated) == (None, False)
    assert fields(shop, outcome) == told_of(shop, told, note="It could not be judged; the log says why.")
    assert shop.order(order.token).state is State.PENDING
    assert "a fault of ours" in caplog.text
    assert [name for name, _ in events() if name != "checkout.payments"] == ["payment.received"]
    with shop.store.read() as db:
        phone = stores.devices.get(db, "phone")
        assert phone is not None
        assert phone.push_at == START + 7
    monkeypatch.undo()
    assert receive(shop, told).repeated, "it is known"
    payments.link(
        shop.store, outcome.payment.id, order.token, reason="seen", actor="test", new_id=shop.new_id, now=shop.now
    )
    assert shop.order(order.token).state is State.PAID


def test_a_repeated_report_that_cannot_be_judged_is_not_stored_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = report(shop)
    first = receive(shop, told)
    monkeypatch.setattr(stores.devices, "pushed", cannot)
    monkeypatch.setattr(payments, "_book", cannot)
    assert receive(shop, told).repeated
    assert shop.payments() == [shop.payment(first)]


def test_what_cannot_be_stored_is_no_success(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(stores.payments, "judge", full)
    with pytest.raises(StoreError):
        receive(shop, report(shop))
    assert shop.payments() == []


def test_an_amount_of_two_orders_names_neither(shop: Shop) -> None:
    shop.open("N1")
    shop.add_account(id="wx-two")
    with shop.store.transaction() as db:
        db.run(
            "INSERT INTO slots (account, amount, order_token, free_at, rested_at)"
            " SELECT 'wx-two', amount, order_token, free_at, rested_at FROM slots"
        )
        stores.devices.watch(db, "phone", "wx-two")
    told = report(shop)
    note = "Several waiting orders have this amount."
    assert fields(shop, receive(shop, told)) == told_of(shop, told, note=note)


@pytest.mark.parametrize(
    ("later", "change", "note"),
    [
        (1, {}, "Its order was paid a moment ago: a repeat, or paid twice."),
        (700, {"event": "sms:7:"}, "The phone told of the same notification before."),
        (700, {"repeat_s": 701}, "The phone pushed the same amount shortly before."),
    ],
)
def test_money_that_was_perhaps_told_before_names_the_order_that_it_did_not_pay(
    shop: Shop, later: int, change: dict[str, Any], note: str
) -> None:
    first = shop.open("N1")
    receive(shop, report(shop, reference="sms:7:0"))
    shop.go(later)
    order = shop.open("N2") if later > 1 else first
    assert order.really_price == 990
    told = report(shop, reference="sms:7:1", **change)
    outcome = receive(shop, told)
    assert outcome.order is None
    assert fields(shop, outcome) == told_of(
        shop, told, judgement=Judgement.SUSPECTED, order_token=order.token, note=note, merchant=1001
    )


def test_money_that_another_phone_told_of_before_names_the_order_that_it_did_not_pay(shop: Shop) -> None:
    shop.open("N1")
    shop.add_device("second", ["wx-main"])
    shop.push(990, "second")
    shop.go(ECHO_WINDOW_S)
    order = shop.open("N2")
    told = report(shop)
    assert fields(shop, receive(shop, told)) == told_of(
        shop, told, judgement=Judgement.SUSPECTED, order_token=order.token, merchant=1001,
        note="Perhaps the money that another phone of the account reported before.",
    )  # fmt: skip


def test_money_from_before_the_order_names_none(shop: Shop) -> None:
    shop.open()
    told = report(shop, came_at=START - CLOCK_SLACK_S - 1)
    note = "The money came before the order of this amount was opened."
    assert fields(shop, receive(shop, told)) == told_of(shop, told, note=note)


def test_money_for_a_number_that_is_paid_already_names_the_attempt(shop: Shop) -> None:
    shop.open()
    shop.go(300)
    second = shop.open()
    shop.push(990)
    told = report(shop, amount=second.really_price)
    assert fields(shop, receive(shop, told)) == told_of(
        shop, told, judgement=Judgement.SUSPECTED, order_token=second.token, merchant=1001,
        note="Another order of the same number is paid already.",
    )  # fmt: skip


def test_those_who_listen_hear_of_money_that_waits_for_a_person(
    store: Store, clock: FakeClock, outside: Outside
) -> None:
    listener = Listener(store, clock, outside)
    endpoint = listener.add("payment.unmatched")
    shop = listener.shop
    order = shop.open()
    outcomes = [receive(shop, report(shop, amount=amount)) for amount in (None, 5, 990)]
    shop.go(1)
    outcomes.append(receive(shop, report(shop)))
    told = sorted(listener.owed(endpoint), key=lambda one: one.id)
    waiting = [outcomes[0], outcomes[1], outcomes[3]]
    assert [one.subject for one in told] == [one.payment.id for one in waiting]
    assert [one.order_token for one in told] == ["", "", order.token]
    assert [one.created_at for one in told] == [START, START, START + 1]
    assert all(one.id.startswith("msg_0000") for one in told)


# By hand


def link(shop: Shop, outcome: Outcome, token: str, **changes: Any) -> Any:
    words = {"reason": "the buyer showed it", "actor": "owner", "new_id": shop.new_id, "now": shop.now, **changes}
    return payments.link(shop.store, outcome.payment.id, token, **words)


def test_linking_books_the_payment_with_who_and_why(shop: Shop, events: Look) -> None:
    order, told = shop.open(), report(shop, amount=500)
    outcome = receive(shop, told)
    arrived = shop.now
    shop.go(9)
    events()
    assert link(shop, outcome, order.token) == shop.order(order)
    assert fields(shop, outcome) == {
        **told_of(shop, told, judgement=Judgement.LINKED, order_token=order.token, account="wx-main", merchant=1001),
        "note": "the buyer showed it", "received_at": arrived,
    }  # fmt: skip
    [entry] = shop.audit()
    assert (entry.actor, entry.action, entry.subject, entry.at) == (
        "owner", "payment.link", outcome.payment.id, START + 9,
    )  # fmt: skip
    assert json.loads(entry.detail) == {"order": order.token, "reason": "the buyer showed it"}
    assert events() == [
        ("order.paid", {"order": order.token, "merchant": 1001, "payment": outcome.payment.id, "late": False})
    ]


def test_a_payment_that_cannot_be_linked_stays_as_it_is(shop: Shop) -> None:
    order, unchosen = shop.open("N1"), shop.open("N2", method="")
    outcome = receive(shop, report(shop, amount=500))
    before = shop.payment(outcome)
    for token, changes, code in (
        (order.token, {"reason": "  "}, Code.BAD_REQUEST),
        ("0" * 32, {}, Code.NOT_FOUND),
        (unchosen.token, {}, Code.NOT_ALLOWED),
    ):
        with pytest.raises(Refusal) as caught:
            link(shop, outcome, token, **changes)
        assert caught.value.code is code
    shop.push(order.really_price)
    with pytest.raises(Refusal, match="is paid already") as caught:
        link(shop, outcome, order.token)
    assert caught.value.code is Code.NOT_ALLOWED
    assert (shop.payment(outcome), shop.audit()) == (before, [])


def test_what_is_set_aside_keeps_who_and_why(shop: Shop) -> None:
    told = report(shop, amount=500)
    outcome = receive(shop, told)
    by: dict[str, Any] = {"actor": "owner", "new_id": shop.new_id}
    for reason, payment, code in ((" ", outcome.payment.id, Code.BAD_REQUEST), ("mine", "nothing", Code.CONFLICT)):
        with pytest.raises(Refusal) as caught:
            payments.ignore(shop.store, payment, reason=reason, now=START, **by)
        assert caught.value.code is code
    payments.ignore(shop.store, outcome.payment.id, reason="mine", now=START + 9, **by)
    assert fields(shop, outcome) == told_of(shop, told, judgement=Judgement.IGNORED, note="mine", judged_at=START + 9)
    [entry] = shop.audit()
    assert (entry.actor, entry.action, entry.subject, entry.at) == (
        "owner", "payment.ignore", outcome.payment.id, START + 9,
    )  # fmt: skip
    assert json.loads(entry.detail) == {"reason": "mine"}


# The log of orders


def test_an_order_confirmed_by_hand_is_logged_as_paid(shop: Shop, events: Look) -> None:
    order = shop.open()
    shop.close(order)
    events()
    shop.confirm(order, 990)
    [payment] = shop.payments()
    assert events() == [("order.paid", {"order": order.token, "merchant": 1001, "payment": payment.id, "late": True})]


def test_orders_that_expire_are_logged_by_their_number(shop: Shop, events: Look) -> None:
    shop.open("N1")
    shop.open("N2")
    shop.go(300)
    events()
    assert orders.expire_due(shop.store, shop.now) == 2
    assert orders.expire_due(shop.store, shop.now) == 0
    assert events() == [("orders.expired", {"count": 2})]


def test_an_order_is_logged_when_it_is_opened_and_when_it_is_closed_and_a_retry_is_not(
    shop: Shop, events: Look
) -> None:
    order = shop.open()
    assert events() == [("order.opened", {"order": order.token, "merchant": 1001, "account": "wx-main"})]
    assert shop.open() == order
    assert events() == []
    shop.close(order)
    assert events() == [("order.closed", {"order": order.token, "merchant": 1001})]
