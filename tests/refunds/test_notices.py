"""What gateways tell of refunds: ours are asked about, the owner's own on the gateway's pages are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from checkout import gateways, ids, inquiries, store
from checkout.channel import WENT_BACK, Heard, Raw
from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.model.refunds import RefundState
from checkout.refunds import calls, ledger
from checkout.store.gateways import Watch
from tests.channels.orders import TOKEN, start
from tests.channels.wechat_v3 import raw
from tests.tills import Till, till_at
from tests.world import World


@pytest.fixture
def alipay(world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at("alipay", world, tmp_path) as opened:
        yield opened


def heed(till: Till, body: bytes, headers: dict[str, str] | None = None) -> bool:
    now = till.world.clock()
    notice = till.channel.read_notice(raw(body, headers or {}, now))
    return gateways.handle_notice(till.world.store, till.channel, notice, new_id=ids.new_id, now=now)


def elsewhere(till: Till, number: str, amount: int) -> bytes:
    """The owner refunds on Alipay's own pages; the notice of it."""
    trade = till.gateway.trades[TOKEN]
    content = {"out_trade_no": TOKEN, "out_request_no": number, "refund_amount": f"{amount / 100:.2f}"}
    till.gateway.desk.done("alipay.trade.refund", content)
    assert trade.refunds[number]
    return bytes(till.gateway.notice(TOKEN))


@pytest.mark.parametrize("name", ["wechat", "wechat_v3"])
def test_a_notice_has_the_gateway_asked_at_once(name: str, world: World, tmp_path: Path) -> None:
    with till_at(name, world, tmp_path) as till:
        refund = till.ask(400)
        till.work()
        till.settle("done")
        assert till.work() == 0
        told = till.gateway.refund_notice(refund.id) if name == "wechat" else None
        body, headers = (told, None) if told else till.gateway.refund_notice(TOKEN, refund.id)
        assert heed(till, body, headers)
        assert till.states() == [(400, "asked")]  # it is the answer that counts, not the notice
        till.work()
        assert till.states() == [(400, "done")]
        assert heed(till, body, headers)
        assert till.work() == 0


def test_one_that_failed_and_was_finished_on_the_gateway_s_pages_is_done(world: World, tmp_path: Path) -> None:
    with till_at("wechat_v3", world, tmp_path) as till:
        refund = till.ask(400)
        till.work()
        till.settle("ABNORMAL")
        world.clock.go(2)
        till.work()
        assert till.states() == [(400, "failed")]
        till.settle("done")
        assert heed(till, *till.gateway.refund_notice(TOKEN, refund.id))
        till.work()
        assert (till.states(), till.back().left) == ([(400, "done")], 590)


def test_one_that_failed_and_was_given_back_otherwise_is_not_counted_twice(world: World, tmp_path: Path) -> None:
    with till_at("wechat_v3", world, tmp_path) as till:
        refund = till.ask()
        till.work()
        till.settle("ABNORMAL")
        world.clock.go(2)
        till.work()
        ledger.by_hand(world.store, TOKEN, reason="sent", actor="o", new_id=ids.new_id, now=world.clock())
        till.settle("done")
        assert heed(till, *till.gateway.refund_notice(TOKEN, refund.id))
        assert till.work() == 0
        assert till.back().back == 990
        failed = next(one for one in till.refunds() if one.id == refund.id)
        assert failed.state is RefundState.FAILED
        assert "went back otherwise" in failed.error


def test_a_refund_on_alipay_s_pages_is_recorded_once(alipay: Till) -> None:
    body = elsewhere(alipay, "console-1", 100)
    assert all(heed(alipay, body) for _ in range(3))
    [found] = alipay.refunds()
    assert (found.amount, found.state, found.number, found.channel) == (100, RefundState.DONE, "console-1", "alipay")
    assert heed(alipay, elsewhere(alipay, "console-2", 250))
    assert alipay.states() == [(100, "done"), (250, "done")]
    assert len(alipay.world.payments()) == 1


def test_notices_of_two_refunds_in_the_wrong_order_count_the_money_once(alipay: Till) -> None:
    first, second = elsewhere(alipay, "console-1", 100), elsewhere(alipay, "console-2", 250)
    assert heed(alipay, second)
    assert heed(alipay, first)
    assert alipay.back().back == 350


