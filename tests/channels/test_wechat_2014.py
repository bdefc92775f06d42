"""WeChat Pay's 2014 form against its published vectors and against a strict stand-in over real HTTP and TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from checkout.channel import (
    GatewayError,
    Heard,
    NoticeRefused,
    PromptKind,
    Raw,
    RefundStanding,
    Scene,
    Standing,
    Start,
)  # fmt: skip
from checkout.channels.static_codes import ProductCall, SellsByCode
from checkout.channels.wechat_2014 import WeChat2014, make
from checkout.channels.wechat_2014_messages import Partner, app_sign, call_of, package_of
from checkout.channels.wechat_messages import MD5, sign
from checkout.errors import Code, Refusal
from checkout.http.client import Client
from checkout.setting_values import SettingsError
from tests.channels.orders import TOKEN, order, refund, start
from tests.channels.rsa import written as saved
from tests.channels.vectors import vector
from tests.channels.wechat import Certificates, certificates
from tests.channels.wechat_2014 import SECRETS, at, made, section
from tests.fakes.serving import Answered, Asked, Serving
from tests.fakes.wechat_2014 import FakeWechat2014, sha1_of
from tests.fakes.wechat_words import read, sign_of, written
from tests.world import START, FakeClock

PARTNER = Partner(SECRETS.app_id, SECRETS.partner, SECRETS.pay_sign_key, SECRETS.partner_key)
ALL_SECRETS = (SECRETS.app_secret, SECRETS.pay_sign_key, SECRETS.partner_key)
AWKWARD = '+ & = / % 中文 "quotes" {braces}'
SOON = 0.5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gateway(clock: FakeClock) -> Iterator[FakeWechat2014]:
    with FakeWechat2014(SECRETS, clock=clock) as fake:
        yield fake


@pytest.fixture
def channel(gateway: FakeWechat2014, tmp_path: Path) -> WeChat2014:
    return made(tmp_path, **at(gateway.url))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(clock: FakeClock, files: Certificates) -> Iterator[FakeWechat2014]:
    with FakeWechat2014(SECRETS, clock=clock, tls=files.tls) as fake:
        yield fake


@pytest.fixture
def certified(secure: FakeWechat2014, files: Certificates, tmp_path: Path) -> WeChat2014:
    options = {"ca": files.ca, "cert": files.cert, "cert_key": files.cert_key}
    return made(tmp_path, **at(secure.url), **options, op_user_passwd="keys/op_user_passwd.txt")


def posted(body: bytes, query: str = "", **changes: Any) -> Raw:
    return Raw(**{"method": "POST", "query": query.encode(), "body": body, "headers": {}, "now": START, **changes})


def fault(call: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as outcome:
        call()
    assert not any(secret in str(outcome.value) for secret in ALL_SECRETS)
    return outcome.value


def asking(channel: WeChat2014, open_order: Callable[[ProductCall], Start]) -> Serving:
    def shop(asked: Asked) -> Answered:
        reply = channel.answer_product(posted(asked.body), open_order)
        return Answered(reply.body, mimetype=reply.mimetype)

    return Serving(shop)


def sell(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    """A buyer scans the code of the usual order."""
    with asking(channel, lambda call: start()) as shop:
        gateway.scan(channel.start(start()).text, shop.url)


# Published vectors


def pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split("&"))


def test_the_published_package_is_ours_but_for_the_case_of_its_percent_codes() -> None:
    known = vector("wx2014_package_md5")
    values = pairs(known["inputs"]["string"])
    assert sign(values, known["key"], MD5) == known["expected"]
    assert package_of(values, known["key"]).lower() == known["inputs"]["package_result"].lower()


def test_the_published_pay_sign_holds_over_an_encoded_package() -> None:
    known = vector("wx2014_paysign_sha1")
    head, _, rest = known["inputs"]["string"].partition("&package=")
    package, _, timestamp = rest.partition("&timestamp=")
    values = {**pairs(head), "package": package, "timestamp": timestamp}
    del values["appkey"]
    assert app_sign(values, known["key"]) == known["expected"]
    assert app_sign({name.upper(): value for name, value in values.items()}, known["key"]) == known["expected"]


def test_the_published_question_is_believed() -> None:
    known = vector("wx2014_native_callback_appsignature")
    values: dict[str, str] = known["inputs"]["xml"]
    partner = Partner(values["AppId"], "1900000109", known["key"], "x")
    call = call_of(posted(written(values | {"AppSignature": known["expected"]})), partner)
    assert call == ProductCall("777111666", "111222", "YvMZOX28YQkoU1i4NdOnlXB1", START)


def test_a_refund_of_tenpay_is_signed_as_published() -> None:
    known = vector("computed_tenpay_refund_md5")
    assert sign(known["inputs"]["params"], known["key"], MD5) == known["expected"]


def test_an_empty_message_of_no_error_stays_in_what_is_signed() -> None:
    assert app_sign({"reterrmsg": ""}, "k") == sha1_of({"RetErrMsg": ""}, "k") != app_sign({}, "k")


def test_a_blank_is_sent_as_percent_20_and_signed_as_it_is() -> None:
    package = package_of({"body": "a b+c"}, "k")
    assert package == f"body=a%20b%2Bc&sign={sign_of({'body': 'a b+c'}, 'k')}"


# Native codes


def test_an_order_s_code_asks_back_and_is_answered_with_its_package(
    channel: WeChat2014, gateway: FakeWechat2014
) -> None:
    assert isinstance(channel, SellsByCode)
    prompt = channel.start(start(title=AWKWARD))
    assert prompt.kind is PromptKind.QR
    calls: list[str] = []

    def opened(call: ProductCall) -> Start:
        calls.append(call.product)
        return start(title=AWKWARD, client_ip="2001:db8::1")

    with asking(channel, opened) as shop:
        answer = gateway.scan(prompt.text, shop.url)
    assert calls == [TOKEN]
    package = gateway.trades[TOKEN].package
    assert (answer["RetCode"], package["total_fee"], package["body"]) == ("0", "990", AWKWARD)
    assert (package["time_expire"], package["spbill_create_ip"]) == ("20260921221820", "127.0.0.1")


def test_a_product_s_code_names_the_product(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    with asking(channel, lambda call: start(title=call.product)) as shop:
        gateway.scan(channel.product_code("tea-1", START), shop.url)
    assert gateway.trades[TOKEN].package["body"] == "tea-1"
    with pytest.raises(ValueError, match="at most 32"):
        channel.product_code("a&b", START)


def test_nothing_to_sell_is_told_in_a_signed_answer(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    def none_left(call: ProductCall) -> Start:
        raise Refusal(Code.NOT_FOUND, "There is no such product.")

    with asking(channel, none_left) as shop:
        answer = gateway.scan(channel.product_code("tea", START), shop.url)
    assert (answer["RetCode"], answer["Package"]) == ("1", "")
    assert answer["RetErrMsg"] == "There is no such product."


def test_a_question_that_is_not_wechat_s_is_not_answered(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    def never(call: ProductCall) -> Start:
        raise AssertionError(call)

    genuine = read(gateway.question("tea"))
    unsigned_names = ("SignMethod",)
    bodies = [written(genuine | {name: f"{value}0"}) for name, value in genuine.items()]
    bodies += [written({k: v for k, v in genuine.items() if k != n}) for n in genuine if n not in unsigned_names]
    bodies += [
        gateway.question("tea", AppId="wx0000000000000000"), gateway.question("a b"),
        gateway.question("tea", TimeStamp="1\x80"), gateway.question("tea", OpenId="o&productid=x"),
        written(genuine | {"SignMethod": "md5"}), written(genuine | {"AppSignature": ""}), b"",
        gateway.question("tea").replace(b"</xml>", b"<AppId>x</AppId></xml>"),
    ]  # fmt: skip
    for body in bodies:
        assert channel.answer_product(posted(body), never).body == b"fail"
    assert channel.answer_product(posted(written(genuine), method="GET"), never).body == b"fail"


# Apps and pages inside WeChat


def test_an_app_gets_a_prepaid_order_and_its_sign(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    params = dict(channel.start(start(Scene.APP)).params)
    assert params.pop("sign") == sha1_of(params, SECRETS.pay_sign_key)
    assert params["prepayid"].startswith("PREPAY")
    assert (params["partnerid"], params["package"]) == (SECRETS.partner, "Sign=WXPay")
    assert gateway.trades[TOKEN].package["total_fee"] == "990"


def test_a_token_is_used_until_shortly_before_its_end(
    channel: WeChat2014, gateway: FakeWechat2014, clock: FakeClock
) -> None:
    for number, later in (("a", 0), ("b", 6800), ("c", 100)):
        clock.now += later
        fields = {"token": number * 32, "created_at": clock.now, "expires_at": clock.now + 300}
        channel.start(start(Scene.APP, order=fields, now=clock.now))
    assert len(gateway.tokens) == 2


def test_a_token_that_another_has_ended_is_renewed_once(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    channel.start(start(Scene.APP))
    gateway.mischief = "spent_token"
    assert channel.start(start(Scene.APP)).params["prepayid"]


@pytest.mark.parametrize("mischief", ["status", "busy", "no_json"])
def test_an_app_interface_that_is_down_may_be_asked_again(
    channel: WeChat2014, gateway: FakeWechat2014, mischief: str
) -> None:
    gateway.mischief = mischief
    assert not fault(lambda: channel.start(start(Scene.APP))).permanent
    gateway.mischief = ""
    assert channel.start(start(Scene.APP)).params


def test_a_wrong_secret_gets_no_token(gateway: FakeWechat2014, tmp_path: Path) -> None:
    saved(tmp_path / "other.txt", "6" * 32)
    channel = made(tmp_path, **at(gateway.url), app_secret="other.txt")
    assert "no token" in fault(lambda: channel.start(start(Scene.APP))).message


def test_a_page_inside_wechat_gets_the_package_itself(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    params = dict(channel.start(start(Scene.JSAPI)).params)
    assert (params.pop("signType"), set(params)) == (
        "SHA1", {"appId", "timeStamp", "nonceStr", "package", "paySign"},
    )  # fmt: skip
    given = params.pop("paySign")
    assert given == sha1_of(params, SECRETS.pay_sign_key)
    assert gateway.take(params["package"]) == TOKEN


def test_other_scenes_are_not_served(channel: WeChat2014) -> None:
    assert channel.scenes() == {Scene.QR, Scene.APP, Scene.JSAPI}
    assert fault(lambda: channel.start(start(Scene.H5))).permanent


# Asking and closing


def test_an_order_is_unpaid_until_it_is_paid(channel: WeChat2014, gateway: FakeWechat2014, clock: FakeClock) -> None:
    assert channel.query(order(), START).standing is Standing.UNPAID  # unknown there
    sell(channel, gateway)
    assert channel.query(order(), START).standing is Standing.UNPAID
    clock.now += 20
    trade = gateway.pay(TOKEN)
    found = channel.query(order(), START)
    assert found.standing is Standing.PAID
    assert found.paid is not None
    assert (found.paid.reference, found.paid.amount) == (trade.transaction_id, 990)
    assert found.paid.happened_at == START + 20


def test_an_order_ends_at_its_time_and_not_before(channel: WeChat2014) -> None:
    assert not fault(lambda: channel.close(order(), START)).permanent
    channel.close(order(), START + 300)


@pytest.mark.parametrize(
    "mischief", ["status", "busy", "unsigned", "tampered", "other_key", "other_partner", "other_order"]
)
def test_an_answer_of_tenpay_that_does_not_hold_decides_nothing(
    channel: WeChat2014, gateway: FakeWechat2014, mischief: str
) -> None:
    sell(channel, gateway)
    gateway.pay(TOKEN)
    gateway.mischief = mischief
    assert not fault(lambda: channel.query(order(), START)).permanent
    gateway.mischief = ""
    assert channel.query(order(), START).standing is Standing.PAID


@pytest.mark.parametrize(
    ("odd", "what"),
    [({"fee_type": "2"}, "another kind"), ({"trade_mode": "2"}, "another kind"), ({"total_fee": "x"}, "no amount")],
)  # fmt: skip
def test_a_payment_that_cannot_be_understood_is_not_booked(
    channel: WeChat2014, gateway: FakeWechat2014, odd: dict[str, str], what: str
) -> None:
    sell(channel, gateway)
    gateway.pay(TOKEN)
    gateway.odd = odd
    assert what in fault(lambda: channel.query(order(), START)).message


def test_a_gateway_that_keeps_silent_costs_the_deadline_and_no_more(
    gateway: FakeWechat2014, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "checkout.channels.wechat_section.Client",
        lambda **options: Client(allow_private=True, ports=None, deadline_s=SOON),
    )
    channel = made(tmp_path, **at(gateway.url))
    gateway.mischief = "silent"
    assert "in time" in fault(lambda: channel.query(order(), START)).message


# Notices


@pytest.fixture
def paid(channel: WeChat2014, gateway: FakeWechat2014) -> WeChat2014:
    sell(channel, gateway)
    gateway.pay(TOKEN)
    return channel


def refused(channel: WeChat2014, query: str, body: bytes, **changes: Any) -> None:
    with pytest.raises(NoticeRefused) as outcome:
        channel.read_notice(posted(body, query, **changes))
    assert not any(secret in str(outcome.value) for secret in ALL_SECRETS)


def test_a_notice_in_two_parts_tells_of_the_payment(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    query, body = gateway.notice(TOKEN)
    notice = paid.read_notice(posted(body, query))
    assert (notice.heard, notice.order_token, notice.mismatch) == (Heard.PAID, TOKEN, "")
    assert notice.paid is not None
    assert (notice.paid.amount, notice.paid.reference) == (990, gateway.trades[TOKEN].transaction_id)
    assert '"sign"' not in notice.text
    assert "AppSignature" not in notice.text


def test_both_parts_must_hold(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    query, body = gateway.notice(TOKEN)
    wrong_query, wrong_body = gateway.notice(TOKEN, key="0" * 32)
    refused(paid, wrong_query, body)
    refused(paid, query, wrong_body)
    refused(paid, query, b"")
    refused(paid, "", body)
    refused(paid, query, body, method="GET")


def test_every_changed_or_removed_field_of_either_part_is_refused(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    query, body = gateway.notice(TOKEN)
    money, app = dict(parse_qsl(query, keep_blank_values=True)), read(body)
    for name, value in money.items():
        refused(paid, urlencode(money | {name: f"{value}0"}), body)
        if value:
            refused(paid, urlencode({k: v for k, v in money.items() if k != name}), body)
    refused(paid, urlencode(money | {"extra": "1"}), body)
    for name, value in app.items():
        refused(paid, query, written(app | {name: f"{value}0"}))
    refused(paid, query, written(app | {"AppSignature": ""}))


def test_unknown_fields_are_signed_too(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    query, body = gateway.notice(TOKEN, new_field="x & 中文", attach="")
    assert paid.read_notice(posted(body, query)).paid


@pytest.mark.parametrize(
    ("changed", "mismatch"),
    [({"partner": "1900000999"}, "another partner"), ({"AppId": "wx0000000000000000"}, "another app"),
     ({"fee_type": "2"}, "another currency"), ({"trade_mode": "2"}, "arrives at once")],
)  # fmt: skip
def test_well_signed_money_that_is_not_for_us_is_told_with_the_reason(
    paid: WeChat2014, gateway: FakeWechat2014, changed: dict[str, str], mismatch: str
) -> None:
    query, body = gateway.notice(TOKEN, **changed)
    notice = paid.read_notice(posted(body, query))
    assert notice.paid is not None
    assert mismatch in notice.mismatch


def test_a_payment_that_failed_changes_nothing(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    query, body = gateway.notice(TOKEN, trade_state="1")
    assert paid.read_notice(posted(body, query)).heard is Heard.NOTHING


def test_another_algorithm_an_odd_amount_and_a_doubled_name_are_refused(
    paid: WeChat2014, gateway: FakeWechat2014
) -> None:
    for changed in ({"sign_type": "SHA1"}, {"total_fee": "9.90"}, {"total_fee": ""}, {"transaction_id": ""}):
        refused(paid, *gateway.notice(TOKEN, **changed))
    query, body = gateway.notice(TOKEN)
    refused(paid, f"{query}&total_fee=990", body)
    refused(paid, f"{query}&x=%B2%E2", body)  # GBK
    refused(paid, query, body.replace(b"<xml>", b"<!DOCTYPE xml><xml>"))


def test_what_continues_a_signed_text_is_refused(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    query, body = gateway.notice(TOKEN, TimeStamp="1&x=1")
    refused(paid, query, body)
    query, body = gateway.notice(TOKEN, OpenId="o&productid=1")
    refused(paid, query, body)


def test_the_answer_to_a_notice_is_one_word(paid: WeChat2014, gateway: FakeWechat2014) -> None:
    tries: list[bytes] = []

    def shop(asked: Asked) -> Answered:
        paid.read_notice(posted(asked.body, asked.query))
        tries.append(asked.body)
        return Answered((paid.reply_refused() if len(tries) < 3 else paid.reply_accepted()).body)

    with Serving(shop) as serving:
        trade = gateway.trades[TOKEN]
        trade.package = {**trade.package, "notify_url": f"{serving.url}/notify/wechat_2014"}
        assert gateway.notify(TOKEN) == 3
    assert paid.reply_accepted().body == b"success"


def test_a_return_proves_nothing(channel: WeChat2014) -> None:
    with pytest.raises(NoticeRefused):
        channel.read_return(posted(b""))


# Refunds


@pytest.mark.parametrize(
    ("status", "standing"),
    [("4", "done"), ("10", "done"), ("3", "failed"), ("5", "failed"), ("6", "failed"), ("8", "processing"),
     ("9", "processing"), ("11", "processing"), ("1", "repeat"), ("2", "repeat"), ("7", "failed")],
)  # fmt: skip
def test_every_state_of_a_refund_is_known(
    certified: WeChat2014, secure: FakeWechat2014, status: str, standing: str
) -> None:
    sell(certified, secure)
    trade = secure.pay(TOKEN)
    secure.refund_status = status
    ask = refund(reference=trade.transaction_id)
    for outcome in (certified.refund(ask), certified.refund_standing(ask), certified.refund(ask)):
        assert outcome.standing.value == standing
        assert bool(outcome.reason) is (standing == "failed")
    assert len(trade.refunds) == 1


def test_a_refund_under_way_is_asked_about_by_tenpay_s_own_number_alone(
    certified: WeChat2014, secure: FakeWechat2014
) -> None:
    sell(certified, secure)
    secure.pay(TOKEN)
    certified.refund(refund(amount=400))
    certified.refund_standing(refund(amount=400))
    path, asked = secure.asked[-1]
    assert path == "/gateway/normalrefundquery.xml"
    assert asked["refund_id"] == secure.trades[TOKEN].refunds["ref_1"]["refund_id"]
    assert "out_refund_no" not in asked


def test_after_a_restart_a_refund_is_found_by_our_number(
    certified: WeChat2014, secure: FakeWechat2014, files: Certificates, tmp_path: Path
) -> None:
    sell(certified, secure)
    secure.pay(TOKEN)
    certified.refund(refund())
    again = made(tmp_path, **at(secure.url), ca=files.ca)
    assert again.refund_standing(refund()).standing is RefundStanding.PROCESSING
    assert "refund_id" not in secure.asked[-1][1]


def test_a_refund_of_another_amount_or_in_an_unknown_state_is_not_taken_for_ours(
    certified: WeChat2014, secure: FakeWechat2014
) -> None:
    sell(certified, secure)
    secure.pay(TOKEN)
    certified.refund(refund(amount=400))
    assert "another refund" in fault(lambda: certified.refund_standing(refund(amount=500))).message
    secure.refund_status = "12"
    assert "no state" in fault(lambda: certified.refund_standing(refund(amount=400))).message


def test_an_unknown_refund_is_sent_again(certified: WeChat2014) -> None:
    assert certified.refund_standing(refund()).standing is RefundStanding.REPEAT


def test_a_refund_that_is_too_large_is_refused_there(certified: WeChat2014, secure: FakeWechat2014) -> None:
    sell(certified, secure)
    secure.pay(TOKEN)
    certified.refund(refund(amount=900))
    assert "88221102" in fault(lambda: certified.refund(refund(amount=91, number="ref_2"))).message


@pytest.mark.parametrize("mischief", ["status", "unsigned", "tampered", "other_key", "other_partner", "other_order"])
def test_a_refund_whose_answer_does_not_hold_is_asked_about_again(
    certified: WeChat2014, secure: FakeWechat2014, mischief: str
) -> None:
    sell(certified, secure)
    secure.pay(TOKEN)
    secure.mischief = mischief
    assert not fault(lambda: certified.refund(refund())).permanent
    secure.mischief = ""
    assert certified.refund(refund()).standing is RefundStanding.PROCESSING


def test_without_a_certificate_refunds_are_refused_here(channel: WeChat2014, gateway: FakeWechat2014) -> None:
    problem = fault(lambda: channel.refund(refund()))
    assert problem.permanent
    assert "cert" in problem.message
    assert gateway.asked == []


def test_the_gateway_refuses_refunds_without_the_certificate_or_with_another_password(
    certified: WeChat2014, secure: FakeWechat2014, files: Certificates, tmp_path: Path
) -> None:
    sell(certified, secure)
    secure.pay(TOKEN)
    saved(tmp_path / "wrong.txt", "222222")
    options = {"ca": files.ca, "cert": files.cert, "cert_key": files.cert_key}
    wrong = made(tmp_path, **at(secure.url), **options, op_user_passwd="wrong.txt")
    assert "密码错误" in fault(lambda: wrong.refund(refund())).message
    tenpay = certified._refunds._tenpay
    tenpay._send_certified = tenpay._send
    assert "证书错误" in fault(lambda: certified.refund(refund())).message


# The section


@pytest.mark.parametrize("name", ["app_id", "partner", "app_secret", "pay_sign_key", "partner_key"])
def test_a_missing_key_of_the_section_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} in \[channels.wechat_2014\] is missing\.$"):
        made(tmp_path, **{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [("app_id", "x"), ("partner", "x"), ("gateway", "http://127.0.0.1"), ("query_gateway", "gw.tenpay.com"),
     ("api", 1), ("op_user_id", "a b"), ("op_user_passwd", "keys/op_user_passwd.txt"), ("refunds", True)],
)  # fmt: skip
def test_a_bad_unknown_or_contradictory_key_of_the_section_is_named(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} in \[channels.wechat_2014\]"):
        make("wechat_2014", section(tmp_path, **{name: value}), tmp_path, False)


def test_a_certificate_needs_the_operator_s_password(tmp_path: Path, files: Certificates) -> None:
    with pytest.raises(SettingsError, match="op_user_passwd"):
        made(tmp_path, cert=files.cert, cert_key=files.cert_key)


def test_a_key_of_strange_letters_is_refused_unseen(tmp_path: Path) -> None:
    saved(tmp_path / "odd.txt", "canary & co, 中文, and more of it")
    with pytest.raises(SettingsError) as outcome:
        made(tmp_path, pay_sign_key="odd.txt")
    assert "canary" not in str(outcome.value)


def test_a_whole_section_makes_a_channel_that_shows_no_secret(tmp_path: Path) -> None:
    channel = made(tmp_path)
    assert (channel.name, channel.method) == ("wechat_2014", "wechat")
    shown = repr(channel) + repr(vars(channel)) + repr(PARTNER) + repr(channel._refunds._operator)
    assert not any(secret in shown for secret in ALL_SECRETS)
