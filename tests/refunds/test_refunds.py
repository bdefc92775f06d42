"""The rule of refunds: by hand, told to the merchant, and money that was booked to no order."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from checkout import gateways, ids, payments, settlement, store
from checkout.errors import Code, Refusal
from checkout.model.deliveries import DeliveryState, Endpoint
from checkout.model.orders import State
from checkout.model.payments import Judgement, Payment
from checkout.model.refunds import Refund, RefundState
from checkout.refunds import ledger
from checkout.refunds.calls import LEASE_S
from checkout.settings import Settings
from checkout.store import open_store
from tests.channels.orders import TOKEN
from tests.tills import Till, till_at
from tests.world import START, World

HOOK = Endpoint(
    id="whk_1", merchant=1001, url="https://hooks.example/in", events="order.refunded", description="",
    secret="whsec_" + "c2VjcmV0" * 5, previous_secret="", previous_secret_until=0, failing_since=None, paused_at=None,
    pause="", created_at=START,
)  # fmt: skip


@pytest.fixture
def alipay(world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at("alipay", world, tmp_path) as opened:
        with world.store.transaction() as db:
            store.endpoints.add(db, HOOK)
        yield opened


def by(world: World) -> dict[str, Any]:
    return {"reason": "returned", "actor": "owner", "new_id": ids.new_id, "now": world.clock()}


def told(world: World) -> list[dict[str, Any]]:
    with world.store.read() as db:
        found = store.deliveries.listed(db, state=None, endpoint="whk_1")[::-1]
    return [json.loads(one.body)["data"] for one in found]


def test_the_merchant_is_told_of_each_refund_that_went_through_once(alipay: Till) -> None:
    alipay.ask(400)
    assert told(alipay.world) == []
    alipay.work()
    ledger.by_hand(alipay.world.store, TOKEN, amount=90, **by(alipay.world))
    now = alipay.world.clock()
    with alipay.world.store.transaction() as db:
        ledger.done(db, alipay.refunds()[0], now)  # heard a second time
    assert [(one["refund"]["amount"]["amount"], one["refunded"]["amount"]) for one in told(alipay.world)] == [
        (400, 400),
        (90, 490),
    ]


def test_a_shop_that_did_not_hear_of_a_payment_before_it_went_back_is_not_told_that_it_came(world: World) -> None:
    token = world.create()["data"]["orderId"]
    world.push("9.90")
    ledger.by_hand(world.store, token, amount=100, **by(world))
    with world.store.read() as db:
        assert len(store.deliveries.due(db, world.clock())) == 1
    ledger.by_hand(world.store, token, **by(world))
    assert world.work() == 0
    with world.store.read() as db:
        [delivery] = store.deliveries.of_order(db, token)
        [attempt] = store.deliveries.tries(db, delivery.id)
    assert delivery.state is DeliveryState.FAILED
    assert attempt.error.startswith("Not sent any more")
    assert world.outside.sent == []


def test_a_shop_that_has_heard_of_it_keeps_its_acknowledgement(world: World) -> None:
    token = world.create()["data"]["orderId"]
    world.push("9.90")
    world.work()
    ledger.by_hand(world.store, token, **by(world))
    with world.store.read() as db:
        assert [one.state for one in store.deliveries.of_order(db, token)] == [DeliveryState.DELIVERED]


def test_two_processes_never_give_more_than_came(alipay: Till, settings: Settings) -> None:
    """Each with a database connection of its own; whoever comes second is refused."""
    stores = [open_store(settings.database) for _ in range(2)]

    def ask(number: int) -> str:
        try:
            return ledger.ask(stores[number % 2], TOKEN, alipay.channels, amount=300, **by(alipay.world)).state
        except Refusal as refusal:
            return refusal.code

    try:
        with ThreadPoolExecutor(8) as crowd:
            outcomes = sorted(crowd.map(ask, range(16)))
    finally:
        for one in stores:
            one.close()
    assert outcomes == ["asked"] * 3 + [Code.BAD_AMOUNT] * 13
    assert alipay.back().under_way == 900


def test_one_that_failed_is_not_told(alipay: Till) -> None:
    alipay.gateway.trades[TOKEN].status = "TRADE_FINISHED"
    alipay.ask(400)
    alipay.work()
    assert alipay.states() == [(400, "failed")]
    assert told(alipay.world) == []


def test_by_hand_counts_together_with_the_gateway_s(alipay: Till) -> None:
    alipay.ask(400)
    ledger.by_hand(alipay.world.store, TOKEN, amount=500, **by(alipay.world))
    with pytest.raises(Refusal, match=r"At most 0\.90"):
        ledger.by_hand(alipay.world.store, TOKEN, amount=91, **by(alipay.world))
    last = ledger.by_hand(alipay.world.store, TOKEN, number="H-1", **by(alipay.world))
    assert (last.amount, last.state) == (90, RefundState.BY_HAND)
    assert ledger.by_hand(alipay.world.store, TOKEN, number="H-1", **by(alipay.world)) == last


def test_an_order_is_refunded_once_all_of_its_money_is_back(alipay: Till) -> None:
    alipay.ask()
    stands = alipay.back()
    assert (stands.left, stands.under_way, stands.is_whole) == (0, 990, False)
    alipay.work()
    assert alipay.back().is_whole


def send_back(till: Till, payment: Payment) -> Refund:
    return ledger.ask_for_payment(till.world.store, payment.id, till.channels, **by(till.world))


def test_a_second_payment_goes_back_as_its_own_case(alipay: Till) -> None:
    payment = alipay.pay_again()
    assert payment.judgement is Judgement.SUSPECTED
    send_back(alipay, payment)
    alipay.work()
    assert str(alipay.gateway.trades["f" * 32].refunded) == "9.90"
    assert (alipay.moved(), alipay.back().left) == (0, 990)  # the money that paid the order stays
    after = next(one for one in alipay.world.payments() if one.id == payment.id)
    assert (after.judgement, after.note) == (Judgement.IGNORED, "Given back to the buyer: returned")
    assert told(alipay.world) == []


def test_money_of_an_order_that_was_confirmed_by_hand_is_not_called_a_second_payment(
    world: World, tmp_path: Path
) -> None:
    with till_at("alipay", world, tmp_path) as till:
        order = replace(till.order, token="d" * 32, number="N7", state=State.PENDING, paid_at=None)
        with world.store.transaction() as db:
            store.orders.add(db, order)
        settlement.confirm(world.store, order.token, amount=990, **by(world))
        till.gateway.trades[order.token] = dataclasses.replace(
            till.gateway.trades[TOKEN], number=order.token, trade_no="T" * 20
        )
        found = till.channel.query(order, world.clock())
        assert found.paid is not None
        gateways.book(world.store, till.channel, found.paid, "{}", new_id=ids.new_id, now=world.clock())
        payment = next(one for one in world.payments() if one.reference == "T" * 20)
        assert payment.judgement is Judgement.SUSPECTED
        assert "confirmed by hand before" in payment.note


def test_money_on_its_way_back_is_neither_sent_twice_nor_booked(alipay: Till) -> None:
    payment = alipay.pay_again()
    send_back(alipay, payment)
    with pytest.raises(Refusal) as refused:
        send_back(alipay, payment)
    assert refused.value.code is Code.CONFLICT
    with pytest.raises(Refusal, match="on its way back") as refused:
        payments.link(alipay.world.store, payment.id, TOKEN, **by(alipay.world))
    assert refused.value.code is Code.CONFLICT


def test_a_payment_whose_refund_failed_waits_again(alipay: Till) -> None:
    payment = alipay.pay_again()
    alipay.gateway.trades["f" * 32].status = "TRADE_FINISHED"
    send_back(alipay, payment)
    alipay.work()
    after = next(one for one in alipay.world.payments() if one.id == payment.id)
    assert after.judgement is Judgement.SUSPECTED
    alipay.gateway.trades["f" * 32].status = "TRADE_SUCCESS"
    send_back(alipay, payment)
    alipay.work()
    assert str(alipay.gateway.trades["f" * 32].refunded) == "9.90"


def test_a_payment_of_the_wrong_amount_goes_back(alipay: Till, world: World) -> None:
    other = "e" * 32
    with world.store.transaction() as db:
        store.orders.add(
            db, replace(alipay.order, token=other, number="N2", price=500, really_price=500,
                        state=State.PENDING, paid_at=None),
        )  # fmt: skip
    trade = alipay.gateway.trades[other] = dataclasses.replace(
        alipay.gateway.trades[TOKEN], number=other, trade_no="T" * 20
    )
    trade.refunds = {}
    found = alipay.channel.query(world.order(other), world.clock())
    assert found.paid is not None
    gateways.book(world.store, alipay.channel, found.paid, "{}", new_id=ids.new_id, now=world.clock())
    payment = next(one for one in world.payments() if one.reference == "T" * 20)
    assert (payment.judgement, payment.amount, payment.order_token) == (Judgement.UNMATCHED, 990, other)
    send_back(alipay, payment)
    alipay.work()
    assert str(trade.refunded) == "9.90"


def test_what_settled_an_order_or_came_to_a_phone_is_not_sent_back_as_a_payment(alipay: Till, world: World) -> None:
    [settling] = world.payments()
    with pytest.raises(Refusal) as refused:
        send_back(alipay, settling)
    assert refused.value.code is Code.CONFLICT
    world.push("7.77")
    personal = next(one for one in world.payments() if one.channel == "personal")
    with pytest.raises(Refusal, match="goes back by hand") as refused:
        send_back(alipay, personal)
    assert refused.value.code is Code.NOT_ALLOWED
    with pytest.raises(Refusal) as refused:
        send_back(alipay, replace(settling, id="pay_none"))
    assert refused.value.code is Code.NOT_FOUND


def test_a_payment_given_to_another_order_by_hand_goes_back_under_its_own_number(alipay: Till, world: World) -> None:
    """The gateway knows the money by the order that it was started for."""
    with world.store.transaction() as db:
        own = json.dumps({"out_trade_no": TOKEN})
        db.run("UPDATE payments SET raw = :raw, order_token = :other", raw=own, other="d" * 32)
        store.orders.add(db, replace(alipay.order, token="d" * 32, number="N9"))
    ledger.ask(world.store, "d" * 32, alipay.channels, amount=100, **by(world))
    alipay.work()
    world.clock.go(LEASE_S)
    assert alipay.moved() == 100


def test_of_equal_refunds_without_a_number_at_once_one_is_sent(alipay: Till) -> None:
    def ask(_: int) -> str:
        made = ledger.ask(alipay.world.store, TOKEN, alipay.channels, amount=100, repeat_s=60, **by(alipay.world))
        return made.id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(alipay.refunds()) == 1
