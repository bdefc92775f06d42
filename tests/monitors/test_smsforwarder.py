"""SmsForwarder's messages, by a client that behaves as the app does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

import pytest

from checkout.model.orders import State
from checkout.model.payments import Judgement
from checkout.monitors import smsforwarder
from checkout.monitors.reading import Why
from tests.clients.smsforwarder import ALIPAY, TEMPLATE, WECHAT, Forwarder, Notification
from tests.clients.wire import Reply, to_app
from tests.dump import dump
from tests.monitors.phones import (
    KEY,
    NOW_MS,
    TOKEN,
    add_device,
    all_refused,
    assert_refused,
    only_payment,
    refused_without_trace,
    stored,
)
from tests.world import DEVICE_KEY, MERCHANT_KEY, START, World, md5

PATH = f"/monitor/smsforwarder/{TOKEN}"
NEW_YORK, UTC = timezone(timedelta(hours=-4)), timezone.utc  # noqa: UP017


@pytest.fixture
def phone(world: World) -> Forwarder:
    add_device(world, "smsforwarder")
    return Forwarder(to_app(world.app), f"https://pay.example{PATH}", KEY)


def wechat(yuan: str, at_ms: int = NOW_MS) -> Notification:
    return Notification(WECHAT, "微信支付", f"微信支付收款{yuan}元(朋友到店)", at_ms)


def alipay(payer: str, yuan: str, at_ms: int = NOW_MS) -> Notification:
    return Notification(ALIPAY, "收钱码", f"{payer}通过扫码向你付款{yuan}元", at_ms)


def sign(ts: str, secret: str = KEY) -> str:
    """Base64, before it is percent-encoded."""
    return base64.b64encode(hmac.digest(secret.encode(), f"{ts}\n{secret}".encode(), hashlib.sha256)).decode()


def values(**changes: str | None) -> dict[str, str]:
    ts = changes.get("ts") or str(NOW_MS)
    made = {
        "from": WECHAT, "title": "微信支付", "text": "微信支付收款9.90元", "time": "2026-09-21 22:13:20",
        "device": "Redmi", "ts": ts, "sign": quote_plus(sign(ts)), **changes,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


def post(world: World, body: object, path: str = PATH, kind: str = "application/json") -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return to_app(world.app)("POST", path, {"Content-Type": kind}, raw)


# The main road.


@pytest.mark.parametrize("as_form", [False, True])
def test_an_order_is_paid_by_a_forwarded_notification_and_the_merchant_is_told(
    world: World, phone: Forwarder, as_form: bool
) -> None:
    phone = phone.as_form() if as_form else phone
    created = world.create("N1", "9.9", param="user-42")["data"]
    assert phone.forward(wechat(created["reallyPrice"]))
    order = world.order(created["orderId"])
    assert (order.state, order.paid_at, order.account) == (State.PAID, START, "wx-main")
    paid = only_payment(world)
    assert (paid.judgement, paid.amount, paid.method, paid.device) == (
        Judgement.MATCHED, 990, "wechat", "dev_smsforwarder",
    )  # fmt: skip
    assert world.work() == 1
    told = dict(parse_qsl(urlsplit(world.outside.sent[0].url).query, keep_blank_values=True))
    assert told["sign"] == md5("N1", "user-42", "1", "9.90", "9.90", MERCHANT_KEY)
    device = stored(world, "dev_smsforwarder")
    assert (device.beat_at, device.push_at) == (START, START)


def test_the_method_is_what_the_notification_says(world: World, phone: Forwarder) -> None:
    by_wechat, by_alipay = (world.create(number, "9.90", kind)["data"] for number, kind in (("W", "1"), ("A", "2")))
    assert by_wechat["reallyPrice"] == by_alipay["reallyPrice"] == "9.90"
    assert phone.forward(alipay("张三", "9.90"))
    assert world.order(by_wechat["orderId"]).state is State.PENDING
    assert world.order(by_alipay["orderId"]).state is State.PAID


def test_the_answer_is_what_the_documentation_promises(world: World, phone: Forwarder) -> None:
    reply = phone.send(phone.request(wechat("9.90"), NOW_MS))
    assert (reply.status, reply.body) == (200, b'{"ok":true}')
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_the_printed_template_is_the_documented_one() -> None:
    assert smsforwarder.TEMPLATE == TEMPLATE


@pytest.mark.parametrize(
    "name",
    [
        '","title":"微信支付","x":"', "a\nb", "\x00\x1b[31m", "\ud83d", "👨‍👩‍👧", "[sign]", "[timestamp]", "[title]",
        "[receive_time]", "<b>&='\u2028", "\\", "%2B", "{payer}", "\u202e", "x" * 90,
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_form", [False, True])
def test_no_payer_can_hide_his_payment_behind_his_name(
    world: World, phone: Forwarder, name: str, as_form: bool
) -> None:
    phone = phone.as_form() if as_form else phone
    world.create("N1", kind="2")
    assert phone.forward(alipay(name, "9.90"))
    assert only_payment(world).amount in (990, None)
    assert only_payment(world).judgement in (Judgement.MATCHED, Judgement.UNREADABLE)


# What is stored, and what is not.


def test_what_is_kept_of_a_message_holds_no_secret(world: World, phone: Forwarder) -> None:
    phone.forward(wechat("9.90"))
    raw = only_payment(world).raw
    assert json.loads(raw) == {
        "from": WECHAT, "title": "微信支付", "text": "微信支付收款9.90元(朋友到店)", "time": "2026-09-21 22:13:20",
        "device": "Redmi 9", "ts": str(NOW_MS),
    }  # fmt: skip
    assert KEY not in raw + only_payment(world).reference
    assert TOKEN not in raw + only_payment(world).reference


def test_money_that_no_order_waits_for_is_kept(world: World, phone: Forwarder) -> None:
    assert phone.forward(wechat("7.77"))
    assert only_payment(world).judgement is Judgement.UNMATCHED


@pytest.mark.parametrize(
    ("package", "title", "text", "method", "why"),
    [
        (WECHAT, "微信支付", "收款到账通知", "wechat", Why.NO_AMOUNT),
        (ALIPAY, "支付宝通知", "小黑已成功向你转了1笔钱", "alipay", Why.NEW_TEXT),
        (WECHAT, "微信支付", "微信支付收款9.90元加1.00元", "wechat", Why.NEW_TEXT),
    ],
)
def test_a_receipt_that_cannot_be_read_is_kept_for_a_person(
    world: World, phone: Forwarder, package: str, title: str, text: str, method: str, why: Why
) -> None:
    world.create("N1")
    assert phone.forward(Notification(package, title, text, NOW_MS))
    found = only_payment(world)
    assert (found.judgement, found.amount, found.method) == (Judgement.UNREADABLE, None, method)
    assert found.note == why


@pytest.mark.parametrize(
    ("package", "title", "text"),
    [
        (WECHAT, "微信支付", "已支付¥9.90"),
        (WECHAT, "张三", "在吗"),
        (WECHAT, "张三", "微信支付收款了吗，我付了9.90元"),
        (ALIPAY, "交易提醒", "你有一笔9.90元的支出"),
        ("com.android.mms", "95588", "您尾号1234的账户收款9.90元"),
        ("10086", "SIM1", "微信支付收款9.90元"),
        ("通知", "微信支付", "微信支付收款9.90元"),
        (WECHAT, "", ""),
    ],
)
def test_what_is_no_receipt_is_a_sign_of_life_and_not_stored(
    world: World, phone: Forwarder, package: str, title: str, text: str
) -> None:
    world.create("N1")
    assert phone.forward(Notification(package, title, text, NOW_MS))
    assert world.payments() == []
    device = stored(world, "dev_smsforwarder")
    assert (device.beat_at, device.push_at) == (START, None)


def test_the_test_button_and_a_scheduled_task_are_signs_of_life(world: World, phone: Forwarder) -> None:
    assert phone.press_test(NOW_MS)
    assert stored(world, "dev_smsforwarder").beat_at == START
    world.clock.go(60)
    assert phone.scheduled(NOW_MS + 60_000)
    assert stored(world, "dev_smsforwarder").beat_at == START + 60
    world.clock.go(60)
    assert phone.scheduled(NOW_MS + 120_000, "心跳")
    assert stored(world, "dev_smsforwarder").beat_at == START + 120
    assert world.payments() == []


# Again.


def test_a_retry_repeats_the_request_and_changes_nothing(world: World, phone: Forwarder) -> None:
    world.create("N1")
    request = phone.request(wechat("9.90"), NOW_MS)
    assert phone.is_good(phone.send(request))
    before = dump(world)
    world.clock.go(30)
    assert phone.is_good(phone.send(request))
    assert dump(world) == before


def test_a_notification_shown_twice_pays_once(world: World, phone: Forwarder) -> None:
    world.create("N1")
    assert phone.forward(wechat("9.90"))
    assert phone.forward(wechat("9.90", NOW_MS + 900))
    assert sorted(payment.judgement for payment in world.payments()) == [Judgement.MATCHED, Judgement.SUSPECTED]


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=8)), UTC, NEW_YORK])
def test_an_old_message_sent_again_by_hand_pays_no_other_order(world: World, phone: Forwarder, zone: timezone) -> None:
    phone, seen = replace(phone, zone=zone), wechat("9.90")
    world.create("N1")
    assert phone.forward(seen)
    world.clock.go(5 * 3600)
    later = world.create("N2")["data"]
    assert later["reallyPrice"] == "9.90"
    world.clock.go(60)
    assert phone.forward(seen, world.clock() * 1000)
    assert world.order(later["orderId"]).state is State.PENDING
    assert sorted(payment.judgement for payment in world.payments()) == [Judgement.MATCHED, Judgement.SUSPECTED]


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=8)), UTC, NEW_YORK])
@pytest.mark.parametrize("late_s", [301, 889])
def test_a_message_that_comes_late_pays_no_order_opened_since(
    world: World, phone: Forwarder, zone: timezone, late_s: int
) -> None:
    seen = wechat("9.90")
    world.clock.go(late_s - 60)
    order = world.create("N1")["data"]
    world.clock.go(60)
    assert replace(phone, zone=zone).forward(seen, world.clock() * 1000)
    assert world.order(order["orderId"]).state is State.PENDING
    assert only_payment(world).judgement is Judgement.UNMATCHED
    assert only_payment(world).happened_at == START


@pytest.mark.parametrize("late_s", [0, 1, 14, 120, 290])
@pytest.mark.parametrize("skew_s", [-590, 0, 590])
def test_a_message_that_comes_late_pays_the_order_it_was_meant_for(
    world: World, phone: Forwarder, late_s: int, skew_s: int
) -> None:
    order = world.create("N1")["data"]
    world.clock.go(late_s + 5)
    seen = wechat("9.90", (START + 5 + skew_s) * 1000 + 999)
    assert phone.forward(seen, (world.clock() + skew_s) * 1000 + 999)
    assert world.order(order["orderId"]).state is State.PAID


def test_a_template_with_the_zone_tells_the_age_of_any_message(world: World, phone: Forwarder) -> None:
    phone = replace(phone, template=TEMPLATE.replace("HH:mm:ss]", "HH:mm:ssZ]"), zone=NEW_YORK)
    world.clock.go(900 * 3 - 1)
    order = world.create("N1")["data"]
    world.clock.go(1)
    assert phone.forward(wechat("9.90"), world.clock() * 1000)  # three quarters of an hour to the second
    assert world.order(order["orderId"]).state is State.PENDING
    assert only_payment(world).happened_at == START


@pytest.mark.parametrize("template", ["", "[receive_time:HH:mm]", "2026-13-45 99:99:99", "0001-01-01 00:00:00+2359"])
def test_a_time_that_cannot_be_read_does_no_harm(world: World, phone: Forwarder, template: str) -> None:
    world.create("N1")
    changed = TEMPLATE.replace("[receive_time:yyyy-MM-dd HH:mm:ss]", template)
    assert replace(phone, template=changed).forward(wechat("9.90"))
    assert only_payment(world).judgement is Judgement.MATCHED


def test_a_template_without_time_and_device_works(world: World) -> None:
    add_device(world, "smsforwarder")
    world.create("N1")
    assert post(world, values(time=None, device=None)).status == 200
    assert only_payment(world).judgement is Judgement.MATCHED


def test_equal_amounts_of_two_buyers_a_day_apart_both_pay(world: World, phone: Forwarder) -> None:
    for day in range(2):
        world.clock.now = START + day * 86_400
        order = world.create(f"N{day}")["data"]
        assert order["reallyPrice"] == "9.90"
        assert phone.forward(wechat("9.90", world.clock() * 1000))
        assert world.order(order["orderId"]).state is State.PAID


# Who may speak.


@pytest.mark.parametrize(
    "spelt",
    [
        lambda made: made,
        quote_plus,
        lambda made: quote_plus(quote_plus(made)),
        lambda made: quote(quote(quote(made, safe=""), safe=""), safe=""),
        lambda made: quote_plus(made).replace("%2B", "%2b").replace("%3D", "%3d"),
        lambda made: made.replace("+", " "),
    ],
)
@pytest.mark.parametrize("as_form", [False, True])
def test_the_signature_may_be_percent_encoded_more_or_less(
    world: World, phone: Forwarder, spelt: Callable[[str], str], as_form: bool
) -> None:
    for ms in range(12):  # some have a plus sign, some a slash
        ts = str(NOW_MS + ms)
        made = values(ts=ts, sign=spelt(sign(ts)))
        reply = post(world, urlencode(made).encode(), kind="application/x-www-form-urlencoded")
        assert (reply if as_form else post(world, made)).status == 200


NOT_THE_PHONES: list[tuple[dict[str, str | None], int, str]] = [
    ({"sign": sign(str(NOW_MS), "6" * 64)}, 401, "signature"),
    ({"sign": sign(str(NOW_MS + 1))}, 401, "signature"),
    ({"sign": sign(str(NOW_MS), DEVICE_KEY)}, 401, "signature"),
    ({"sign": sign(str(NOW_MS), "")}, 401, "signature"),
    ({"sign": sign(str(NOW_MS)).swapcase()}, 401, "signature"),
    ({"sign": sign(str(NOW_MS))[:-1]}, 401, "signature"),
    ({"sign": sign(str(NOW_MS)) + "="}, 401, "signature"),
    ({"sign": "%" * 500}, 401, "signature"),
    ({"sign": "%25" * 600}, 401, "signature"),
    ({"sign": "签名"}, 401, "signature"),
    ({"sign": KEY}, 401, "signature"),
    ({"sign": ""}, 401, "enter the secret"),
    ({"ts": str(NOW_MS + 601_000)}, 403, "601 s"),
    ({"ts": str(NOW_MS - 601_000)}, 403, "601 s"),
    ({"ts": str(NOW_MS - 86_400_000)}, 403, "86400 s"),
]


def test_a_message_that_is_not_the_phones_is_refused(world: World, phone: Forwarder) -> None:
    world.create("N1")
    for changes, status, word in NOT_THE_PHONES:
        refused_without_trace(world, lambda changes=changes: post(world, values(**changes)), word)  # type: ignore[misc]
        assert post(world, values(**changes)).status == status


@pytest.mark.parametrize("off_s", [-600, 600])
def test_a_clock_that_is_a_little_off_does_no_harm(world: World, phone: Forwarder, off_s: int) -> None:
    assert post(world, values(ts=str(NOW_MS + off_s * 1000))).status == 200


def test_a_signature_of_one_device_is_none_of_anothers(world: World, phone: Forwarder) -> None:
    add_device(world, "smsforwarder", id="second", name="second", key="6" * 64, token="e" * 32)
    refused_without_trace(world, lambda: post(world, values(), f"/monitor/smsforwarder/{'e' * 32}"), "signature")


def test_an_unknown_token_is_refused(world: World, phone: Forwarder) -> None:
    tokens = ("x", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "t" * 32, "%00", "微信", "d" * 8000, KEY)
    paths = (f"/monitor/smsforwarder/{quote(token)}" for token in tokens)
    all_refused(world, (post(world, values(), path) for path in paths), "address")


def test_an_address_is_good_for_its_own_kind_alone(world: World, phone: Forwarder) -> None:
    refused_without_trace(world, lambda: post(world, values(), f"/monitor/push/{TOKEN}"), "address")
    assert world.push("9.90", key=KEY)["code"] == -1


def test_a_revoked_phone_is_refused(world: World) -> None:
    add_device(world, "smsforwarder", revoked_at=START)
    refused_without_trace(world, lambda: post(world, values()), "address")


def test_after_a_rotation_both_secrets_are_good_for_a_day(world: World) -> None:
    add_device(world, "smsforwarder", key="6" * 64, previous_key=KEY, previous_key_until=START + 10)
    assert post(world, values()).status == 200
    world.clock.go(10)
    refused_without_trace(world, lambda: post(world, values()), "signature")
    ts = str(NOW_MS)
    assert post(world, values(sign=sign(ts, "6" * 64))).status == 200


# Bad input.

NAMES = ("from", "title", "text", "time", "device", "ts", "sign")
REQUIRED = ("from", "title", "text", "ts", "sign")
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("name", NAMES)
def test_a_part_that_is_missing_doubled_too_long_or_of_another_type_is_refused(
    world: World, phone: Forwarder, name: str
) -> None:
    if name in REQUIRED:
        refused_without_trace(world, lambda: post(world, values(**{name: None})), name)
    wrong: list[object] = [[], {}, ["a"], {"a": "b"}, [[[[]]]], "9" * 10_240]
    all_refused(world, (post(world, {**values(), name: value}) for value in wrong), name)
    doubled = [*values().items(), (name, "9")]
    as_json = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in doubled) + "}"
    refused_without_trace(world, lambda: post(world, as_json.encode()), name)
    refused_without_trace(world, lambda: post(world, urlencode(doubled).encode(), kind=FORM), name)
    refused_without_trace(world, lambda: post(world, values(), f"{PATH}?{name}=9"), name)


TIMES = [
    "", "0", "1", "-1", "+1790000000000", "179000000000", "1790000000", "17900000000000", "1.79e12", "NaN",
    "１７９０００００００００００", " 1790000000000", "1790000000000 ", "17900000000_0", "0x1A0C3B0A5C0",
]  # fmt: skip


def test_a_time_that_is_none_is_refused(world: World, phone: Forwarder) -> None:
    bodies = ({**values(), "ts": ts, "sign": quote_plus(sign(ts))} for ts in TIMES)
    all_refused(world, (post(world, body) for body in bodies), "ts")


def test_control_characters_belong_into_texts_only(world: World, phone: Forwarder) -> None:
    for name in ("from", "ts", "sign"):
        wrong: list[object] = ["a\x00b", "a\nb", "\x1b", "a\x85", True, False]
        all_refused(world, (post(world, {**values(), name: value}) for value in wrong), name)


def test_a_message_that_does_not_say_its_app_is_refused(world: World, phone: Forwarder) -> None:
    refused_without_trace(world, lambda: post(world, values(**{"from": ""})), "app")


BODIES = [
    b"", b"{", b"{}", b"[]", b"null", b"true", b"0", b'""', b"\xff\xfe", b"\x00", b"%", b"%ff", b"a=b", b"<a/>",
    b'{"a":' * 5000, b"[" * 60_000, b'{"from":' + b"9" * 5000 + b"}", b'{"from":"\xff"}',
    '{"from":"微信"}'.encode("gbk"), '{"from":"x"}'.encode("utf-16"), b" " * 65_536, b" " * 65_537, b"x" * 200_000,
    b"&".join([b"a=b"] * 100), b"{" + b",".join(b'"a%d":1' % i for i in range(100)) + b"}",
]  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["application/json", FORM, "text/plain", "application/xml", "", "\xff", "multipart/form-data",
     "multipart/form-data; boundary=x", "application/json; charset=utf-16"],
)  # fmt: skip
def test_a_body_that_is_no_message_is_refused(world: World, phone: Forwarder, kind: str) -> None:
    all_refused(world, (post(world, body, kind=kind) for body in BODIES))


def test_a_query_alone_is_a_message_too(world: World, phone: Forwarder) -> None:
    reply = to_app(world.app)("GET", f"{PATH}?{urlencode(values())}", {}, b"")
    assert reply.status == 200
    assert only_payment(world).amount == 990
    assert_refused(to_app(world.app)("GET", PATH, {}, b""), "from")


def test_unknown_parts_are_ignored(world: World, phone: Forwarder) -> None:
    assert post(world, {**values(), "type_id": [1], "phone": "x" * 3000}).status == 200
    assert "type_id" not in only_payment(world).raw
