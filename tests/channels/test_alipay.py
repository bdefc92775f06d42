"""The channel against a strict Alipay, over real HTTP: orders, questions, refunds, and a gateway that behaves badly."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from checkout.channel import (
    Channel,
    PromptKind,
    Raw,
    Refunded,
    RefundStanding,
    Scene,
    Standing,
)  # fmt: skip
from checkout.channels.alipay import make
from checkout.http.client import Client
from tests.channels.alipay_app import AWKWARD, channel_at, fault, opened, table_in
from tests.channels.orders import TOKEN, order, refund, start
from tests.channels.rsa import bare, key, pem, written
from tests.fakes.alipay import FakeAlipay
from tests.fakes.alipay_desk import qr_of
from tests.world import START, FakeClock

SOON = 0.5  # seconds, where an answer would never come


@pytest.fixture
def alipay(clock: FakeClock) -> Iterator[FakeAlipay]:
    with opened(clock) as fake:
        yield fake


@pytest.fixture
def channel(alipay: FakeAlipay, tmp_path: Path) -> Channel:
    return channel_at(alipay, tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> dict[str, object]:
    return table_in(tmp_path)


# Starting an order


def test_an_order_is_shown_as_a_qr_code(channel: Channel, alipay: FakeAlipay) -> None:
    prompt = channel.start(start())
    assert (prompt.kind, prompt.text) == (PromptKind.QR, qr_of(TOKEN))
    assert str(alipay.trades[TOKEN].amount) == "9.90"
    assert alipay.asked[0]["timestamp"] == "2026-09-21 22:13:20"  # Beijing
    assert alipay.asked[0]["notify_url"] == "https://pay.example.com/notify/alipay"
    content = json.loads(alipay.asked[0]["biz_content"])
    assert content["time_expire"] == "2026-09-21 22:18:20"


def test_the_amount_is_what_the_payer_owes(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start(order={"price": 1999, "really_price": 2001}))
    assert str(alipay.trades[TOKEN].amount) == "20.01"


def test_a_title_with_every_awkward_character_is_signed_and_sent(channel: Channel, alipay: FakeAlipay) -> None:
    for scene in (Scene.QR, Scene.PAGE, Scene.H5):
        token = f"{scene}0000"
        prompt = channel.start(start(scene, title=AWKWARD, order={"token": token}))
        if prompt.kind is PromptKind.LINK:
            urlopen(prompt.text).close()
        assert alipay.trades[token].subject == '+ ＆ ＝ ／ % 中文 "quotes" {braces} \\   100%25'
    assert alipay.refusals == []


def test_a_title_is_cut_and_never_empty(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start(title="茶" * 300))
    assert alipay.trades[TOKEN].subject == "茶" * 256
    channel.start(start(title=" \n ", order={"token": "other"}))
    assert alipay.trades["other"].subject == "other"


@pytest.mark.parametrize("scene", [Scene.PAGE, Scene.H5])
def test_a_browser_is_sent_to_the_cashier_and_comes_back(channel: Channel, alipay: FakeAlipay, scene: Scene) -> None:
    prompt = channel.start(start(scene))
    assert prompt.kind is PromptKind.LINK
    with urlopen(prompt.text) as page:
        assert b"9.90" in page.read()
    assert alipay.trades[TOKEN].return_url == f"https://pay.example.com/pay/{TOKEN}"
    alipay.pay(TOKEN)
    assert channel.read_return(Raw("GET", alipay.returned(TOKEN).encode(), b"", {}, START)) == TOKEN


def test_every_value_of_a_link_is_encoded_once(channel: Channel) -> None:
    prompt = channel.start(start(Scene.PAGE, title="a+b 100%"))
    params = parse_qs(urlsplit(prompt.text).query)
    assert json.loads(params["biz_content"][0])["subject"] == "a+b 100%"
    assert "+" not in urlsplit(prompt.text).query


def test_an_app_is_given_the_signed_order_string(channel: Channel, alipay: FakeAlipay) -> None:
    prompt = channel.start(start(Scene.APP, title=AWKWARD))
    assert prompt.kind is PromptKind.CLIENT
    assert prompt.params == {"order_string": prompt.text}
    assert str(alipay.accept_order_string(prompt.text).amount) == "9.90"
    assert "return_url" not in alipay.asked[0]


@pytest.mark.parametrize(("product", "method"), [("page", "alipay.trade.page.pay"), ("wap", "alipay.trade.wap.pay")])
def test_the_product_decides_what_the_page_shows(
    table: dict[str, object], tmp_path: Path, alipay: FakeAlipay, product: str, method: str
) -> None:
    channel = make("alipay", {**table, "gateway": alipay.gateway, "product": product}, tmp_path, True)
    prompt = channel.start(start())
    assert prompt.kind is PromptKind.LINK
    urlopen(prompt.text).close()
    assert alipay.asked[0]["method"] == method


def test_what_alipay_has_not_is_refused(channel: Channel) -> None:
    assert channel.scenes() == {Scene.QR, Scene.PAGE, Scene.H5, Scene.APP}
    assert fault(lambda: channel.start(start(Scene.JSAPI))).permanent


def test_a_known_number_keeps_its_amount(channel: Channel) -> None:
    assert channel.start(start()) == channel.start(start())
    problem = fault(lambda: channel.start(start(order={"really_price": 991})))
    assert problem.permanent
    assert problem.message == "Alipay refused the request: ACQ.CONTEXT_INCONSISTENT."


def test_an_order_about_to_end_leaves_alipay_the_minute_that_it_demands(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start(order={"expires_at": START + 5}))
    assert alipay.refusals == []


# The fake is strict: what the channel gets right, it would refuse otherwise


def test_the_fake_refuses_a_wrong_clock(channel: Channel, alipay: FakeAlipay, clock: FakeClock) -> None:
    clock.go(8 * 3600)  # what sending UTC would look like
    assert "isv.invalid-timestamp" in fault(lambda: channel.start(start())).message


def test_the_fake_refuses_another_app_and_another_key(
    table: dict[str, object], tmp_path: Path, alipay: FakeAlipay
) -> None:
    other = make("alipay", {**table, "app_id": "2021000000000002", "gateway": alipay.gateway}, tmp_path, True)
    assert fault(lambda: other.start(start())).message == "Alipay's answer is not signed; it says isv.invalid-app-id."
    written(tmp_path / "keys" / "app_private.pem", pem(key("theirs")))
    other = make("alipay", {**table, "gateway": alipay.gateway}, tmp_path, True)
    assert "isv.invalid-signature" in fault(lambda: other.start(start())).message


def test_the_fake_refuses_an_address_with_a_query(channel: Channel, alipay: FakeAlipay) -> None:
    assert fault(lambda: channel.start(start(notify_url="https://pay.example.com/notify?x=1"))).permanent
    assert alipay.refusals == ["isv.invalid-parameter"]


# How an order stands


def test_an_order_that_nobody_has_scanned_is_unpaid(channel: Channel, alipay: FakeAlipay) -> None:
    assert channel.query(order(), START).standing is Standing.UNPAID
    channel.start(start())
    assert channel.query(order(), START).standing is Standing.UNPAID
    alipay.scan(TOKEN)
    assert channel.query(order(), START).standing is Standing.UNPAID


def test_a_paid_order_is_found_with_its_evidence(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start())
    alipay.pay(TOKEN, at=START + 7)
    found = channel.query(order(), START + 60)
    assert found.standing is Standing.PAID
    assert found.paid is not None
    assert (found.paid.order_token, found.paid.amount, found.paid.happened_at) == (TOKEN, 990, START + 7)
    assert found.paid.reference == alipay.trades[TOKEN].trade_no


def test_an_order_is_closed_and_then_takes_no_money(channel: Channel, alipay: FakeAlipay) -> None:
    channel.close(order(), START)  # not known there
    channel.start(start())
    channel.close(order(), START)  # shown, never scanned
    alipay.scan(TOKEN)
    channel.close(order(), START)
    assert alipay.trades[TOKEN].status == "TRADE_CLOSED"
    channel.close(order(), START)  # again
    assert channel.query(order(), START).standing is Standing.CLOSED
    assert fault(lambda: channel.start(start())).permanent


def test_closing_a_paid_order_leaves_the_money_where_it_is(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start())
    alipay.pay(TOKEN)
    channel.close(order(), START)
    assert channel.query(order(), START).standing is Standing.PAID
    assert not any(asked["method"] == "alipay.trade.cancel" for asked in alipay.asked)


# Refunds


def paid(channel: Channel, alipay: FakeAlipay) -> str:
    channel.start(start())
    return alipay.pay(TOKEN).trade_no


def test_a_refund_repeated_moves_money_once(channel: Channel, alipay: FakeAlipay) -> None:
    reference = paid(channel, alipay)
    ask = refund(reference=reference, reason="too & late")
    assert channel.refund_standing(ask).standing is RefundStanding.REPEAT
    assert channel.refund(ask).standing is RefundStanding.DONE
    assert channel.refund(ask).standing is RefundStanding.PROCESSING  # moved nothing this time: the query says more
    assert channel.refund_standing(ask).standing is RefundStanding.DONE
    assert str(alipay.trades[TOKEN].refunded) == "9.90"


def test_a_payment_is_given_back_in_parts_and_never_more_than_it_was(channel: Channel, alipay: FakeAlipay) -> None:
    paid(channel, alipay)
    for number in ("ref_1", "ref_2", "ref_3"):
        assert channel.refund(refund(number=number, amount=330)).standing is RefundStanding.DONE
        assert channel.query(order(), START).standing is (Standing.PAID if number != "ref_3" else Standing.CLOSED)
    refused = channel.refund(refund(number="ref_4", amount=1))
    assert refused == Refunded(RefundStanding.FAILED, "Alipay refused the refund: ACQ.TRADE_STATUS_ERROR.")


def test_a_refund_that_is_too_large_or_changed_fails(channel: Channel, alipay: FakeAlipay) -> None:
    paid(channel, alipay)
    assert channel.refund(refund(amount=991)).standing is RefundStanding.FAILED
    assert channel.refund(refund(amount=100)).standing is RefundStanding.DONE
    assert channel.refund(refund(amount=101)).standing is RefundStanding.FAILED
    assert "another refund" in fault(lambda: channel.refund_standing(refund(amount=101))).message
    assert channel.refund(refund(order={"token": "unknown"})).standing is RefundStanding.FAILED
    assert channel.refund_standing(refund(order={"token": "unknown"})).standing is RefundStanding.REPEAT


# A gateway that behaves badly


@pytest.mark.parametrize("mischief", ["status", "html", "busy", "unsigned", "tampered", "other_key", "other_order"])
def test_an_answer_that_cannot_be_believed_is_not_used(channel: Channel, alipay: FakeAlipay, mischief: str) -> None:
    paid(channel, alipay)
    calls: list[Callable[[], object]] = [
        lambda: channel.start(start(order={"token": "new"})), lambda: channel.query(order(), START),
        lambda: channel.refund(refund(amount=1)), lambda: channel.refund_standing(refund(amount=1)),
    ]  # fmt: skip
    alipay.mischief = mischief
    for call in calls:
        assert not fault(call).permanent


@pytest.mark.parametrize(
    ("says", "permanent"),
    [
        ({"trade_status": "SOMETHING_NEW"}, False),
        ({"trade_status": "TRADE_SUCCESS", "total_amount": "x"}, False),
        ({"code": "40004", "sub_code": "ACQ.INVALID_PARAMETER"}, True),
    ],
)
def test_a_standing_that_is_not_understood_is_no_standing(
    channel: Channel, alipay: FakeAlipay, says: dict[str, object], permanent: bool
) -> None:
    paid(channel, alipay)
    alipay.says = says
    assert fault(lambda: channel.query(order(), START)).permanent == permanent


def test_a_qr_code_that_is_none_is_not_shown(channel: Channel, alipay: FakeAlipay) -> None:
    for code in ("", "two words", "x" * 2000, 5):
        alipay.says = {"qr_code": code} if code != 5 else {"qr_code": [code]}
        assert not fault(lambda: channel.start(start())).permanent


def test_an_order_that_alipay_will_not_close_is_not_taken_for_closed(channel: Channel, alipay: FakeAlipay) -> None:
    channel.start(start())
    alipay.scan(TOKEN)
    alipay.says = {"code": "40004", "sub_code": "ACQ.REASON_TRADE_BEEN_FREEZEN"}
    assert fault(lambda: channel.close(order(), START)).permanent


def test_a_refund_on_its_way_and_one_of_an_older_kind(channel: Channel, alipay: FakeAlipay) -> None:
    paid(channel, alipay)
    channel.refund(refund())
    alipay.says = {"refund_status": "REFUND_PROCESSING"}
    assert channel.refund_standing(refund()).standing is RefundStanding.PROCESSING
    alipay.says = {"refund_status": ""}  # as answers were before the field was there
    assert channel.refund_standing(refund()).standing is RefundStanding.DONE
    alipay.says = {"code": "40004", "sub_code": "ACQ.INVALID_PARAMETER"}
    assert fault(lambda: channel.refund_standing(refund())).permanent


def test_a_refund_whose_answer_was_lost_is_found_by_asking(channel: Channel, alipay: FakeAlipay) -> None:
    paid(channel, alipay)
    alipay.mischief = "unsigned"
    fault(lambda: channel.refund(refund()))
    alipay.mischief = ""
    assert channel.refund_standing(refund()).standing is RefundStanding.DONE


def test_slashes_escaped_after_signing_are_understood(channel: Channel, alipay: FakeAlipay) -> None:
    alipay.mischief = "escaped"
    assert channel.start(start()).text == qr_of(TOKEN)


def test_a_gateway_that_keeps_silent_costs_the_deadline_and_no_more(
    table: dict[str, object], tmp_path: Path, alipay: FakeAlipay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(*, allow_private: bool, ports: None, deadline_s: int) -> Client:
        assert deadline_s == 10
        return Client(allow_private=allow_private, ports=ports, deadline_s=SOON)

    monkeypatch.setattr("checkout.channels.alipay.Client", impatient)
    channel = make("alipay", {**table, "gateway": alipay.gateway}, tmp_path, True)
    alipay.mischief = "silent"
    problem = fault(lambda: channel.query(order(), START))
    assert (problem.permanent, problem.message) == (False, "Alipay did not answer: 127.0.0.1 did not answer in time.")
    alipay.mischief, alipay.late_s = "late", 0.05
    assert channel.query(order(), START).standing is Standing.UNPAID


def test_a_gateway_that_is_gone_is_a_passing_fault(channel: Channel, alipay: FakeAlipay) -> None:
    alipay.__exit__()
    assert not fault(lambda: channel.start(start())).permanent


def test_secrets_stand_in_no_text_that_anybody_reads(
    channel: Channel, alipay: FakeAlipay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [repr(channel), str(vars(channel)), channel.start(start(Scene.PAGE)).text]
    for mischief in ("unsigned", "html", "busy", "status"):
        alipay.mischief = mischief
        texts.append(repr(fault(lambda: channel.start(start()))))
    secret = key("ours")
    for text in (*texts, caplog.text):
        assert str(secret.d) not in text
        assert bare(secret)[100:140] not in text
