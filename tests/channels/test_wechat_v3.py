"""The channel against the strict fake, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from checkout.channel import Channel, GatewayError, NoticeRefused, Prompt, PromptKind, RefundStanding, Scene, Standing
from tests.channels.rsa import key
from tests.channels.wechat_v3 import APP, KEY_ID, MCH, TOKEN, channel, fake, order, raw, refund, start
from tests.fakes.wechat_v3 import FakeWechatV3
from tests.fakes.wechat_v3_seals import holds
from tests.world import START, FakeClock


@pytest.fixture
def wechat(clock: FakeClock) -> Iterator[FakeWechatV3]:
    with fake(clock) as gateway:
        yield gateway


@pytest.fixture
def ours(wechat: FakeWechatV3, tmp_path: Path) -> Channel:
    return channel(tmp_path, wechat.gateway)


def fault(call: object, *args: object) -> GatewayError:
    assert callable(call)
    with pytest.raises(GatewayError) as outcome:
        call(*args)
    return outcome.value


def test_every_scene_but_the_page_is_served(ours: Channel) -> None:
    assert ours.scenes() == {Scene.QR, Scene.JSAPI, Scene.H5, Scene.APP}
    assert ours.method == "wechat"
    assert fault(ours.start, start(Scene.PAGE)).permanent


def test_a_native_order_gives_the_text_of_a_qr_code(ours: Channel, wechat: FakeWechatV3) -> None:
    assert ours.start(start()) == Prompt(PromptKind.QR, "weixin://wxpay/bizpayurl?pr=a7a7a7a7azz")
    asked = wechat.trades[TOKEN].asked
    assert asked["amount"] == {"total": 1999, "currency": "CNY"}
    assert asked["description"] == start().title
    assert asked["time_expire"] == "2026-09-21T22:18:20+08:00"
    assert wechat.asked[0].headers["wechatpay-serial"] == KEY_ID


def test_an_order_asked_for_again_is_answered_again(ours: Channel) -> None:
    assert ours.start(start()) == ours.start(start(now=START + 5, client_ip="203.0.113.77"))


def test_a_changed_amount_for_a_known_number_is_refused(ours: Channel) -> None:
    ours.start(start())
    problem = fault(ours.start, start(of=order(price=1)))
    assert problem.permanent
    assert problem.message == "WeChat Pay refused the request: OUT_TRADE_NO_USED (商户订单号重复)."


def test_an_order_about_to_end_may_be_paid_for_a_minute(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.start(start(of=order(expires_at=START + 3)))
    assert wechat.trades[TOKEN].asked["time_expire"] == "2026-09-21T22:14:21+08:00"


@pytest.mark.parametrize(("title", "sent"), [("字" * 60, "字" * 42), ("a\r\n\x00b", "a   b"), ("\n", TOKEN)])
def test_a_title_is_cut_to_what_is_allowed(ours: Channel, wechat: FakeWechatV3, title: str, sent: str) -> None:
    ours.start(start(title=title))
    assert wechat.trades[TOKEN].asked["description"] == sent


def test_a_mobile_browser_is_sent_to_wechat_and_comes_back_to_our_page(ours: Channel) -> None:
    prompt = ours.start(start(Scene.H5))
    assert prompt.kind is PromptKind.LINK
    query = parse_qs(urlsplit(prompt.text).query)
    assert query["redirect_url"] == [start().return_url]
    assert query["package"] == ["42"]


def test_an_app_gets_what_its_sdk_needs_signed_by_us(ours: Channel) -> None:
    prompt = ours.start(start(Scene.APP))
    params = dict(prompt.params)
    sign, nonce = params.pop("sign"), params["noncestr"]
    assert params == {
        "appid": APP, "partnerid": MCH, "prepayid": f"wx{TOKEN}", "package": "Sign=WXPay", "noncestr": nonce,
        "timestamp": str(START),
    }  # fmt: skip
    lines = (APP, str(START), nonce, f"wx{TOKEN}")
    assert holds(key("ours").public_key(), sign, *(line.encode() for line in lines))


def test_a_page_inside_wechat_gets_what_its_bridge_needs_signed_by_us(ours: Channel, wechat: FakeWechatV3) -> None:
    params = dict(ours.start(start(Scene.JSAPI)).params)
    sign, nonce = params.pop("paySign"), params["nonceStr"]
    package = f"prepay_id=wx{TOKEN}"
    assert params == {
        "appId": APP, "timeStamp": str(START), "nonceStr": nonce, "package": package, "signType": "RSA"
    }  # fmt: skip
    lines = (APP, str(START), nonce, package)
    assert holds(key("ours").public_key(), sign, *(line.encode() for line in lines))
    assert wechat.trades[TOKEN].asked["payer"] == {"openid": start().openid}


def test_what_a_scene_needs_is_asked_for_before_anything_is_sent(ours: Channel, wechat: FakeWechatV3) -> None:
    assert "needs openid" in fault(ours.start, start(Scene.JSAPI, openid="")).message
    assert "needs the buyer's address" in fault(ours.start, start(Scene.H5, client_ip="")).message
    assert wechat.asked == []


def test_a_query_tells_how_an_order_stands(ours: Channel, wechat: FakeWechatV3) -> None:
    assert ours.query(order(), START).standing is Standing.UNPAID
    ours.start(start())
    for state, standing in {
        "NOTPAY": Standing.UNPAID, "USERPAYING": Standing.UNPAID, "PAYERROR": Standing.UNPAID,
        "CLOSED": Standing.CLOSED, "REVOKED": Standing.CLOSED,
    }.items():  # fmt: skip
        wechat.trades[TOKEN].state = state
        assert ours.query(order(), START).standing is standing
    wechat.trades[TOKEN].state = "NEW_STATE"
    assert "no state that is known" in fault(ours.query, order(), START).message


def test_a_query_finds_the_money_with_the_orders_total_and_not_what_a_coupon_left(
    ours: Channel, wechat: FakeWechatV3, clock: FakeClock
) -> None:
    ours.start(start())
    trade = wechat.pay(TOKEN)
    clock.go(30)
    found = ours.query(order(), clock())
    assert found.standing is Standing.PAID
    assert found.paid is not None
    assert (found.paid.order_token, found.paid.amount, found.paid.happened_at) == (TOKEN, 1999, START)
    assert found.paid.reference == trade.transaction_id


def test_an_order_refunded_in_part_was_paid(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.start(start())
    wechat.pay(TOKEN)
    ours.refund(refund(1))
    assert ours.query(order(), START).standing is Standing.PAID


def test_closing_ends_an_order_and_may_be_repeated(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.start(start())
    ours.close(order(), START)
    assert wechat.trades[TOKEN].state == "CLOSED"
    ours.close(order(), START)
    ours.close(order("b" * 32), START)
    assert wechat.refusals == ["ORDER_CLOSED", "ORDER_NOT_EXIST"]


def test_an_order_paid_before_it_was_closed_is_found_by_the_query_after_it(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.start(start())
    wechat.pay(TOKEN)
    ours.close(order(), START)
    assert ours.query(order(), START).standing is Standing.PAID


@pytest.mark.parametrize("by_reference", [True, False])
def test_a_refund_repeated_with_its_number_moves_money_once(
    ours: Channel, wechat: FakeWechatV3, by_reference: bool
) -> None:
    ours.start(start())
    trade = wechat.pay(TOKEN)
    ask = refund(reference=trade.transaction_id if by_reference else "")
    assert ours.refund_standing(ask).standing is RefundStanding.REPEAT
    for _ in range(3):
        assert ours.refund(ask).standing is RefundStanding.DONE
    assert ours.refund_standing(ask).standing is RefundStanding.DONE
    assert list(trade.refunds) == ["rf_1"]


@pytest.mark.parametrize(
    ("status", "standing"),
    [("PROCESSING", RefundStanding.PROCESSING), ("CLOSED", RefundStanding.FAILED), ("ABNORMAL", RefundStanding.FAILED)],
)
def test_a_refund_stands_as_wechat_says(
    ours: Channel, wechat: FakeWechatV3, status: str, standing: RefundStanding
) -> None:
    wechat.refund_status = status
    ours.start(start())
    wechat.pay(TOKEN)
    assert ours.refund(refund()).standing is standing
    assert ours.refund_standing(refund()).standing is standing


def test_a_refund_too_large_fails_with_the_reason(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.start(start())
    wechat.pay(TOKEN)
    assert ours.refund(refund(1500)).standing is RefundStanding.DONE
    refused = ours.refund(refund(500, "rf_2"))
    assert refused.standing is RefundStanding.FAILED
    assert refused.reason == "WeChat Pay refused the request: INVALID_REQUEST (退款金额大于支付金额)."


def test_a_refund_of_an_unknown_status_or_another_refund_is_no_answer(ours: Channel, wechat: FakeWechatV3) -> None:
    wechat.refund_status = "NEW"
    ours.start(start())
    wechat.pay(TOKEN)
    assert not fault(ours.refund, refund()).permanent
    wechat.mischief = "other_order"
    assert "another refund" in fault(ours.refund_standing, refund()).message


@pytest.mark.parametrize(
    "mischief", ["status", "busy", "unsigned", "tampered", "other_key", "certificate", "old", "probe"]
)
def test_a_bad_answer_is_never_used_and_leaves_all_open(ours: Channel, wechat: FakeWechatV3, mischief: str) -> None:
    ours.start(start())
    wechat.mischief = mischief
    for call in (
        lambda: ours.start(start()), lambda: ours.query(order(), START), lambda: ours.close(order("c" * 32), START),
        lambda: ours.query(order("c" * 32), START), lambda: ours.refund(refund()),
        lambda: ours.refund_standing(refund()),
    ):  # fmt: skip
        assert not fault(call).permanent


def test_an_unsigned_word_that_an_order_is_unknown_is_not_believed(ours: Channel, wechat: FakeWechatV3) -> None:
    wechat.mischief = "unsigned"
    assert fault(ours.query, order(), START).message == "WeChat Pay's answer (status 404) is not signed."


def test_an_answer_about_another_order_is_refused(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.start(start())
    wechat.pay(TOKEN)
    wechat.mischief = "other_order"
    assert "another order" in fault(ours.query, order(), START).message


@pytest.mark.parametrize("changes", [{"appid": "wx1"}, {"mchid": "1"}])
def test_an_answer_for_another_merchant_is_refused(
    ours: Channel, wechat: FakeWechatV3, changes: dict[str, str]
) -> None:
    ours.start(start())
    trade = wechat.pay(TOKEN)
    trade.asked = {**trade.asked, **changes}
    assert "is for another" in fault(ours.query, order(), START).message


def test_after_a_refund_nobody_heard_of_the_question_tells_that_it_was_done(
    ours: Channel, wechat: FakeWechatV3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.start(start())
    wechat.pay(TOKEN)
    monkeypatch.setattr("checkout.channels.wechat_v3.DEADLINE_S", 0.3)
    hasty = channel(tmp_path, wechat.gateway)
    wechat.mischief = "silent"
    problem = fault(hasty.refund, refund())
    assert "did not answer" in problem.message
    assert not problem.permanent
    wechat.mischief = ""
    assert hasty.refund_standing(refund()).standing is RefundStanding.DONE
    assert hasty.refund(refund()).standing is RefundStanding.DONE
    assert len(wechat.trades[TOKEN].refunds) == 1


@pytest.mark.parametrize(
    ("status", "body", "permanent"),
    [
        (403, b'{"code":"NO_AUTH","message":"x"}', True), (400, b"{}", True), (403, b'{"code":5,"message":[]}', True),
        (429, b'{"code":"FREQUENCY_LIMITED"}', False), (202, b'{"code":"USERPAYING"}', False), (202, b"{}", False),
        (400, b'{"code":"SYSTEM_ERROR"}', False), (302, b"", True), (403, b"not JSON", False), (403, b"[]", False),
    ],
)  # fmt: skip
def test_a_signed_refusal_is_for_good_unless_it_says_that_it_passes(
    ours: Channel, wechat: FakeWechatV3, status: int, body: bytes, permanent: bool
) -> None:
    wechat.says = (status, body)
    for call in (
        lambda: ours.start(start()), lambda: ours.query(order(), START), lambda: ours.close(order(), START),
        lambda: ours.refund_standing(refund()),
    ):  # fmt: skip
        assert fault(call).permanent is permanent


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"code_url":5}', b'{"code_url":"https://evil.example/"}', b'{"code_url":"weixin://a b"}']
)
def test_an_answer_without_a_code_is_no_answer(ours: Channel, wechat: FakeWechatV3, body: bytes) -> None:
    wechat.says = (200, body)
    assert fault(ours.start, start()).message == "WeChat Pay's answer holds no code_url."


def test_money_without_a_proper_amount_is_not_found(ours: Channel, wechat: FakeWechatV3) -> None:
    values = {"appid": APP, "mchid": MCH, "out_trade_no": TOKEN, "transaction_id": "42", "trade_state": "SUCCESS"}
    wechat.says = (200, json.dumps({**values, "amount": {"total": "1999", "currency": "CNY"}}).encode())
    assert "holds no proper amount" in fault(ours.query, order(), START).message


def test_a_gateway_that_is_down_is_a_passing_fault(tmp_path: Path, clock: FakeClock) -> None:
    with fake(clock) as gateway:
        ours = channel(tmp_path, gateway.gateway)
    assert not fault(ours.query, order(), START).permanent


def test_a_late_answer_is_an_answer(ours: Channel, wechat: FakeWechatV3) -> None:
    wechat.mischief, wechat.late_s = "late", 0.1
    assert ours.start(start()).kind is PromptKind.QR


def test_a_clock_that_is_wrong_is_told(ours: Channel, wechat: FakeWechatV3, clock: FakeClock) -> None:
    clock.go(301)
    assert fault(ours.query, order(), START).message.endswith("five minutes from now; is the clock right?")
    assert wechat.refusals == ["SIGN_ERROR"]


def test_a_request_signed_by_another_merchants_key_is_refused_with_the_keys_to_look_at(
    wechat: FakeWechatV3, tmp_path: Path
) -> None:
    from checkout.channels.wechat_v3 import make
    from tests.channels.rsa import pem, written
    from tests.channels.wechat_v3 import section

    table = section(tmp_path, wechat.gateway)
    written(tmp_path / "keys" / "apiclient_key.pem", pem(key("stranger")))
    problem = fault(make("wx", table, tmp_path, True).query, order(), START)
    assert problem.permanent
    assert "are mch_id, serial_no and private_key of one merchant?" in problem.message


def test_each_request_has_a_nonce_of_its_own(ours: Channel, wechat: FakeWechatV3) -> None:
    for _ in range(3):
        ours.query(order(), START)
    assert wechat.refusals == ["ORDER_NOT_EXIST"] * 3


def test_a_return_proves_nothing(ours: Channel) -> None:
    with pytest.raises(NoticeRefused):
        ours.read_return(raw(b"", {}, method="GET"))


def test_the_replies_are_those_that_end_and_repeat_a_notice(ours: Channel) -> None:
    assert ours.reply_accepted().status == 200
    assert json.loads(ours.reply_accepted().body)["code"] == "SUCCESS"
    assert ours.reply_refused().status == 500
    assert json.loads(ours.reply_refused().body)["code"] == "FAIL"
