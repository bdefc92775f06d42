"""From Alipay's notice to the paid order: over a real database, with the notices that Alipay really would send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkout import gateways, ids, inquiries, store
from checkout.channel import Channel, Raw
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.store.gateways import Watch
from tests.channels.alipay_app import channel_at, opened
from tests.channels.orders import TOKEN, order, start
from tests.fakes.alipay import FakeAlipay
from tests.world import START, FakeClock, World, account


@pytest.fixture
def alipay(clock: FakeClock) -> Iterator[FakeAlipay]:
    with opened(clock) as fake:
        yield fake


@pytest.fixture
def channel(alipay: FakeAlipay, tmp_path: Path) -> Channel:
    return channel_at(alipay, tmp_path)


@pytest.fixture
def waiting(world: World, channel: Channel) -> Order:
    """An order that its buyer was shown the code of."""
    found = order()
    with world.store.transaction() as db:
        store.accounts.add(db, account(id="ali-official", method="alipay", channel="alipay", code=""))
        store.orders.add(db, found)
    gateways.prompt_for(world.store, {"alipay": channel}, start())
    return found


Notify = Callable[[bytes], bool]


@pytest.fixture
def notify(world: World, channel: Channel) -> Notify:
    """Whether a notice is answered with success."""

    def told(body: bytes) -> bool:
        now = world.clock()
        notice = channel.read_notice(Raw("POST", b"", body, {}, now))
        return gateways.handle_notice(world.store, channel, notice, new_id=ids.new_id, now=now)

    return told


def payments(world: World) -> list[tuple[Judgement, str]]:
    return [(payment.judgement, payment.order_token) for payment in all_payments(world)]


def all_payments(world: World) -> list[Payment]:
    return sorted(world.payments(), key=lambda payment: payment.received_at)


def ask(world: World, channel: Channel, *, times: int = 1) -> None:
    watch = Watch(TOKEN, "alipay", world.clock(), times, False)
    inquiries.check(world.store, {"alipay": channel}, watch, new_id=ids.new_id, clock=world.clock)


def test_a_notice_pays_its_order(world: World, waiting: Order, alipay: FakeAlipay, notify: Notify) -> None:
    alipay.pay(TOKEN)
    assert notify(alipay.notice(TOKEN))
    assert world.order(TOKEN).state is State.PAID
    assert payments(world) == [(Judgement.MATCHED, TOKEN)]


def test_the_same_notice_eight_times_is_one_payment(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify
) -> None:
    alipay.pay(TOKEN)
    assert all(notify(alipay.notice(TOKEN)) for _ in range(8))
    assert payments(world) == [(Judgement.MATCHED, TOKEN)]


def test_the_same_notice_twenty_times_at_once_is_one_payment(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify
) -> None:
    alipay.pay(TOKEN)
    with ThreadPoolExecutor(20) as crowd:
        assert all(crowd.map(notify, [alipay.notice(TOKEN)] * 20))
    assert payments(world) == [(Judgement.MATCHED, TOKEN)]


def test_notice_and_question_at_once_are_one_payment(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify, channel: Channel
) -> None:
    alipay.pay(TOKEN)
    with ThreadPoolExecutor(2) as both:
        asked = both.submit(ask, world, channel)
        assert both.submit(notify, alipay.notice(TOKEN)).result()
        asked.result()
    assert payments(world) == [(Judgement.MATCHED, TOKEN)]


def test_a_return_pays_nothing_and_a_question_does(
    world: World, waiting: Order, alipay: FakeAlipay, channel: Channel
) -> None:
    alipay.pay(TOKEN)
    channel.read_return(Raw("GET", alipay.returned(TOKEN).encode(), b"", {}, START))
    assert world.order(TOKEN).state is State.PENDING
    ask(world, channel)
    assert world.order(TOKEN).state is State.PAID


def test_a_partial_refunds_notice_is_no_second_payment(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify
) -> None:
    alipay.pay(TOKEN)
    assert notify(alipay.notice(TOKEN))
    assert notify(alipay.notice(TOKEN, gmt_refund="2026-09-21 22:20:00.123", refund_fee="1.00", out_biz_no="ref_1"))
    assert payments(world) == [(Judgement.MATCHED, TOKEN)]


def test_waiting_pays_nothing(world: World, waiting: Order, alipay: FakeAlipay, notify: Notify) -> None:
    alipay.scan(TOKEN)
    assert notify(alipay.notice(TOKEN))
    assert world.order(TOKEN).state is State.PENDING


@pytest.mark.parametrize("changes", [{"total_amount": "9.89"}, {"total_amount": "990"}, {"app_id": "2021000000000002"}])
def test_the_wrong_amount_or_app_is_kept_and_never_booked(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify, changes: dict[str, str]
) -> None:
    alipay.pay(TOKEN)
    assert notify(alipay.notice(TOKEN, **changes))
    assert world.order(TOKEN).state is State.PENDING
    assert [judgement for judgement, _ in payments(world)] == [Judgement.UNMATCHED]


def test_an_unknown_order_is_asked_for_again(world: World, waiting: Order, alipay: FakeAlipay, notify: Notify) -> None:
    alipay.pay(TOKEN)
    assert not notify(alipay.notice(TOKEN, out_trade_no="f" * 32))
    assert payments(world) == []


def test_a_second_transaction_for_a_paid_order_is_a_double_payment(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify
) -> None:
    alipay.pay(TOKEN)
    assert notify(alipay.notice(TOKEN))
    world.clock.go(1)
    assert notify(alipay.notice(TOKEN, trade_no="2026092122001004999999999999"))
    assert [judgement for judgement, _ in payments(world)] == [Judgement.MATCHED, Judgement.SUSPECTED]


def test_money_after_the_end_is_booked_as_late(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify
) -> None:
    world.clock.go(400)
    alipay.pay(TOKEN)
    assert notify(alipay.notice(TOKEN))
    paid = world.order(TOKEN)
    assert (paid.state, paid.late) == (State.PAID, True)


def test_an_order_that_ends_is_closed_there_before_the_last_question(
    world: World, waiting: Order, alipay: FakeAlipay, channel: Channel
) -> None:
    alipay.scan(TOKEN)
    world.clock.go(301)
    ask(world, channel)
    assert [asked["method"] for asked in alipay.asked[1:]] == ["alipay.trade.close", "alipay.trade.query"]
    assert alipay.trades[TOKEN].status == "TRADE_CLOSED"
    assert world.order(TOKEN).state_at(world.clock()) is State.EXPIRED


def test_no_secret_reaches_the_database(
    world: World, waiting: Order, alipay: FakeAlipay, notify: Notify, tmp_path: Path
) -> None:
    alipay.pay(TOKEN)
    notify(alipay.notice(TOKEN))
    [payment] = all_payments(world)
    assert '"trade_no"' in payment.raw
    assert '"sign' not in payment.raw
    assert "PRIVATE KEY" not in payment.raw
