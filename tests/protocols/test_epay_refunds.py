"""Refunds that shops ask for by epay, both versions, of orders that were paid through an official account."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from Crypto.PublicKey import RSA
from msgspec.structs import replace

from checkout import store
from checkout.refunds import calls
from tests.channels.orders import TOKEN
from tests.clients import epay_v2
from tests.clients.epay import Shop
from tests.clients.forms import members, raw_path
from tests.tills import Till, till_at
from tests.world import MERCHANT_KEY, World, merchant


@pytest.fixture
def till(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    """The server's worker is as fast as can be: it is done when it was woken."""
    monkeypatch.setattr(calls, "WATCH_S", 0.0)
    with till_at("alipay", world, tmp_path) as opened:
        with world.store.transaction() as db:
            db.run("UPDATE orders SET dialect = 'epay', number = 'A'")

        def wake() -> None:
            opened.work()

        world.app.extensions["checkout"] = replace(world.parts, channels=opened.channels, wake=wake)
        yield opened


@pytest.fixture
def shop(till: Till) -> Shop:
    return Shop(raw_path(till.world.app), "1001", MERCHANT_KEY)


@pytest.fixture(scope="module")
def keys() -> tuple[RSA.RsaKey, RSA.RsaKey]:
    return RSA.generate(2048), RSA.generate(2048)


@pytest.fixture
def newer(till: Till, keys: tuple[RSA.RsaKey, RSA.RsaKey]) -> epay_v2.Shop:
    theirs, ours = keys
    world = till.world
    world.change_merchant(
        rsa_merchant=theirs.public_key().export_key().decode(), rsa_platform=ours.export_key().decode()
    )
    own, platform = (base64.b64encode(key.export_key("DER", pkcs=8)).decode() for key in (theirs, ours.public_key()))
    return epay_v2.Shop(raw_path(world.app), "1001", own, platform, clock=world.clock)


def test_a_shop_refunds_in_parts_and_never_more_than_came(till: Till, shop: Shop) -> None:
    found = shop.ask("refund", out_trade_no="A", money="4.00")
    assert (found["code"], found["msg"], found["money"], found["trade_no"]) == (1, "退款成功", "4.00", TOKEN)
    found = shop.ask("refund", trade_no=TOKEN, money="5.91")
    assert (found["code"], found["msg"]) == (-1, "退款金额超过可退金额，最多5.90元")
    assert shop.ask("refund", trade_no=TOKEN, money="5.90")["code"] == 1
    assert till.states() == [(400, "done"), (590, "done")]
    assert till.moved() == 990


def test_without_a_number_the_same_amount_at_once_is_a_repeat_and_later_another_refund(till: Till, shop: Shop) -> None:
    first, again = (shop.ask("refund", out_trade_no="A", money="1.00") for _ in range(2))
    assert first == again
    till.world.clock.go(60)
    assert shop.ask("refund", out_trade_no="A", money="1.00")["refund_no"] != first["refund_no"]
    assert till.moved() == 200


def test_one_on_its_way_is_accepted_and_says_so(till: Till, shop: Shop) -> None:
    till.settle("processing")
    found = shop.ask("refund", out_trade_no="A", money="1.00")
    assert (found["code"], found["msg"]) == (1, "退款已受理，正在处理")
    assert till.states() == [(100, "asked")]


def test_one_that_the_gateway_refuses_is_a_failure_with_its_reason(till: Till, shop: Shop) -> None:
    till.gateway.trades[TOKEN].status = "TRADE_FINISHED"
    found = shop.ask("refund", out_trade_no="A", money="1.00")
    assert found["code"] == -1
    assert "ACQ.TRADE_STATUS_ERROR" in str(found["msg"])


@pytest.mark.parametrize("money", ["", "0", "-1", "x", "1.001", "1e2"])
def test_a_bad_amount_writes_nothing(till: Till, shop: Shop, money: str) -> None:
    assert shop.ask("refund", out_trade_no="A", money=money)["code"] == -1
    assert till.refunds() == []


