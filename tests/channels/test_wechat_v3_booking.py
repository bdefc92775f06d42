"""From WeChat Pay's notice to the paid order: over a real database, with notices sent over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkout import gateways, ids, inquiries, store
from checkout.channel import Channel, NoticeRefused
from checkout.model.accounts import Method
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement
from checkout.store.gateways import Watch
from tests.channels.wechat_v3 import API_KEY, TOKEN, channel, fake, order, raw, start
from tests.fakes.serving import Answered, Asked, Serving
from tests.fakes.wechat_v3 import SCHEDULE, FakeWechatV3
from tests.world import FakeClock, World, account

Sent = tuple[bytes, dict[str, str]]
Notify = Callable[[Sent], bool]


@pytest.fixture
def wechat(clock: FakeClock) -> Iterator[FakeWechatV3]:
    with fake(clock) as gateway:
        yield gateway


@pytest.fixture
def ours(wechat: FakeWechatV3, tmp_path: Path) -> Channel:
    return channel(tmp_path, wechat.gateway)


@pytest.fixture
def waiting(world: World, ours: Channel) -> Order:
    """An order that its buyer was shown the code of."""
    found = order()
    with world.store.transaction() as db:
        store.accounts.add(db, account(id="wx", method=Method.WECHAT, channel="wx", code=""))
        store.orders.add(db, found)
    gateways.prompt_for(world.store, {"wx": ours}, start())
    return found


@pytest.fixture
def notify(world: World, ours: Channel) -> Notify:
    """Whether a notice is accepted."""

    def told(sent: Sent) -> bool:
        now = world.clock()
        notice = ours.read_notice(raw(*sent, now))
        return gateways.handle_notice(world.store, ours, notice, new_id=ids.new_id, now=now)

    return told


def judgements(world: World) -> list[Judgement]:
    return [payment.judgement for payment in sorted(world.payments(), key=lambda payment: payment.received_at)]


def ask(world: World, ours: Channel) -> None:
    watch = Watch(TOKEN, "wx", world.clock(), 1, False)
    inquiries.check(world.store, {"wx": ours}, watch, new_id=ids.new_id, clock=world.clock)


def test_the_same_notice_eight_times_is_one_payment(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify
) -> None:
    wechat.pay(TOKEN)
    assert all(notify(wechat.notice(TOKEN)) for _ in range(8))
    assert world.order(TOKEN).state is State.PAID
    assert judgements(world) == [Judgement.MATCHED]


def test_twenty_notices_and_a_question_at_once_are_one_payment(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify, ours: Channel
) -> None:
    wechat.pay(TOKEN)
    with ThreadPoolExecutor(21) as crowd:
        asked = crowd.submit(ask, world, ours)
        assert all(crowd.map(notify, [wechat.notice(TOKEN)] * 20))
        asked.result()
    assert judgements(world) == [Judgement.MATCHED]


def test_without_a_notice_the_question_books_the_money(
    world: World, waiting: Order, wechat: FakeWechatV3, ours: Channel
) -> None:
    ask(world, ours)
    assert world.order(TOKEN).state is State.PENDING
    wechat.pay(TOKEN)
    ask(world, ours)
    assert world.order(TOKEN).state is State.PAID


@pytest.mark.parametrize("mischief", ["unsigned", "tampered", "probe", "other_key"])
def test_a_bad_answer_to_the_question_pays_nothing(
    world: World, waiting: Order, wechat: FakeWechatV3, ours: Channel, mischief: str
) -> None:
    wechat.mischief = mischief
    ask(world, ours)
    assert world.order(TOKEN).state is State.PENDING
    assert judgements(world) == []


@pytest.mark.parametrize(
    "changes",
    [{"amount": {"total": 1998, "currency": "CNY"}}, {"appid": "wx0000000000000000"}, {"mchid": "1900000110"}],
)
def test_the_wrong_amount_app_or_merchant_is_kept_and_never_booked(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify, changes: dict[str, object]
) -> None:
    wechat.pay(TOKEN)
    assert notify(wechat.notice(TOKEN, **changes))
    assert world.order(TOKEN).state is State.PENDING
    assert judgements(world) == [Judgement.UNMATCHED]


def test_an_unknown_order_is_asked_for_again(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify
) -> None:
    wechat.pay(TOKEN)
    assert not notify(wechat.notice(TOKEN, out_trade_no="f" * 32))
    assert judgements(world) == []


def test_a_second_transaction_for_a_paid_order_is_a_double_payment(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify
) -> None:
    wechat.pay(TOKEN)
    assert notify(wechat.notice(TOKEN))
    world.clock.go(1)
    assert notify(wechat.notice(TOKEN, transaction_id="4200009999"))
    assert judgements(world) == [Judgement.MATCHED, Judgement.SUSPECTED]


def test_money_after_the_end_is_booked_as_late(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify
) -> None:
    world.clock.go(400)
    wechat.pay(TOKEN)
    assert notify(wechat.notice(TOKEN))
    assert (world.order(TOKEN).state, world.order(TOKEN).late) == (State.PAID, True)


def test_an_order_that_ends_is_closed_there_before_the_last_question(
    world: World, waiting: Order, wechat: FakeWechatV3, ours: Channel
) -> None:
    world.clock.go(301)
    ask(world, ours)
    assert [asked.path.rpartition("/")[2] for asked in wechat.asked[1:]] == ["close", TOKEN]
    assert wechat.trades[TOKEN].state == "CLOSED"
    assert world.order(TOKEN).state_at(world.clock()) is State.EXPIRED


def test_a_notice_is_sent_again_on_the_schedule_until_it_is_accepted(
    world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify, ours: Channel
) -> None:
    wechat.pay(TOKEN)
    came: list[int] = []

    def receive(asked: Asked) -> Answered:
        came.append(1)
        try:
            accepted = len(came) > 4 and notify((asked.body, dict(asked.headers)))
        except NoticeRefused:
            accepted = False
        reply = ours.reply_accepted() if accepted else ours.reply_refused()
        return Answered(reply.body, reply.status, reply.mimetype)

    with Serving(receive) as server:
        assert wechat.deliver(TOKEN, f"{server.url}/notify/wx") == [500, 500, 500, 500, 200]
    assert world.order(TOKEN).state is State.PAID
    assert len(SCHEDULE) == 16


def test_no_secret_reaches_the_database(world: World, waiting: Order, wechat: FakeWechatV3, notify: Notify) -> None:
    wechat.pay(TOKEN)
    body, headers = wechat.notice(TOKEN)
    notify((body, headers))
    [payment] = world.payments()
    assert '"transaction_id"' in payment.raw
    for secret in (API_KEY, headers["Wechatpay-Signature"], "ciphertext", "PRIVATE KEY"):
        assert secret not in payment.raw
