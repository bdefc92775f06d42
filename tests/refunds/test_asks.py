"""What a gateway is asked about a refund, when it is asked again, and who waits for the answer: the gateway is a list
of what it was asked, and says what it is told to."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checkout import store as stores
from checkout.channel import Channel, GatewayError, RefundAsk, Refunded, RefundStanding
from checkout.interfaces import Store
from checkout.model.refunds import Refund, RefundState
from checkout.refunds import calls, ledger
from checkout.refunds.calls import AGAIN_AFTER_S, END_S, LEASE_S
from tests.shop import Shop
from tests.world import START

DONE, PROCESSING = Refunded(RefundStanding.DONE), Refunded(RefundStanding.PROCESSING, "The bank is at it.")
DAY = 86_400


class Desk:
    """An order of 9.90 that was paid through a gateway, which answers with `says`."""

    def __init__(self, store: Store) -> None:
        self.shop = Shop(store).fill()
        self.order = self.shop.open()
        self.shop.push(990)
        self.change("payments", channel="alipay", reference="trade-7", raw="{}")
        self.says: Refunded | GatewayError = DONE
        self.sent: list[RefundAsk] = []
        self.questions: list[RefundAsk] = []

    def change(self, table: str, **changes: Any) -> None:
        with self.shop.store.transaction() as db:
            for name, value in changes.items():
                db.run(f"UPDATE {table} SET {name} = :value", value=value)

    def answer(self) -> Refunded:
        if isinstance(self.says, GatewayError):
            raise self.says
        return self.says

    def refund(self, asked: RefundAsk) -> Refunded:
        self.sent.append(asked)
        return self.answer()

    def refund_standing(self, asked: RefundAsk) -> Refunded:
        self.questions.append(asked)
        return self.answer()

    def ask(self, amount: int = 400) -> Refund:
        return ledger.ask(
            self.shop.store, self.order.token, {"alipay"}, amount=amount, reason="returned", actor="owner",
            new_id=self.shop.new_id, now=self.shop.now,
        )  # fmt: skip

    def call(self, refund: Refund, site: str = "https://pay.example") -> Refund:
        """One call, as a worker makes it; the refund as it is then."""
        claimed = calls.claim(self.shop.store, self.stored(refund), self.shop.now)
        assert claimed is not None
        channels = {"alipay": cast(Channel, self)}
        calls.call(self.shop.store, channels, claimed, site, clock=lambda: self.shop.now)
        return self.stored(refund)

    def stored(self, refund: Refund) -> Refund:
        with self.shop.store.read() as db:
            found = stores.refunds.get(db, refund.id)
        assert found is not None
        return found


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


# What is asked


def test_the_gateway_is_told_what_came_what_goes_back_and_where_to_send_its_notice(desk: Desk) -> None:
    refund = desk.ask()
    desk.call(refund)
    assert desk.sent == [
        RefundAsk(
            desk.shop.order(desk.order), paid=990, amount=400, number=refund.id, reason="returned",
            reference="trade-7", notify_url="https://pay.example/notify/alipay", now=START,
        )
    ]  # fmt: skip
    assert desk.questions == []


def test_a_site_without_an_address_asks_for_no_notice(desk: Desk) -> None:
    desk.call(desk.ask(), site="")
    assert [one.notify_url for one in desk.sent] == [""]


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (json.dumps({"out_trade_no": "other-attempt"}), "other-attempt"),
        (json.dumps({"out_trade_no": ""}), ""),
        (json.dumps({"out_trade_no": 7}), ""),
        (json.dumps(["out_trade_no"]), ""),
        ("<xml/>", ""),
    ],
)
def test_the_order_has_the_number_that_its_payment_was_told_under(desk: Desk, raw: str, number: str) -> None:
    """Another order's where the payment was given to this one by hand."""
    desk.change("payments", raw=raw)
    desk.call(desk.ask())
    assert [one.order.token for one in desk.sent] == [number or desk.order.token]


def test_what_is_on_its_way_is_only_asked_about_and_what_is_not_known_there_is_sent_again(desk: Desk) -> None:
    refund, desk.says = desk.ask(), PROCESSING
    for _ in range(2):
        desk.shop.now = desk.call(refund).due_at or 0
    assert (len(desk.sent), len(desk.questions)) == (1, 1)
    desk.says = Refunded(RefundStanding.REPEAT)
    desk.call(refund)
    assert (len(desk.sent), len(desk.questions)) == (2, 2)
    assert len({one.number for one in desk.sent + desk.questions}) == 1


