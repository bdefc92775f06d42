"""What WeChat Pay tells and asks by itself: genuine, and wrong in every way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout import xml
from checkout.channel import Heard, NoticeRefused, Raw, Scene, Start
from checkout.channels.static_codes import ProductCall, SellsByCode
from checkout.channels.wechat import WeChat, make
from checkout.errors import Code, Refusal
from tests.channels.orders import TOKEN, refund, start
from tests.channels.vectors import vector
from tests.channels.wechat import API_KEY, APP_ID, MCH_ID, section
from tests.fakes.serving import Answered, Asked, Serving
from tests.fakes.wechat import FakeWechat, accepted
from tests.fakes.wechat_words import read, sign_of, written
from tests.world import START, FakeClock

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.fixture
def gateway() -> Iterator[FakeWechat]:
    with FakeWechat(APP_ID, MCH_ID, API_KEY, clock=FakeClock()) as fake:
        yield fake


@pytest.fixture
def channel(gateway: FakeWechat, tmp_path: Path) -> WeChat:
    made = make("wechat", section(tmp_path, gateway=gateway.url), tmp_path, True)
    assert isinstance(made, WeChat)
    made.start(start())
    gateway.pay(TOKEN)
    return made


def posted(body: bytes, **changes: Any) -> Raw:
    return Raw(**{"method": "POST", "query": b"", "body": body, "headers": {}, "now": START, **changes})


def refused(channel: WeChat, body: bytes, **changes: Any) -> str:
    with pytest.raises(NoticeRefused) as outcome:
        channel.read_notice(posted(body, **changes))
    assert API_KEY not in str(outcome.value)
    return str(outcome.value)


# Payments


def test_a_genuine_notice_tells_of_the_payment(channel: WeChat, gateway: FakeWechat) -> None:
    notice = channel.read_notice(posted(gateway.notice(TOKEN)))
    assert notice.heard is Heard.PAID
    assert (notice.order_token, notice.mismatch) == (TOKEN, "")
    assert notice.paid is not None
    assert (notice.paid.amount, notice.paid.happened_at) == (990, START)
    assert notice.paid.reference == gateway.trades[TOKEN].transaction_id
    assert json.loads(notice.text)["transaction_id"] == notice.paid.reference
    assert "sign" not in json.loads(notice.text)


def test_the_published_notice_is_read(tmp_path: Path) -> None:
    known = vector("computed_wx_v2_pay_notify_md5")
    table = section(tmp_path, app_id="wx2421b1c4370ec43b", mch_id="10000100", sign_type="MD5")
    channel = make("wechat", table, tmp_path, True)
    body = written(known["inputs"]["params"] | {"sign": known["expected"]})
    notice = channel.read_notice(posted(body))
    assert notice.paid is not None
    assert (notice.paid.order_token, notice.paid.amount) == ("1409811653", 1)
    assert (notice.paid.reference, notice.paid.happened_at) == ("1004400740201409030005092168", 1409721340)


def test_every_changed_removed_or_added_field_is_refused(channel: WeChat, gateway: FakeWechat) -> None:
    genuine = read(gateway.notice(TOKEN))
    for name, value in genuine.items():
        for other in (f"{value}0", "", value.swapcase() if name != "sign" else "0" * 64):
            if other != value:
                refused(channel, written(genuine | {name: other}))
        refused(channel, written({k: v for k, v in genuine.items() if k != name}))
    refused(channel, written(genuine | {"extra": "1"}))
    assert channel.read_notice(posted(written(genuine))).paid


def test_unknown_and_blank_fields_are_fine_when_they_are_signed(channel: WeChat, gateway: FakeWechat) -> None:
    notice = channel.read_notice(posted(gateway.notice(TOKEN, new_field="x & 中文", coupon_fee="0")))
    assert notice.paid
    genuine = read(gateway.notice(TOKEN))
    assert channel.read_notice(posted(written(genuine | {"attach": ""}))).paid


@pytest.mark.parametrize("given_sign", ["", "0" * 64, "0" * 32])
def test_an_unsigned_notice_is_refused(channel: WeChat, gateway: FakeWechat, given_sign: str) -> None:
    genuine = read(gateway.notice(TOKEN))
    assert "not signed" in refused(channel, written(genuine | {"sign": given_sign}))
    del genuine["sign"]
    assert "not signed" in refused(channel, written(genuine))


def test_another_key_and_md5_where_hmac_is_set_are_refused(channel: WeChat, gateway: FakeWechat) -> None:
    refused(channel, gateway.notice(TOKEN, key="0" * 32))
    refused(channel, gateway.notice(TOKEN, sign_type="MD5"))
    refused(channel, written(sealed({**read(gateway.notice(TOKEN)), "sign_type": "MD5"}, "MD5")))


def sealed(values: dict[str, str], sign_type: str = "HMAC-SHA256") -> dict[str, str]:
    return values | {"sign": sign_of(values, API_KEY, sign_type)}


def test_an_unsigned_failure_is_no_notice(channel: WeChat) -> None:
    assert "failed" in refused(channel, written({"return_code": "FAIL", "return_msg": "x"}))


def test_a_payment_that_failed_changes_nothing(channel: WeChat, gateway: FakeWechat) -> None:
    notice = channel.read_notice(posted(gateway.notice(TOKEN, result_code="FAIL", err_code="PAYERROR")))
    assert (notice.heard, notice.paid) == (Heard.NOTHING, None)


def test_the_signed_answer_of_a_query_is_no_notice_unless_money_came(channel: WeChat, gateway: FakeWechat) -> None:
    body = gateway.notice(TOKEN)
    values = read(body) | {"trade_state": "CLOSED"}
    assert channel.read_notice(posted(written(sealed(values)))).heard is Heard.NOTHING


@pytest.mark.parametrize(
    ("changed", "mismatch"),
    [({"appid": "wx0000000000000000"}, "another app"), ({"mch_id": "1900000999"}, "another merchant"),
     ({"fee_type": "USD"}, "another currency")],
)  # fmt: skip
def test_well_signed_money_that_is_not_for_us_is_told_with_the_reason(
    channel: WeChat, gateway: FakeWechat, changed: dict[str, str], mismatch: str
) -> None:
    notice = channel.read_notice(posted(gateway.notice(TOKEN, **changed)))
    assert notice.paid is not None
    assert mismatch in notice.mismatch


def test_a_notice_without_a_currency_is_in_yuan(channel: WeChat, gateway: FakeWechat) -> None:
    assert channel.read_notice(posted(gateway.notice(TOKEN, fee_type=""))).mismatch == ""


@pytest.mark.parametrize("fee", ["0", "-990", "9.90", "1e3", "９９０", "0990", "", "99999999999999"])
def test_an_amount_that_is_none_is_refused_even_when_it_is_signed(
    channel: WeChat, gateway: FakeWechat, fee: str
) -> None:
    refused(channel, gateway.notice(TOKEN, total_fee=fee))


@pytest.mark.parametrize("name", ["out_trade_no", "transaction_id", "time_end"])
def test_a_notice_must_name_its_order_its_transaction_and_its_time(
    channel: WeChat, gateway: FakeWechat, name: str
) -> None:
    refused(channel, gateway.notice(TOKEN, **{name: ""}))
    refused(channel, gateway.notice(TOKEN, **{name: "a b"}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.replace(b"<total_fee>990", b"<total_fee>9<!--x-->90"),
        lambda body: body.replace(b"<total_fee>990", b"<total_fee>9<?x y?>90"),
        lambda body: body.replace(b"</xml>", b"<total_fee>1</total_fee></xml>"),
        lambda body: body.replace(b"<total_fee>990", b"<total_fee><b>1</b>990"),
        lambda body: b"<!DOCTYPE xml>" + body,
        lambda body: b'<!DOCTYPE xml [<!ENTITY a "990">]>' + body.replace(b">990<", b">&a;<"),
        lambda body: body.replace(b"<xml>", b"<root>").replace(b"</xml>", b"</root>"),
        lambda body: b'<?xml version="1.0" encoding="GBK"?>' + body,
        lambda body: body.replace(b"CMC", "招行".encode("gbk")),
        lambda body: body + b" " * 65536,
        lambda body: body.replace(b"CMC", b"C" * 1_000_000),
        lambda body: body[:-2],
        lambda body: b"",
        lambda body: b"out_trade_no=1&total_fee=990",
        lambda body: b"{}",
    ],
)
def test_another_form_of_the_same_notice_is_refused(
    channel: WeChat, gateway: FakeWechat, spoil: Callable[[bytes], bytes]
) -> None:
    refused(channel, spoil(gateway.notice(TOKEN)))


def test_only_the_body_of_a_post_counts(channel: WeChat, gateway: FakeWechat) -> None:
    body = gateway.notice(TOKEN)
    refused(channel, b"", query=body)
    refused(channel, body, method="GET")


def test_the_answers_are_what_wechat_wants_to_hear(channel: WeChat) -> None:
    assert channel.reply_accepted().body == (
        b"<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
    )
    assert accepted(channel.reply_accepted().body)
    assert not accepted(channel.reply_refused().body)


def test_notices_come_again_until_they_are_taken(channel: WeChat, gateway: FakeWechat) -> None:
    heard: list[str] = []

    def shop(asked: Asked) -> Answered:
        notice = channel.read_notice(posted(asked.body))
        heard.append(notice.order_token)
        return Answered((channel.reply_refused() if len(heard) < 4 else channel.reply_accepted()).body)

    with Serving(shop) as serving:
        gateway.trades[TOKEN].asked = {**gateway.trades[TOKEN].asked, "notify_url": f"{serving.url}/notify/wechat"}
        assert gateway.notify(TOKEN) == 4
    assert heard == [TOKEN] * 4


def test_a_return_proves_nothing(channel: WeChat) -> None:
    with pytest.raises(NoticeRefused):
        channel.read_return(posted(b"", query=b"out_trade_no=1"))


# Refunds


@pytest.fixture
def refunded(channel: WeChat, gateway: FakeWechat) -> WeChat:
    gateway._desk.refund({"out_trade_no": TOKEN, "out_refund_no": "ref_1", "total_fee": "990", "refund_fee": "990"})
    return channel


def test_a_refund_notice_names_the_refund_to_ask_about(refunded: WeChat, gateway: FakeWechat) -> None:
    notice = refunded.read_notice(posted(gateway.refund_notice("ref_1")))
    assert (notice.heard, notice.order_token, notice.refund_number) == (Heard.REFUND, TOKEN, "ref_1")
    assert notice.paid is None
    assert "req_info" not in notice.text
    assert refunded.refund_standing(refund()).standing.value == "processing"


def test_a_refund_notice_that_is_not_ours_is_refused(refunded: WeChat, gateway: FakeWechat) -> None:
    body = read(gateway.refund_notice("ref_1"))
    for changed in (
        {"appid": "wx0000000000000000"}, {"mch_id": "1900000999"}, {"req_info": "AAAA"},
        {"req_info": body["req_info"][:-24]},
    ):  # fmt: skip
        refused(refunded, written(body | changed))
    gateway.api_key = "0" * 32
    refused(refunded, gateway.refund_notice("ref_1"))


def test_a_refund_notice_without_numbers_is_refused(refunded: WeChat, gateway: FakeWechat) -> None:
    refused(refunded, gateway.refund_notice("ref_1", out_refund_no=""))
    refused(refunded, gateway.refund_notice("ref_1", out_trade_no=""))


# Static codes of products


def sold(call: ProductCall) -> Start:
    return start(Scene.APP, order={"token": "d" * 32}, title=call.product)


def test_a_static_code_leads_to_an_order(channel: WeChat, gateway: FakeWechat) -> None:
    assert isinstance(channel, SellsByCode)
    calls: list[ProductCall] = []

    def noted(call: ProductCall) -> Start:
        calls.append(call)
        return sold(call)

    def shop(asked: Asked) -> Answered:
        reply = channel.answer_product(posted(asked.body), noted)
        return Answered(reply.body, mimetype=reply.mimetype)

    with Serving(shop) as serving:
        answer = gateway.scan(channel.product_code("tea-1", START), serving.url)
    assert answer["result_code"] == "SUCCESS"
    assert (calls[0].product, calls[0].openid, calls[0].now) == ("tea-1", OPENID, START)
    assert gateway.trades["d" * 32].asked["trade_type"] == "NATIVE"
    assert gateway.trades["d" * 32].asked["product_id"] == "tea-1"
    assert answer["prepay_id"].startswith("wx")


def test_a_question_asked_again_for_the_same_order_is_answered_again(channel: WeChat, gateway: FakeWechat) -> None:
    body = gateway.question("tea-1", OPENID, "n")
    for _ in range(2):
        assert read(channel.answer_product(posted(body), sold).body)["result_code"] == "SUCCESS"


def test_nothing_to_sell_is_told_to_the_buyer_in_a_signed_answer(channel: WeChat, gateway: FakeWechat) -> None:
    def none_left(call: ProductCall) -> Start:
        raise Refusal(Code.NOT_FOUND, "There is no such product.")

    answer = read(channel.answer_product(posted(gateway.question("tea-1", OPENID)), none_left).body)
    assert (answer["return_code"], answer["result_code"]) == ("SUCCESS", "FAIL")
    assert answer["err_code_des"] == "There is no such product."
    assert answer["sign"] == sign_of(answer, API_KEY, "HMAC-SHA256")
    assert "prepay_id" not in answer


def test_a_gateway_that_is_down_fails_the_question(channel: WeChat, gateway: FakeWechat) -> None:
    gateway.mischief = "status"
    answer = read(channel.answer_product(posted(gateway.question("tea-1", OPENID)), sold).body)
    assert answer["result_code"] == "FAIL"


def test_a_question_that_is_not_wechat_s_opens_no_order(channel: WeChat, gateway: FakeWechat) -> None:
    genuine = read(gateway.question("tea-1", OPENID))

    def never(call: ProductCall) -> Start:
        raise AssertionError(call)

    bodies = [written(genuine | {name: f"{value}0"}) for name, value in genuine.items()]
    bodies += [written({k: v for k, v in genuine.items() if k != name}) for name in genuine]
    bodies += [
        written(sealed(genuine | changed))
        for changed in ({"appid": "wx0"}, {"mch_id": "1"}, {"openid": "a b"}, {"product_id": "x" * 33}, {"openid": ""})
    ]
    bodies += [b"", gateway.notice(TOKEN)]
    for body in bodies:
        assert not accepted(channel.answer_product(posted(body), never).body)
    assert not accepted(channel.answer_product(posted(written(genuine), method="GET"), never).body)


def test_the_public_signature_of_a_code_asks_nothing(channel: WeChat) -> None:
    code = channel.product_code("tea-1", START)
    values = dict(pair.split("=", 1) for pair in code.partition("?")[2].split("&"))
    assert not accepted(channel.answer_product(posted(xml.build(values)), sold).body)
