"""Messages of scripts and automation apps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import pytest

from checkout.model.orders import State
from checkout.model.payments import Judgement
from tests.clients.forms import FORM, post_multipart
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
from tests.world import MERCHANT_KEY, START, World, md5

PATH = f"/monitor/push/{TOKEN}"
WECHAT = "com.tencent.mm"
PAID = {"method": "wechat", "amount": "9.90"}
NOTICE = {"title": "微信支付", "text": "微信支付收款9.90元(朋友到店)", "package": WECHAT}


@pytest.fixture(autouse=True)
def script(world: World) -> None:
    add_device(world, "generic")


def send(world: World, body: object, path: str = PATH, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return to_app(world.app)("POST", path, {"Content-Type": "application/json", **headers}, raw)


def send_form(world: World, values: Mapping[str, str]) -> Reply:
    return to_app(world.app)("POST", PATH, {"Content-Type": FORM}, urlencode(values).encode())


def send_query(world: World, values: Mapping[str, str], method: str = "GET") -> Reply:
    return to_app(world.app)(method, f"{PATH}?{urlencode(values)}", {}, b"")


def judgements(world: World) -> list[Judgement]:
    return [payment.judgement for payment in reversed(world.payments())]


def mac(message: str, key: str = KEY) -> bytes:
    return hmac.digest(key.encode(), message.encode(), hashlib.sha256)


def signed(body: object, ts: int = START, key: str = KEY) -> tuple[bytes, dict[str, str]]:
    """As the documentation's shell script does it."""
    text = json.dumps(body)
    return text.encode(), {"X-Timestamp": str(ts), "X-Signature": mac(f"{ts}.{text}", key).hex()}


# The main road.


@pytest.mark.parametrize("message", [PAID, NOTICE, {**PAID, "amount": 9.9}, {**PAID, "amount": "9.9"}])
@pytest.mark.parametrize("way", ["json", "form", "multipart", "query", "posted query"])
def test_an_order_is_paid_by_a_script_and_the_merchant_is_told(world: World, message: dict[str, str], way: str) -> None:
    order = world.create("N1", param="p")["data"]
    texts = {name: str(value) for name, value in message.items()}
    reply = {
        "json": lambda: send(world, message),
        "form": lambda: send_form(world, texts),
        "multipart": lambda: post_multipart(to_app(world.app), PATH, texts),
        "query": lambda: send_query(world, texts),
        "posted query": lambda: send_query(world, texts, "POST"),
    }[way]()
    assert (reply.status, reply.body) == (200, b'{"ok":true}')
    assert world.order(order["orderId"]).state is State.PAID
    assert world.work() == 1
    told = dict(parse_qsl(urlsplit(world.outside.sent[0].url).query, keep_blank_values=True))
    assert told["sign"] == md5("N1", "p", "1", "9.90", "9.90", MERCHANT_KEY)
    found = only_payment(world)
    assert (found.judgement, found.amount, found.happened_at) == (Judgement.MATCHED, 990, START)
    assert json.loads(found.raw) == texts
    assert stored(world, "dev_generic").push_at == START


def test_alipay_money_pays_an_alipay_order(world: World) -> None:
    by_wechat, by_alipay = (world.create(number, "9.90", kind)["data"] for number, kind in (("W", "1"), ("A", "2")))
    send(world, {"method": "alipay", "amount": "9.90"})
    assert world.order(by_wechat["orderId"]).state is State.PENDING
    assert world.order(by_alipay["orderId"]).state is State.PAID