def test_each_call_is_logged_with_what_came_of_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "checkout.events")
    refund, desk.says = desk.ask(), PROCESSING
    caplog.clear()
    desk.call(refund)
    (line,) = [one for one in caplog.records if one.message == "refund.called"]
    assert line.__dict__["fields"] == {
        "refund": refund.id, "order": desk.order.token, "channel": "alipay", "attempt": 1,
        "standing": RefundStanding.PROCESSING, "why": "The bank is at it.",
    }  # fmt: skip


# When it is asked again


def test_calls_come_later_and_later_and_then_every_six_hours(desk: Desk) -> None:
    refund, desk.says, waits = desk.ask(), PROCESSING, []
    for _ in range(12):
        called = desk.call(refund)
        assert (called.state, called.error, called.due_at is None) == (RefundState.ASKED, "The bank is at it.", False)
        waits.append((called.due_at or 0) - desk.shop.now)
        desk.shop.now = called.due_at or 0
    assert waits == [2, 5, 10, 30, 60, 300, 900, 3600, 10_800, 21_600, 21_600, 21_600]
    assert tuple(waits[:10]) == AGAIN_AFTER_S


def test_a_call_has_a_minute_before_another_worker_makes_the_next(desk: Desk) -> None:
    claimed = calls.claim(desk.shop.store, desk.ask(), START)
    assert claimed is not None
    assert (LEASE_S, claimed.due_at, claimed.attempts) == (60, START + 60, 1)


@pytest.mark.parametrize(("age", "state"), [(30 * DAY - 1, RefundState.ASKED), (30 * DAY, RefundState.FAILED)])
def test_after_thirty_days_nobody_asks_any_more(desk: Desk, age: int, state: RefundState) -> None:
    assert END_S == 30 * DAY
    refund, desk.says = desk.ask(), Refunded(RefundStanding.PROCESSING)
    desk.shop.go(age)
    called = desk.call(refund)
    advice = "Nobody knows whether the money went back: look at the gateway's merchant pages before you send it again."
    assert (called.state, called.error) == (state, advice if state is RefundState.FAILED else "")


def test_only_the_gateway_s_final_no_to_the_call_itself_ends_a_refund(desk: Desk) -> None:
    refund, desk.says = desk.ask(), GatewayError("Come back later.", permanent=False)
    assert desk.call(refund).state is RefundState.ASKED
    desk.shop.go(2)
    desk.says = GatewayError("Never.", permanent=True)
    called = desk.call(refund)
    assert (called.state, called.error) == (RefundState.ASKED, "Never.")
    first = desk.call(desk.ask(100))
    assert (first.state, first.error) == (RefundState.FAILED, "Never.")


# Who waits


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long somebody waited each time, by a clock that goes on only meanwhile."""
    found: list[float] = []
    monkeypatch.setattr(calls, "time", SimpleNamespace(sleep=found.append, monotonic=lambda: 100 + sum(found)))
    return found


def test_who_watches_waits_four_seconds_and_calls_nobody(desk: Desk, waits: list[float]) -> None:
    refund = desk.ask()
    assert calls.watch(desk.shop.store, refund.id) == refund
    assert 39 <= len(waits) <= 41
    assert (desk.sent, desk.questions) == ([], [])


def test_of_three_who_watch_at_once_the_third_does_not_wait(desk: Desk, waits: list[float]) -> None:
    refund = desk.ask()
    for _ in range(2):
        assert calls._watchers.acquire(blocking=False)
    try:
        assert calls.watch(desk.shop.store, refund.id, seconds=9) == refund
        assert waits == []
    finally:
        calls._watchers.release(2)
    for _ in range(3):
        calls.watch(desk.shop.store, refund.id, seconds=0.1)
    assert len(waits) >= 3


def test_who_pursues_a_refund_that_is_not_due_waits_eight_seconds(desk: Desk, waits: list[float]) -> None:
    refund = desk.ask()
    desk.shop.go(-1)
    channels = {"alipay": cast(Channel, desk)}
    found = calls.call_until_done(desk.shop.store, channels, refund.id, "", clock=lambda: desk.shop.now)
    assert found == refund
    assert 79 <= len(waits) <= 81
    desk.shop.go(1)
    found = calls.call_until_done(desk.shop.store, channels, refund.id, "", clock=lambda: desk.shop.now)
    assert (found.state, len(desk.sent)) == (RefundState.DONE, 1)