def test_what_the_owner_recorded_by_hand_is_not_counted_again(alipay: Till) -> None:
    world = alipay.world
    ledger.by_hand(world.store, TOKEN, amount=100, reason="r", actor="o", new_id=ids.new_id, now=world.clock())
    assert heed(alipay, elsewhere(alipay, "console-1", 100))
    assert alipay.back().back == 100


def test_while_one_of_ours_is_under_way_the_notice_is_asked_for_again(alipay: Till) -> None:
    refund = alipay.ask(400)
    calls.claim(alipay.world.store, refund, alipay.world.clock())  # and hangs
    body = elsewhere(alipay, "console-1", 100)
    assert not heed(alipay, body)
    assert alipay.states() == [(400, "asked")]
    alipay.work()  # the notice has brought it forward
    assert alipay.states() == [(400, "done")]
    assert heed(alipay, bytes(alipay.gateway.notice(TOKEN, refund_fee="5.00", out_biz_no="console-1")))
    assert alipay.states() == [(400, "done"), (100, "done")]


def test_the_notice_of_our_own_refund_records_nothing_more(alipay: Till) -> None:
    alipay.ask(400)
    alipay.work()
    assert heed(alipay, bytes(alipay.gateway.notice(TOKEN)))
    assert alipay.states() == [(400, "done")]


def test_closed_means_that_all_that_was_left_went_back(alipay: Till) -> None:
    alipay.ask(400)
    alipay.work()
    body = elsewhere(alipay, "console-1", 590)
    assert b"TRADE_CLOSED" in body
    assert all(heed(alipay, body) for _ in range(2))
    assert alipay.states() == [(400, "done"), (590, "done")]
    assert alipay.back().is_whole


def test_closed_by_our_own_refund_that_nobody_booked_yet_is_counted_once(alipay: Till) -> None:
    refund = alipay.ask()
    claimed = calls.claim(alipay.world.store, refund, alipay.world.clock())
    assert claimed is not None
    with alipay.world.store.read() as db:
        asked = calls._asked(db, claimed, "", alipay.world.clock())
    alipay.channel.refund(asked)  # and dies
    assert heed(alipay, bytes(alipay.gateway.notice(TOKEN)))
    alipay.work()
    assert alipay.states() == [(990, "done")]


def test_another_channel_s_notice_changes_nothing(alipay: Till, world: World, tmp_path: Path) -> None:
    refund = alipay.ask(400)
    body = elsewhere(alipay, "console-1", 100)
    notice = alipay.channel.read_notice(Raw("POST", b"", body, {}, world.clock()))

    class Other:
        name, method = "other", "alipay"

    for told in (replace(notice, paid=None), replace(notice, paid=None, refund_number=refund.id)):
        assert gateways.handle_notice(world.store, Other(), told, new_id=ids.new_id, now=world.clock())  # type: ignore[arg-type]
    assert alipay.states() == [(400, "asked")]


@pytest.mark.parametrize("heard", [Heard.REFUND, Heard.CLOSED])
def test_a_notice_for_another_app_changes_nothing(alipay: Till, world: World, heard: Heard) -> None:
    body = elsewhere(alipay, "console-1", 100)
    notice = alipay.channel.read_notice(Raw("POST", b"", body, {}, world.clock()))
    told = replace(notice, heard=heard, paid=None, mismatch="The notice is for another app.")
    assert gateways.handle_notice(world.store, alipay.channel, told, new_id=ids.new_id, now=world.clock())
    assert alipay.states() == []


@pytest.mark.parametrize("name", ["wechat", "wechat_v3"])
def test_money_that_went_back_before_we_heard_of_it_is_shown_and_not_booked(
    name: str, world: World, tmp_path: Path
) -> None:
    """The server was down, and its owner has given the money back on WeChat Pay's pages."""
    with till_at(name, world, tmp_path) as till:
        other = replace(till.order, token="f" * 32, number="N2", state=State.PENDING, paid_at=None)
        with world.store.transaction() as db:
            store.orders.add(db, other)
        gateways.prompt_for(world.store, till.channels, replace(start(), order=other))
        till.gateway.pay(other.token).state = "REFUND"
        watch = Watch(other.token, till.channel.name, world.clock(), 1, False)
        inquiries.check(world.store, till.channels, watch, new_id=ids.new_id, clock=world.clock)
        assert world.order(other.token).state is State.PENDING
        shown = next(one for one in world.payments() if one.order_token == other.token)
        assert (shown.judgement, shown.note) == (Judgement.UNMATCHED, WENT_BACK)