def test_a_notification_that_cannot_be_read_is_kept_for_a_person(world: World) -> None:
    assert send(world, {"title": "微信支付", "text": "收款到账通知", "package": WECHAT}).status == 200
    assert only_payment(world).judgement is Judgement.UNREADABLE
    assert send(world, {"text": "微信支付收款9.90元"}).status == 200  # whose app nothing tells
    assert {(one.judgement, one.method) for one in world.payments()} == {
        (Judgement.UNREADABLE, "wechat"), (Judgement.UNREADABLE, ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        {"title": "微信支付", "text": "已支付¥9.90", "package": WECHAT},
        {"title": "张三", "text": "在吗", "package": WECHAT},
        {"title": "微信支付", "text": "微信支付收款9.90元", "package": "com.example"},
        {"beat": True}, {"beat": "true"}, {"beat": 1}, {"beat": True, "id": "1", "time": "0"},
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_a_sign_of_life_and_not_stored(world: World, message: object) -> None:
    assert send(world, message).status == 200
    assert world.payments() == []
    assert (stored(world, "dev_generic").beat_at, stored(world, "dev_generic").push_at) == (START, None)


def test_a_get_without_anything_is_a_sign_of_life(world: World) -> None:
    reply = to_app(world.app)("GET", PATH, {}, b"")
    assert (reply.status, reply.body) == (200, b'{"ok":true}')
    assert stored(world, "dev_generic").beat_at == START


def test_line_breaks_and_broken_emoji_in_a_text_do_no_harm(world: World) -> None:
    text = '"\\n\\ud83d\\u0000 张三\\u001b通过扫码向你付款9.90元"'
    world.create("N1", kind="2")
    body = f'{{"package":"com.eg.android.AlipayGphone","title":"收钱码","text":{text}}}'
    assert send(world, body.encode()).status == 200
    found = only_payment(world)
    assert found.judgement is Judgement.MATCHED
    assert json.loads(found.raw)["text"] == "\n\ufffd\x00 张三\x1b通过扫码向你付款9.90元"


# Again.


@pytest.mark.parametrize("message", [PAID, NOTICE])
def test_an_id_books_a_message_once_for_ever(world: World, message: dict[str, str]) -> None:
    world.create("N1")
    assert send(world, {**message, "id": "msg-1"}).status == 200
    before = dump(world)
    world.clock.go(3 * 86_400)
    world.create("N2")
    with_order = dump(world)
    for again in ({**message, "id": "msg-1"}, {**message, "id": "msg-1", "time": "1790000000"}):
        assert send(world, again).status == 200
    assert dump(world) == with_order
    assert with_order["payments"] == before["payments"]


def test_one_id_for_two_payments_loses_neither_and_books_only_the_first(world: World) -> None:
    world.create("N1", "9.90")
    second = world.create("N2", "5.00")["data"]
    send(world, {**PAID, "id": "1"})
    send(world, {**PAID, "amount": "5.00", "id": "1"})
    assert judgements(world) == [Judgement.MATCHED, Judgement.SUSPECTED]
    assert world.order(second["orderId"]).state is State.PENDING


def test_an_id_of_one_device_is_none_of_anothers(world: World) -> None:
    add_device(world, "generic", id="second", name="second", key="6" * 64, token="e" * 32)
    send(world, {**PAID, "amount": "1.00", "id": "1"})
    send(world, {**PAID, "amount": "1.00", "id": "1"}, f"/monitor/push/{'e' * 32}")
    assert len(world.payments()) == 2


@pytest.mark.parametrize("time", ["1790000000", 1790000000123, "2026-09-21 22:13:20", "2026-09-21T14:13:20.123Z"])
def test_a_time_tells_a_retry_from_another_payment(world: World, time: object) -> None:
    world.create("N1")
    send(world, {**PAID, "time": time})
    before = dump(world)
    world.clock.go(300)
    send(world, {**PAID, "time": time})
    assert dump(world) == before
    assert only_payment(world).happened_at == START


def test_equal_payments_with_a_time_of_their_own_both_pay(world: World) -> None:
    for day in range(2):
        world.clock.now = START + day * 86_400
        order = world.create(f"N{day}")["data"]
        send(world, {**PAID, "time": str(world.clock())})
        assert world.order(order["orderId"]).state is State.PAID


def test_a_message_without_id_and_time_pays_once_and_is_never_lost(world: World) -> None:
    world.create("N1")
    for wait in (0, 1, 2, 60, 57):
        world.clock.go(wait)
        assert send(world, PAID).status == 200
    assert judgements(world) == [Judgement.MATCHED] + [Judgement.SUSPECTED] * 4


def test_a_retry_without_id_and_time_pays_no_order_that_was_opened_in_between(world: World) -> None:
    send(world, NOTICE)
    world.clock.go(20)
    order = world.create("N1")["data"]
    world.clock.go(100)
    send(world, NOTICE)
    assert judgements(world) == [Judgement.UNMATCHED, Judgement.SUSPECTED]
    assert world.order(order["orderId"]).state is State.PENDING


def test_without_id_and_time_the_next_days_payment_counts_again(world: World) -> None:
    for day in range(2):
        world.clock.now = START + day * 86_400
        world.create(f"N{day}")
        send(world, PAID)
    assert judgements(world) == [Judgement.MATCHED, Judgement.MATCHED]


def test_a_signed_request_sent_again_as_it_was_changes_nothing(world: World) -> None:
    world.create("N1")
    body, headers = signed(PAID)
    assert send(world, body, **headers).status == 200
    before = dump(world)
    world.clock.go(30)
    assert send(world, body, **headers).status == 200
    assert dump(world) == before
    body, headers = signed(PAID, START + 30)
    send(world, body, **headers)
    assert judgements(world) == [Judgement.MATCHED, Judgement.SUSPECTED]


# Who may speak.


@pytest.fixture
def signing(world: World) -> str:
    """The path of a device that has to sign."""
    add_device(world, "generic", id="signing", name="signing", key="6" * 64, token="e" * 32, signed=True)
    return f"/monitor/push/{'e' * 32}"


def test_a_device_that_signs_is_heard(world: World, signing: str) -> None:
    body, headers = signed(PAID, key="6" * 64)
    assert send(world, body, signing, **headers).status == 200
    headers["X-Signature"] = base64.b64encode(mac(f"{START}.{body.decode()}", "6" * 64)).decode()
    assert send(world, body, signing, **headers).status == 200
    for ts in (str(START), str(NOW_MS)):
        by_field = {**PAID, "ts": ts, "sign": mac(f"{ts}\n{'6' * 64}", "6" * 64).hex()}
        assert send(world, by_field, signing).status == 200
        by_field["sign"] = quote_plus(base64.b64encode(mac(f"{ts}\n{'6' * 64}", "6" * 64)).decode())
        assert send(world, by_field, signing).status == 200
    assert all("sign" not in json.loads(payment.raw) for payment in world.payments())


def test_a_beat_can_be_signed_in_the_headers_or_the_query(world: World, signing: str) -> None:
    headers = {"X-Timestamp": str(START), "X-Signature": mac(f"{START}.", "6" * 64).hex()}
    assert to_app(world.app)("GET", signing, headers, b"").status == 200
    query = urlencode({"ts": START, "sign": mac(f"{START}\n{'6' * 64}", "6" * 64).hex()})
    assert to_app(world.app)("GET", f"{signing}?{query}", {}, b"").status == 200


@pytest.mark.parametrize("message", [PAID, NOTICE, {"beat": True}, {}])
def test_a_device_that_signs_is_not_heard_without(world: World, signing: str, message: object) -> None:
    refused_without_trace(world, lambda: send(world, message, signing), "not signed")
    refused_without_trace(world, lambda: to_app(world.app)("GET", signing, {}, b""), "not signed")


def test_a_signature_that_is_there_has_to_fit_even_if_none_is_needed(world: World) -> None:
    body, headers = signed(PAID)
    ts = str(START)
    for changed in (
        {**headers, "X-Signature": "0" * 64},
        {**headers, "X-Signature": ""},
        {**headers, "X-Timestamp": str(START + 1)},
        {"X-Signature": headers["X-Signature"]},
        {**headers, "X-Signature": mac(f"{ts}.{body.decode()}", "7" * 64).hex()},
        {**headers, "X-Signature": mac(f"{ts}\n{KEY}").hex()},
    ):
        refused_without_trace(world, lambda changed=changed: send(world, body, **changed), "signature")  # type: ignore[misc]
    refused_without_trace(world, lambda: send(world, body + b" ", **headers), "signature")
    refused_without_trace(world, lambda: send(world, {**PAID, "sign": "0" * 64, "ts": ts}), "signature")
    refused_without_trace(world, lambda: send(world, {**PAID, "sign": mac(f"{ts}.").hex(), "ts": ts}), "signature")


def test_headers_sign_a_body_and_nothing_beside_it(world: World) -> None:
    body, headers = signed({})
    refused_without_trace(world, lambda: send(world, body, f"{PATH}?{urlencode(PAID)}", **headers), "query")
    multipart = {**headers, "Content-Type": "multipart/form-data; boundary=x"}
    refused_without_trace(world, lambda: send(world, body, **multipart), "body")


@pytest.mark.parametrize("off_s", [601, -601, 86_400])
def test_an_old_signature_is_refused(world: World, off_s: int) -> None:
    body, headers = signed(PAID, START + off_s)
    refused_without_trace(world, lambda: send(world, body, **headers), "clock")
    assert send(world, body, **headers).status == 403


def test_a_signature_over_no_time_is_refused(world: World) -> None:
    for ts in ("", "1", "now", "１７９０００００００", "1790000000.0", "-1790000000", "17900000000"):
        body = json.dumps({**PAID, "ts": ts, "sign": mac(f"{ts}\n{KEY}").hex()}).encode()
        refused_without_trace(world, lambda body=body: send(world, body), "10 or 13 digits")  # type: ignore[misc]


def test_an_unknown_revoked_or_other_devices_address_is_refused(world: World) -> None:
    add_device(world, "generic", id="gone", name="gone", key="6" * 64, token="e" * 32, revoked_at=START)
    for token in ("e" * 32, "t" * 32, "x", KEY, TOKEN[:-1]):
        refused_without_trace(world, lambda token=token: send(world, PAID, f"/monitor/push/{token}"), "address")  # type: ignore[misc]
    refused_without_trace(world, lambda: send(world, PAID, f"/monitor/smsforwarder/{TOKEN}"), "address")
    assert send(world, PAID, "/monitor/push/t").status == 404


# Bad input.

NAMES = ("method", "amount", "title", "text", "package", "id", "time", "beat", "ts", "sign")


def with_part(name: str, value: object) -> dict[str, object]:
    """A good message but for one part."""
    rest: dict[str, str] = NOTICE if name in NOTICE else {} if name == "beat" else PAID
    return {**rest, "id": "1", name: value}


AMOUNTS = [
    "", "0", "0.00", "-1", "+1", "1e2", "1E100", "NaN", "Infinity", "1_000", "１.00", "1,160.00", "9.999", "¥9.90",
    "9.90元", "abc", " 9.90", "9.90 ", "0x10", "1000000000", "9" * 30, "9.9.9", ".9", "٩",
]  # fmt: skip
NUMBERS = [b"1e2", b"NaN", b"-Infinity", b"0", b"-9.9", b"9.999", b"1" * 400, b"[9]", b"true"]


def test_an_amount_that_is_none_is_refused(world: World) -> None:
    all_refused(world, (send(world, {**PAID, "amount": amount}) for amount in AMOUNTS), "amount")
    bodies = (b'{"method":"wechat","amount":' + number + b"}" for number in NUMBERS)
    all_refused(world, (send(world, body) for body in bodies), "amount")


def test_amounts_as_phones_spell_them_are_taken(world: World) -> None:
    for amount, fen in (("12.0", 1200), ("1.23456789E7", 1_234_567_890), (b"25", 2500), ("0.10", 10)):
        spelt = amount if isinstance(amount, bytes) else json.dumps(amount).encode()
        send(world, b'{"method":"alipay","id":"%d","amount":' % fen + spelt + b"}")
        assert fen in {payment.amount for payment in world.payments()}


def test_a_method_that_is_none_is_refused(world: World) -> None:
    methods = ("", "1", "WECHAT", "微信", "wxpay", "paypal", "wechat ", "a" * 2000)
    all_refused(world, (send(world, {**PAID, "method": method}) for method in methods), "method")


NONE_OF_THE_THREE: list[dict[str, object]] = [
    {}, {"id": "1"}, {"time": "1790000000"}, {"amount": "9.90"}, {"method": "wechat"}, {"package": WECHAT},
    {"title": ""}, {"text": ""}, {"title": "", "text": ""}, {"beat": False}, {"beat": None}, {"beat": ""},
    {**PAID, **NOTICE}, {**PAID, "title": "a"}, {**PAID, "beat": True}, {**NOTICE, "beat": True}, {"other": "x"},
    {"method": None, "amount": None},
]  # fmt: skip


def test_a_message_that_is_not_one_of_the_three_is_refused(world: World) -> None:
    all_refused(world, (send(world, message) for message in NONE_OF_THE_THREE))
    all_refused(world, (send_query(world, {"beat": beat}) for beat in ("false", "0", "")))


def test_a_beat_that_is_none_is_refused(world: World) -> None:
    beats: list[object] = ["yes please", "2", "null", [], {}, 0.5]
    all_refused(world, (send(world, {"beat": beat}) for beat in beats), "beat")


TIMES: list[object] = [
    "", "yesterday", "22:13:20", "2026-09-21", "2026-09-21 22:13", "2026-13-21 22:13:20", "179000000", "17900000000",
    "１７９０００００００", "2026-W39-1 00:00:00", "%TIMEMS", "0001-01-01 00:00:00+23:59",
    "9999-12-31 23:59:59-23:59", -1, 1.5,
]  # fmt: skip


def test_a_time_that_cannot_be_read_is_refused(world: World) -> None:
    all_refused(world, (send(world, {**PAID, "time": time}) for time in TIMES), "time")


def test_an_id_that_is_empty_a_placeholder_or_too_long_is_refused(world: World) -> None:
    ids = ("", "%anid", "%ID", "{not_id}", "[not_id]", "x" * 129, "a\nb")
    all_refused(world, (send(world, {**PAID, "id": number}) for number in ids), "id")


def test_a_package_that_is_a_placeholder_is_refused(world: World) -> None:
    refused_without_trace(world, lambda: send(world, {**NOTICE, "package": "%anpackage"}), "package")


@pytest.mark.parametrize("name", NAMES)
def test_a_part_that_is_doubled_too_long_or_of_another_type_is_refused(world: World, name: str) -> None:
    wrong: list[object] = [[], {}, ["9.90"], {"a": "b"}, "9" * 10_240]
    all_refused(world, (send(world, with_part(name, value)) for value in wrong), name)
    doubled = [*((key, str(value)) for key, value in with_part(name, "1").items()), (name, "1")]
    as_json = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in doubled) + "}"
    refused_without_trace(world, lambda: send(world, as_json.encode()), name)
    form = urlencode(doubled).encode()
    refused_without_trace(world, lambda: send(world, form, **{"Content-Type": FORM}), name)
    refused_without_trace(world, lambda: send(world, with_part(name, "1"), f"{PATH}?{name}=2"), name)


BODIES = [
    b"", b"{", b"[]", b"null", b'"', b"\xff", b"%ff=1", b'{"a":' * 9000, b"[" * 60_000, b" " * 70_000, b"<xml/>",
    '{"method":"微信"}'.encode("gbk"), b'{"method":"wechat","amount":9.90', b'{"text":"a\nb"}',
]  # fmt: skip


@pytest.mark.parametrize("kind", ["application/json", FORM, "text/plain", "image/png", "multipart/form-data", ""])
def test_a_body_that_is_no_message_is_refused(world: World, kind: str) -> None:
    all_refused(world, (send(world, body, **{"Content-Type": kind}) for body in BODIES))


def test_other_methods_are_refused(world: World) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        assert to_app(world.app)(method, PATH, {}, b"").status == 405


def test_a_refusal_says_what_is_wrong_in_one_sentence(world: World) -> None:
    reply = send(world, {"method": "wechat", "amount": "9.999"})
    assert reply.status == 400
    assert_refused(reply, "0.01")