def test_another_merchant_cannot_refund(till: Till, shop: Shop) -> None:
    with till.world.store.transaction() as db:
        store.merchants.add(db, merchant(id=1002, name="other", key="b" * 32))
    other = Shop(raw_path(till.world.app), "1002", "b" * 32)
    assert other.ask("refund", trade_no=TOKEN, money="1.00")["msg"] == "订单号不存在"
    assert till.refunds() == []


def test_a_channel_that_was_taken_out_is_named(till: Till, shop: Shop) -> None:
    till.world.app.extensions["checkout"] = replace(till.world.parts, channels={})
    assert shop.ask("refund", trade_no=TOKEN, money="1.00")["msg"] == "该订单的收款通道已停用，无法退款"


def test_version_2_has_a_number_of_its_own_and_can_be_asked(till: Till, newer: epay_v2.Shop) -> None:
    asked = {"out_trade_no": "A", "money": "4.00", "out_refund_no": "R-1"}
    first, again = (newer.answer("refund", newer.signed(asked)) for _ in range(2))
    assert (first["code"], first["out_refund_no"], first["money"]) == (0, "R-1", "4.00")
    assert again["refund_no"] == first["refund_no"]
    assert till.moved() == 400
    changed = newer.answer("refund", newer.signed({**asked, "money": "4.01"}))
    assert changed["msg"] == "商户退款单号(out_refund_no)已用于其他金额"
    for named in ({"out_refund_no": "R-1"}, {"refund_no": first["refund_no"]}):
        found = newer.answer("refundquery", newer.signed(named))
        assert (found["code"], found["status"], found["money"], found["trade_no"]) == (0, 1, "4.00", TOKEN)
    assert newer.answer("refundquery", newer.signed({"refund_no": "ref_none"}))["msg"] == "退款单不存在"
    assert newer.order(out_trade_no="A")["refundmoney"] == "4.00"
    bad = newer.answer("refund", newer.signed({**asked, "out_refund_no": "n" * 65}))
    assert bad["code"] == -1


def test_version_2_refunds_once_for_a_request_without_a_number_however_long_it_is_signed_for(
    till: Till, newer: epay_v2.Shop
) -> None:
    """Who has seen it, in a log for one, sends it again."""
    now = till.world.clock()
    asked = newer.signed({"out_trade_no": "A", "money": "1.00", "timestamp": str(now + 300)})
    first = newer.answer("refund", asked)
    assert first["code"] == 0
    till.world.clock.go(600)
    assert newer.answer("refund", asked)["refund_no"] == first["refund_no"]
    assert till.moved() == 100
    till.world.clock.go(1)
    assert members(newer.send("refund", asked))["code"] == -3
    assert (
        newer.answer("refund", newer.signed({"out_trade_no": "A", "money": "1.00"}))["refund_no"] != first["refund_no"]
    )
    assert till.moved() == 200


def test_version_2_says_of_one_on_its_way_that_it_is_and_of_one_that_failed_why(
    till: Till, newer: epay_v2.Shop
) -> None:
    till.settle("processing")
    newer.answer("refund", newer.signed({"out_trade_no": "A", "money": "1.00", "out_refund_no": "R-1"}))
    assert newer.answer("refundquery", newer.signed({"out_refund_no": "R-1"}))["msg"] == "退款处理中，请稍后查询"
    till.settle("done")
    till.gateway.trades[TOKEN].status = "TRADE_FINISHED"
    newer.answer("refund", newer.signed({"out_trade_no": "A", "money": "2.00", "out_refund_no": "R-2"}))
    found = newer.answer("refundquery", newer.signed({"out_refund_no": "R-2"}))
    assert (found["code"], found["status"], found["endtime"]) == (0, 0, "")
    assert found["msg"].startswith("退款失败：")


def test_an_order_whose_money_all_went_back_is_not_called_paid_by_the_newer_version_either(
    till: Till, newer: epay_v2.Shop
) -> None:
    assert newer.order(out_trade_no="A")["status"] == 1
    newer.answer("refund", newer.signed({"out_trade_no": "A", "money": "9.90", "out_refund_no": "R-1"}))
    assert (newer.order(out_trade_no="A")["status"], newer.order(out_trade_no="A")["refundmoney"]) == (0, "9.90")
