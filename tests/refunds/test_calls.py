"""Refunds at each strict gateway, over a real database: done, on their way, refused, repeated, lost and found."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkout import ids, store
from checkout.channel import GatewayError, Refunded, RefundStanding
from checkout.errors import Code, Refusal
from checkout.model.orders import State
from checkout.model.refunds import RefundState
from checkout.refunds import calls, ledger
from checkout.refunds.calls import END_S, LEASE_S
from checkout.worker import Worker
from tests.channels.orders import TOKEN
from tests.tills import GATEWAYS, Till, till_at
from tests.world import World


@pytest.fixture(params=GATEWAYS)
def till(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at(request.param, world, tmp_path) as opened:
        yield opened


@pytest.fixture
def alipay(world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at("alipay", world, tmp_path) as opened:
        yield opened


@pytest.fixture
def old(world: World, tmp_path: Path) -> Iterator[Till]:
    with till_at("wechat_2014", world, tmp_path) as opened:
        yield opened


def later(till: Till, seconds: int = 5) -> None:
    till.world.clock.go(seconds)
    till.work()


def test_a_refund_goes_through(till: Till) -> None:
    till.settle("done")
    till.ask(400)
    till.work()
    till.settle("done")
    later(till)
    assert till.states() == [(400, "done")]
    assert (till.moved(), till.order.state) == (400, State.PAID)


def test_one_on_its_way_is_asked_about_until_it_is_done_and_sent_once(till: Till) -> None:
    till.settle("processing")
    till.ask()
    till.work()
    till.settle("processing")
    for seconds in (2, 5, 10, 30):
        later(till, seconds)
    assert till.states() == [(990, "asked")]
    till.settle("done")
    later(till, 60)
    assert (till.states(), till.asked().count("refund")) == ([(990, "done")], 1)
    assert till.back().is_whole


@pytest.mark.parametrize("name", [one for one in GATEWAYS if one != "alipay"])  # Alipay refuses at once or not at all
def test_one_that_fails_later_says_why_and_frees_its_amount(name: str, world: World, tmp_path: Path) -> None:
    with till_at(name, world, tmp_path) as till:
        till.settle("processing")
        till.ask()
        till.work()
        till.settle("failed")
        later(till)
        [failed] = till.refunds()
        assert failed.state is RefundState.FAILED
        assert failed.error
        assert till.back().left == 990
        assert till.ask().id != failed.id


def test_whoever_dies_between_the_row_and_the_call_is_followed_by_the_next(till: Till) -> None:
    refund = till.ask(400)
    assert calls.claim(till.world.store, refund, till.world.clock()) is not None  # and never calls
    later(till, LEASE_S - 1)
    assert till.asked() == []
    till.settle("done")
    later(till, 1)
    till.settle("done")
    later(till)
    assert till.asked()[:2] == ["query", "refund"]
    assert (till.states(), till.moved()) == ([(400, "done")], 400)


def test_whoever_dies_after_the_call_is_followed_by_a_question_only(till: Till) -> None:
    till.settle("done")
    refund = till.ask(400)
    claimed = calls.claim(till.world.store, refund, till.world.clock())
    assert claimed is not None
    with till.world.store.read() as db:
        asked = calls._asked(db, claimed, "", till.world.clock())
    till.channel.refund(asked)  # and dies before it is booked
    till.settle("done")
    later(till, LEASE_S)
    assert (till.asked(), till.states(), till.moved()) == (["refund", "query"], [(400, "done")], 400)


def test_an_answer_that_is_lost_is_asked_for_and_the_money_goes_once(till: Till) -> None:
    till.settle("done")
    till.ask(400)
    till.gateway.mischief = "unsigned"  # it did what was asked; what it says cannot be believed
    till.work()
    [open_] = till.refunds()
    assert (open_.state, bool(open_.error)) == (RefundState.ASKED, True)
    till.gateway.mischief = ""
    till.settle("done")
    later(till)
    assert (till.asked(), till.states(), till.moved()) == (["refund", "query"], [(400, "done")], 400)
    assert till.refunds()[0].error == ""


def test_a_gateway_that_is_down_is_called_again_later_and_later(till: Till) -> None:
    till.ask(400)
    till.gateway.mischief = "status"
    till.work()
    for seconds in (2, 5, 10, 30):
        till.world.clock.go(seconds - 1)
        assert till.work() == 0
        till.world.clock.go(1)
        assert till.work() == 1
    till.gateway.mischief = ""
    till.settle("done")
    later(till, 60)
    till.settle("done")
    later(till, 300)
    assert (till.states(), till.moved()) == ([(400, "done")], 400)


def test_nobody_knows_for_a_month_and_it_ends_with_advice(till: Till) -> None:
    till.ask(400)
    till.gateway.mischief = "status"
    till.work()
    later(till, END_S)
    [failed] = till.refunds()
    assert failed.state is RefundState.FAILED
    assert "502" in failed.error
    assert failed.error.endswith("look at the gateway's merchant pages before you send it again.")


def test_parts_add_up_to_what_came_and_no_more(till: Till) -> None:
    till.settle("done")
    for amount in (300, 300):
        till.ask(amount)
    with pytest.raises(Refusal, match=r"At most 3\.90") as refused:
        till.ask(391)
    assert refused.value.code is Code.BAD_AMOUNT
    till.ask()
    for _ in range(2):
        till.work()
        till.settle("done")
        till.world.clock.go(2)
    assert sorted(till.states()) == [(300, "done"), (300, "done"), (390, "done")]
    assert till.moved() == 990
    with pytest.raises(Refusal, match="went back already") as refused:
        till.ask()
    assert refused.value.code is Code.NOT_ALLOWED


def test_the_same_number_of_the_caller_is_the_same_refund(till: Till) -> None:
    first = till.ask(400, "R-1")
    assert till.ask(400, "R-1") == till.ask(number="R-1") == first
    with pytest.raises(Refusal) as refused:
        till.ask(401, "R-1")
    assert refused.value.code is Code.DUPLICATE
    assert len(till.refunds()) == 1


def test_of_two_who_ask_for_all_at_once_one_is_refused(alipay: Till) -> None:
    def ask(_: int) -> str:
        try:
            return alipay.ask(990).state.value
        except Refusal as refusal:
            return refusal.code.value

    with ThreadPoolExecutor(8) as crowd:
        outcomes = sorted(crowd.map(ask, range(8)))
    assert outcomes == ["asked"] + ["bad_amount"] * 7


def test_two_workers_call_once(alipay: Till) -> None:
    refund = alipay.ask(400)
    now = alipay.world.clock()
    with ThreadPoolExecutor(8) as crowd:
        claims = list(crowd.map(lambda _: calls.claim(alipay.world.store, refund, now), range(8)))
    assert sum(one is not None for one in claims) == 1


def test_a_worker_that_was_overtaken_cannot_say_that_it_failed(alipay: Till) -> None:
    world, refund = alipay.world, alipay.ask(400)
    slow = calls.claim(world.store, refund, world.clock())
    assert slow is not None
    world.clock.go(LEASE_S)
    faster = calls.claim(world.store, slow, world.clock())
    assert faster is not None
    calls._book(world.store, slow, Refunded(RefundStanding.FAILED, "no"), world.clock())
    assert alipay.states() == [(400, "asked")]
    calls.call(world.store, alipay.channels, faster, "", clock=world.clock)
    calls._book(world.store, slow, Refunded(RefundStanding.FAILED, "no"), world.clock())
    assert alipay.states() == [(400, "done")]


def test_refused_for_good_it_has_failed_with_the_reason(alipay: Till) -> None:
    alipay.gateway.trades[TOKEN].status = "TRADE_FINISHED"  # too old: no refunds any more
    alipay.ask(400)
    alipay.work()
    [failed] = alipay.refunds()
    assert (failed.state, failed.error) == (RefundState.FAILED, "Alipay refused the refund: ACQ.TRADE_STATUS_ERROR.")
    assert alipay.moved() == 0


def test_a_till_that_is_empty_is_asked_again_until_it_is_filled(alipay: Till) -> None:
    alipay.gateway.desk.empty = True
    alipay.ask(400)
    alipay.work()
    [open_] = alipay.refunds()
    assert (open_.state, open_.error) == (
        RefundState.ASKED,
        "Alipay refused the refund: ACQ.SELLER_BALANCE_NOT_ENOUGH.",
    )
    alipay.gateway.desk.empty = False
    later(alipay)
    assert (alipay.states(), alipay.moved()) == ([(400, "done")], 400)


def test_an_empty_till_at_wechat_pay_v3_passes_too(world: World, tmp_path: Path) -> None:
    with till_at("wechat_v3", world, tmp_path) as till:
        till.gateway.says = (403, b'{"code":"NOT_ENOUGH","message":"x"}')
        till.ask(400)
        till.work()
        assert till.states() == [(400, "asked")]
        till.gateway.says = None
        till.settle("done")
        later(till)
        assert till.states() == [(400, "done")]


def test_a_question_refused_for_good_never_counts_as_failed(alipay: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> Refunded:
        raise GatewayError("We may not ask that.", permanent=True)

    refund = alipay.ask(400)
    calls.claim(alipay.world.store, refund, alipay.world.clock())
    monkeypatch.setattr(alipay.channel, "refund_standing", refused)
    later(alipay, LEASE_S)
    [open_] = alipay.refunds()
    assert (open_.state, open_.error) == (RefundState.ASKED, "We may not ask that.")


def test_a_fault_of_ours_is_one_more_call_in_vain(
    alipay: Till, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alipay.channel, "refund", lambda ask: 1 / 0)
    alipay.ask(400)
    alipay.work()
    [open_] = alipay.refunds()
    assert open_.due_at == alipay.world.clock() + 2
    assert "ZeroDivisionError" in caplog.text


def test_without_a_certificate_the_refund_says_which_setting_is_missing(world: World, tmp_path: Path) -> None:
    with till_at("wechat", world, tmp_path, certified=False) as till:
        till.ask(400)
        till.work()
        [failed] = till.refunds()
        assert failed.state is RefundState.FAILED
        assert "cert and cert_key" in failed.error


@pytest.mark.parametrize(
    ("status", "state"),
    [("4", "done"), ("10", "done"), ("3", "failed"), ("5", "failed"), ("6", "failed"), ("8", "asked"), ("9", "asked"),
     ("11", "asked"), ("1", "asked"), ("2", "asked"), ("7", "failed")],
)  # fmt: skip
def test_every_status_of_2014(old: Till, status: str, state: str) -> None:
    old.settle(status)
    old.ask(400)
    old.work()
    assert old.states() == [(400, state)]
    if state == "asked":
        later(old)
        repeated = status in ("1", "2")  # nobody knows: the same number is sent again
        assert old.asked() == (["refund", "query", "refund"] if repeated else ["refund", "query"])
        old.settle("10")
        later(old, 5)
        assert (old.states(), old.moved()) == ([(400, "done")], 400)


def test_a_channel_that_was_taken_out_waits_for_its_return(alipay: Till) -> None:
    alipay.ask(400)
    kept, alipay.channels = alipay.channels, {}
    alipay.work()
    [open_] = alipay.refunds()
    assert open_.error == "The channel alipay is not in checkout.toml any more."
    with pytest.raises(Refusal, match=r"not in checkout\.toml"):
        alipay.ask(100)
    alipay.channels = kept
    later(alipay)
    assert alipay.states() == [(400, "done")]


def test_the_worker_sends_back(alipay: Till) -> None:
    world = alipay.world
    worker = Worker(world.store, {}, world.outside.exchange, world.clock, channels=alipay.channels)
    refund = alipay.ask(400)
    worker.start()
    ended = calls.watch(world.store, refund.id, seconds=30)
    worker.stop()
    assert ended.state is RefundState.DONE


def test_the_caller_can_pursue_a_refund_itself_and_gives_up_waiting(alipay: Till) -> None:
    world = alipay.world

    def called(refund_id: str, seconds: float) -> RefundState:
        return calls.call_until_done(
            world.store, alipay.channels, refund_id, "", clock=world.clock, seconds=seconds
        ).state

    assert called(alipay.ask(400).id, 30) is RefundState.DONE
    alipay.gateway.mischief = "status"
    assert called(alipay.ask(100).id, 0.3) is RefundState.ASKED


def test_money_on_a_personal_code_is_not_sent_back_by_a_gateway(world: World) -> None:
    token = world.create()["data"]["orderId"]
    world.push("9.90")
    with pytest.raises(Refusal, match="goes back by hand") as refused:
        ledger.ask(world.store, token, {"alipay"}, reason="r", actor="o", new_id=ids.new_id, now=world.clock())
    assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize(("reason", "number"), [(" ", ""), ("x" * 201, ""), ("r", "a b"), ("r", "n" * 65)])
def test_a_bad_reason_or_number_is_refused_and_nothing_is_written(alipay: Till, reason: str, number: str) -> None:
    with pytest.raises(Refusal) as refused:
        ledger.ask(
            alipay.world.store, TOKEN, alipay.channels, reason=reason, number=number, actor="o", new_id=ids.new_id,
            now=alipay.world.clock(),
        )  # fmt: skip
    assert refused.value.code is Code.BAD_REQUEST
    assert alipay.refunds() == []


def test_asking_is_audited(alipay: Till) -> None:
    refund = alipay.ask(400)
    with alipay.world.store.read() as db:
        [entry] = store.audit.latest(db)
    assert (entry.actor, entry.action, entry.subject) == ("owner", "order.refund", TOKEN)
    assert refund.id in entry.detail
