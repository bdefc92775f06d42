"""The channel against a strict WeChat Pay, over real HTTP and TLS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from checkout.channel import GatewayError, PromptKind, Refunded, RefundStanding, Scene, Standing
from checkout.channels.wechat import WeChat, make
from checkout.http.client import Client
from tests.channels.orders import TOKEN, order, refund, start
from tests.channels.rsa import written
from tests.channels.wechat import API_KEY, APP_ID, MCH_ID, Certificates, certificates, section
from tests.fakes.wechat import FakeWechat
from tests.fakes.wechat_words import sign_of
from tests.world import START, FakeClock

AWKWARD = '+ & = / % 中文 "quotes" {braces} ]]> <b> \\ \n 100%25'
SOON = 0.5  # seconds, where an answer would never come


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["HMAC-SHA256", "MD5"])
def sign_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gateway(clock: FakeClock, sign_type: str) -> Iterator[FakeWechat]:
    with FakeWechat(APP_ID, MCH_ID, API_KEY, clock=clock, sign_type=sign_type) as fake:
        yield fake


@pytest.fixture
def channel(gateway: FakeWechat, tmp_path: Path) -> WeChat:
    return made(tmp_path, gateway=gateway.url, sign_type=gateway.sign_type)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(clock: FakeClock, files: Certificates) -> Iterator[FakeWechat]:
    with FakeWechat(APP_ID, MCH_ID, API_KEY, clock=clock, tls=files.tls) as fake:
        yield fake


@pytest.fixture
def certified(secure: FakeWechat, files: Certificates, tmp_path: Path) -> WeChat:
    return made(tmp_path, gateway=secure.url, ca=files.ca, cert=files.cert, cert_key=files.cert_key)


def made(folder: Path, **changes: object) -> WeChat:
    channel = make("wechat", section(folder, **changes), folder, True)
    assert isinstance(channel, WeChat)
    return channel


def fault(call: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as outcome:
        call()
    assert API_KEY not in str(outcome.value)
    return outcome.value


# Starting an order


def test_an_order_is_shown_as_a_qr_code(channel: WeChat, gateway: FakeWechat) -> None:
    prompt = channel.start(start())
    assert (prompt.kind, prompt.text) == (PromptKind.QR, f"weixin://wxpay/bizpayurl?pr={TOKEN[:9]}")
    path, asked = gateway.asked[0]
    assert path == "/pay/unifiedorder"
    assert (asked["total_fee"], asked["out_trade_no"], asked["product_id"]) == ("990", TOKEN, TOKEN)
    assert (asked["trade_type"], asked["sign_type"]) == ("NATIVE", gateway.sign_type)


def test_the_time_of_an_order_s_end_is_beijing_s(channel: WeChat, gateway: FakeWechat, clock: FakeClock) -> None:
    clock.now = 1409721340
    channel.start(start(now=1409721340, order={"expires_at": 1409721940}))
    assert gateway.asked[0][1]["time_expire"] == "20140903132540"


def test_an_order_about_to_end_is_given_the_least_time_that_the_gateway_takes(
    channel: WeChat, gateway: FakeWechat, clock: FakeClock
) -> None:
    assert channel.start(start(order={"expires_at": START + 5})).text


def test_awkward_titles_arrive_as_one_line(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start(title=AWKWARD))
    assert gateway.asked[0][1]["body"] == AWKWARD.replace("\n", "").replace("  ", " ")
    assert channel.start(start(title="中" * 200, order={"token": "b" * 32})).text
    assert len(gateway.asked[1][1]["body"].encode()) == 126


def test_an_app_gets_what_its_sdk_needs_signed_once_more(channel: WeChat, gateway: FakeWechat) -> None:
    prompt = channel.start(start(Scene.APP))
    params = dict(prompt.params)
    assert prompt.kind is PromptKind.CLIENT
    assert params.pop("sign") == sign_of(params, API_KEY, gateway.sign_type)
    assert len(params.pop("noncestr")) == 32
    assert params == {
        "appid": APP_ID, "partnerid": MCH_ID, "prepayid": f"wx{1:034d}", "package": "Sign=WXPay",
        "timestamp": str(START),
    }  # fmt: skip


def test_a_page_inside_wechat_gets_its_own_parameters(channel: WeChat, gateway: FakeWechat) -> None:
    params = dict(channel.start(start(Scene.JSAPI, openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")).params)
    assert gateway.asked[0][1]["openid"] == "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
    assert params.pop("paySign") == sign_of(params, API_KEY, gateway.sign_type)
    assert params["package"] == f"prepay_id=wx{1:034d}"
    assert params["signType"] == gateway.sign_type


def test_a_page_inside_wechat_needs_the_buyer_s_openid(channel: WeChat, gateway: FakeWechat) -> None:
    assert fault(lambda: channel.start(start(Scene.JSAPI))).permanent
    assert gateway.asked == []


def test_a_phone_is_led_to_wechat_and_back_to_the_order_s_page(channel: WeChat, gateway: FakeWechat) -> None:
    prompt = channel.start(start(Scene.H5))
    assert prompt.kind is PromptKind.LINK
    query = parse_qs(urlsplit(prompt.text).query)
    assert query["redirect_url"] == [f"https://pay.example.com/pay/{TOKEN}"]
    site = json.loads(gateway.asked[0][1]["scene_info"])["h5_info"]
    assert site == {"type": "Wap", "wap_url": "https://pay.example.com", "wap_name": "pay.example.com"}
    assert gateway.asked[0][1]["spbill_create_ip"] == "203.0.113.5"


def test_there_is_no_web_page_of_wechat_for_computers(channel: WeChat) -> None:
    assert Scene.PAGE not in channel.scenes()
    assert fault(lambda: channel.start(start(Scene.PAGE))).permanent


def test_asking_again_for_the_same_order_does_no_harm_and_for_another_amount_is_refused(channel: WeChat) -> None:
    assert channel.start(start()).text == channel.start(start(now=START + 60)).text
    problem = fault(lambda: channel.start(start(order={"really_price": 991})))
    assert problem.permanent
    assert "商户订单号重复" in problem.message


def test_an_order_that_is_paid_or_closed_is_not_started_again(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start())
    gateway.pay(TOKEN)
    assert "ORDERPAID" in fault(lambda: channel.start(start())).message
    channel.start(start(order={"token": "b" * 32}))
    channel.close(order(token="b" * 32), START)
    assert "ORDERCLOSED" in fault(lambda: channel.start(start(order={"token": "b" * 32}))).message


# Asking and closing


def test_an_order_is_unpaid_until_it_is_paid(channel: WeChat, gateway: FakeWechat, clock: FakeClock) -> None:
    assert channel.query(order(), START).standing is Standing.UNPAID  # unknown there
    channel.start(start())
    assert channel.query(order(), START).standing is Standing.UNPAID
    clock.now += 20
    trade = gateway.pay(TOKEN)
    found = channel.query(order(), START + 30)
    assert found.standing is Standing.PAID
    assert found.paid is not None
    assert (found.paid.order_token, found.paid.reference) == (TOKEN, trade.transaction_id)
    assert (found.paid.amount, found.paid.happened_at) == (990, START + 20)


def test_money_that_went_back_later_came_all_the_same(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start())
    gateway.pay(TOKEN).state = "REFUND"
    assert channel.query(order(), START).standing is Standing.PAID


@pytest.mark.parametrize(
    ("state", "standing"),
    [("CLOSED", Standing.CLOSED), ("REVOKED", Standing.CLOSED), ("USERPAYING", Standing.UNPAID),
     ("PAYERROR", Standing.UNPAID)],
)  # fmt: skip
def test_the_other_states_mean_that_no_money_came(
    channel: WeChat, gateway: FakeWechat, state: str, standing: Standing
) -> None:
    channel.start(start())
    gateway.trades[TOKEN].state = state
    assert channel.query(order(), START).standing is standing


def test_an_unknown_state_is_no_answer(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start())
    gateway.trades[TOKEN].state = "NEWSTATE"
    assert not fault(lambda: channel.query(order(), START)).permanent


def test_a_closed_order_takes_no_money_and_may_be_closed_again(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start())
    channel.close(order(), START)
    channel.close(order(), START)
    assert gateway.trades[TOKEN].state == "CLOSED"
    assert channel.query(order(), START).standing is Standing.CLOSED


def test_closing_an_order_that_nobody_knows_or_that_was_paid_is_fine(channel: WeChat, gateway: FakeWechat) -> None:
    channel.close(order(), START)
    channel.start(start())
    gateway.pay(TOKEN)
    channel.close(order(), START)
    assert channel.query(order(), START).standing is Standing.PAID


def test_another_amount_is_told_as_it_is(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start())
    gateway.pay(TOKEN, 1)
    found = channel.query(order(), START)
    assert found.paid is not None
    assert found.paid.amount == 1


# Answers that are not used


@pytest.mark.parametrize(
    "mischief",
    ["status", "failing", "busy", "unsigned", "empty_sign", "tampered", "other_key", "other_merchant", "doctype",
     "doubled"],
)  # fmt: skip
def test_an_answer_that_does_not_hold_decides_nothing(channel: WeChat, gateway: FakeWechat, mischief: str) -> None:
    channel.start(start())
    gateway.pay(TOKEN)
    gateway.mischief = mischief
    for call in (
        lambda: channel.start(start(order={"token": "c" * 32})), lambda: channel.query(order(), START),
        lambda: channel.close(order(), START), lambda: channel.refund_standing(refund()),
    ):  # fmt: skip
        assert not fault(call).permanent
    gateway.mischief = ""
    assert channel.query(order(), START).standing is Standing.PAID


def test_an_answer_about_another_order_is_not_used(channel: WeChat, gateway: FakeWechat) -> None:
    channel.start(start())
    gateway.pay(TOKEN)
    gateway.mischief = "other_order"
    assert "another order" in fault(lambda: channel.query(order(), START)).message


@pytest.mark.parametrize(
    ("odd", "what"),
    [({"fee_type": "USD"}, "another currency"), ({"total_fee": "9.90"}, "no amount"), ({"time_end": ""}, "no time"),
     ({"transaction_id": ""}, "does not name")],
)  # fmt: skip
def test_a_payment_that_cannot_be_understood_is_not_booked(
    channel: WeChat, gateway: FakeWechat, odd: dict[str, str], what: str
) -> None:
    channel.start(start())
    gateway.pay(TOKEN)
    gateway.odd = odd
    assert what in fault(lambda: channel.query(order(), START)).message


@pytest.mark.parametrize("odd", [{"trade_type": "APP"}, {"code_url": ""}, {"code_url": "a b"}])
def test_an_order_without_its_code_is_not_shown(channel: WeChat, gateway: FakeWechat, odd: dict[str, str]) -> None:
    gateway.odd = odd
    assert not fault(lambda: channel.start(start())).permanent


def test_a_phone_is_led_to_the_web_and_nowhere_else(channel: WeChat, gateway: FakeWechat) -> None:
    gateway.odd = {"mweb_url": "javascript:alert(1)"}
    assert "mweb_url" in fault(lambda: channel.start(start(Scene.H5))).message


def test_an_answer_signed_with_md5_is_not_used_where_hmac_is_configured(
    channel: WeChat, gateway: FakeWechat, sign_type: str
) -> None:
    channel.start(start())
    gateway.mischief = "md5"
    if sign_type == "MD5":
        assert channel.query(order(), START).standing is Standing.UNPAID
    else:
        assert "not signed with our key" in fault(lambda: channel.query(order(), START)).message


def test_another_key_is_told_apart_from_a_gateway_that_is_down(gateway: FakeWechat, tmp_path: Path) -> None:
    written(tmp_path / "keys" / "other.txt", "0" * 32)
    channel = made(tmp_path, gateway=gateway.url, sign_type=gateway.sign_type, api_key="keys/other.txt")
    assert "签名错误" in fault(lambda: channel.start(start())).message


def test_a_gateway_that_keeps_silent_costs_the_deadline_and_the_same_number_is_asked_again(
    gateway: FakeWechat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(**options: object) -> Client:
        assert options["deadline_s"] == 10
        return Client(allow_private=True, ports=None, deadline_s=SOON)

    monkeypatch.setattr("checkout.channels.wechat_section.Client", impatient)
    channel = made(tmp_path, gateway=gateway.url, sign_type=gateway.sign_type)
    gateway.mischief = "silent"
    problem = fault(lambda: channel.start(start()))
    assert not problem.permanent
    assert "did not answer in time" in problem.message
    gateway.mischief = ""
    assert TOKEN in gateway.trades
    assert channel.query(order(), START).standing is Standing.UNPAID
    assert channel.start(start()).text


def test_a_late_answer_is_an_answer(channel: WeChat, gateway: FakeWechat) -> None:
    gateway.mischief = "late"
    assert channel.start(start()).text


def test_a_gateway_out_of_reach_may_be_asked_again(channel: WeChat, gateway: FakeWechat) -> None:
    gateway.__exit__(None, None, None)
    assert not fault(lambda: channel.start(start())).permanent


# Refunds


def test_a_refund_goes_through_with_the_certificate(certified: WeChat, secure: FakeWechat) -> None:
    certified.start(start())
    secure.pay(TOKEN)
    assert certified.refund_standing(refund()).standing is RefundStanding.REPEAT  # unknown there
    ask = refund(reason="退款 & back", amount=400)
    assert certified.refund(ask).standing is RefundStanding.PROCESSING
    assert certified.refund(ask).standing is RefundStanding.PROCESSING
    assert len(secure.trades[TOKEN].refunds) == 1
    assert certified.refund_standing(ask).standing is RefundStanding.PROCESSING
    secure.trades[TOKEN].refunds["ref_1"]["status"] = "SUCCESS"
    assert certified.refund_standing(ask) == Refunded(RefundStanding.DONE)
    asked = next(values for path, values in secure.asked if path == "/secapi/pay/refund")
    assert (asked["total_fee"], asked["refund_fee"], asked["refund_desc"]) == ("990", "400", "退款 & back")


@pytest.mark.parametrize("status", ["REFUNDCLOSE", "CHANGE"])
def test_a_refund_that_the_bank_does_not_take_has_failed_and_says_why(
    certified: WeChat, secure: FakeWechat, status: str
) -> None:
    certified.start(start())
    secure.pay(TOKEN)
    certified.refund(refund())
    secure.trades[TOKEN].refunds["ref_1"]["status"] = status
    outcome = certified.refund_standing(refund())
    assert outcome.standing is RefundStanding.FAILED
    assert outcome.reason


def test_an_unknown_state_of_a_refund_is_no_answer(certified: WeChat, secure: FakeWechat) -> None:
    certified.start(start())
    secure.pay(TOKEN)
    certified.refund(refund())
    secure.trades[TOKEN].refunds["ref_1"]["status"] = "NEW"
    assert not fault(lambda: certified.refund_standing(refund())).permanent


def test_refunds_add_up_to_what_was_paid_and_no_more(certified: WeChat, secure: FakeWechat) -> None:
    certified.start(start())
    secure.pay(TOKEN)
    assert certified.refund(refund(amount=900)).standing is RefundStanding.PROCESSING
    too_much = certified.refund(refund(amount=91, number="ref_2"))
    assert too_much.standing is RefundStanding.FAILED
    assert "REFUND_FEE_MISMATCH" in too_much.reason
    assert certified.refund(refund(amount=90, number="ref_2")).standing is RefundStanding.PROCESSING


def test_a_refund_of_an_unpaid_order_or_of_another_total_fails(certified: WeChat, secure: FakeWechat) -> None:
    certified.start(start())
    assert certified.refund(refund()).standing is RefundStanding.FAILED
    secure.pay(TOKEN)
    assert certified.refund(refund(paid=991)).standing is RefundStanding.FAILED


@pytest.mark.parametrize("mischief", ["status", "busy", "failing", "unsigned", "tampered", "other_key", "other_order"])
def test_a_refund_whose_answer_does_not_hold_is_asked_about_again(
    certified: WeChat, secure: FakeWechat, mischief: str
) -> None:
    certified.start(start())
    secure.pay(TOKEN)
    secure.mischief = mischief
    assert not fault(lambda: certified.refund(refund())).permanent
    assert not fault(lambda: certified.refund_standing(refund())).permanent
    secure.mischief = ""
    assert certified.refund(refund()).standing is RefundStanding.PROCESSING
    assert len(secure.trades[TOKEN].refunds) == 1


def test_a_refund_of_another_amount_under_the_same_number_is_not_taken_for_ours(
    certified: WeChat, secure: FakeWechat
) -> None:
    certified.start(start())
    secure.pay(TOKEN)
    certified.refund(refund(amount=400))
    assert certified.refund(refund(amount=500)).standing is RefundStanding.FAILED
    assert "another amount" in fault(lambda: certified.refund_standing(refund(amount=500))).message


def test_without_a_certificate_refunds_are_refused_here(channel: WeChat, gateway: FakeWechat) -> None:
    problem = fault(lambda: channel.refund(refund()))
    assert problem.permanent
    assert "cert" in problem.message
    assert gateway.asked == []


def test_the_gateway_refuses_refunds_without_the_certificate_and_payments_do_not_show_it(
    certified: WeChat, secure: FakeWechat, files: Certificates, tmp_path: Path
) -> None:
    plain = made(tmp_path, gateway=secure.url, ca=files.ca)
    plain.start(start())
    secure.pay(TOKEN)
    plain._gateway._send_certified = plain._gateway._send
    assert "证书" in fault(lambda: plain.refund(refund())).message


def test_a_gateway_with_a_foreign_certificate_is_not_spoken_to(
    secure: FakeWechat, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = certificates(tmp_path_factory.mktemp("others"))
    for ca in (other.ca, ""):
        channel = made(tmp_path, gateway=secure.url, ca=ca)
        assert "certificate" in fault(lambda channel=channel: channel.start(start())).message  # type: ignore[misc]
    assert secure.asked == []
