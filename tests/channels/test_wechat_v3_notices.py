"""Notices: what holds is read, every way to be wrong is refused. The fake signs and encrypts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout.channel import Channel, Heard, Notice, NoticeRefused
from tests.channels.rsa import key
from tests.channels.wechat_v3 import API_KEY, KEY_ID, TOKEN, channel, fake, raw, refund, start
from tests.fakes.wechat_v3 import CERTIFICATE, FakeWechatV3
from tests.fakes.wechat_v3_seals import sealed, signed_headers
from tests.world import START, FakeClock


@pytest.fixture
def wechat(clock: FakeClock) -> Iterator[FakeWechatV3]:
    with fake(clock) as gateway:
        yield gateway


@pytest.fixture
def ours(wechat: FakeWechatV3, tmp_path: Path) -> Channel:
    """A channel with an order that is paid."""
    found = channel(tmp_path, wechat.gateway)
    found.start(start())
    wechat.pay(TOKEN)
    return found


def refused(ours: Channel, body: bytes, headers: dict[str, str], **options: Any) -> str:
    with pytest.raises(NoticeRefused) as outcome:
        ours.read_notice(raw(body, headers, **options))
    return str(outcome.value)


def heard(ours: Channel, sent: tuple[bytes, dict[str, str]]) -> Notice:
    return ours.read_notice(raw(*sent))


def test_a_pay_notice_tells_order_transaction_and_total(ours: Channel, wechat: FakeWechatV3) -> None:
    notice = heard(ours, wechat.notice(TOKEN))
    assert notice.heard is Heard.PAID
    assert notice.mismatch == ""
    assert notice.paid is not None
    assert (notice.paid.order_token, notice.paid.amount, notice.paid.happened_at) == (TOKEN, 1999, START)
    assert notice.paid.reference == wechat.trades[TOKEN].transaction_id


def test_what_is_kept_holds_no_signature_and_no_key(ours: Channel, wechat: FakeWechatV3) -> None:
    body, headers = wechat.notice(TOKEN)
    text = heard(ours, (body, headers)).text
    assert json.loads(text)["transaction_id"] == wechat.trades[TOKEN].transaction_id
    for secret in (API_KEY, headers["Wechatpay-Signature"], json.loads(body)["resource"]["ciphertext"]):
        assert secret not in text


def test_unknown_extra_fields_and_blank_ones_change_nothing(ours: Channel, wechat: FakeWechatV3) -> None:
    notice = heard(ours, wechat.notice(TOKEN, new_field={"a": [1, 2.5]}, attach="", promotion_detail=[], emoji="😀"))
    assert notice.paid is not None
    assert notice.paid.amount == 1999


@pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Signature", "Serial"])
@pytest.mark.parametrize("value", [None, "", "x", "中文"])
def test_a_notice_without_a_whole_signature_is_refused(
    ours: Channel, wechat: FakeWechatV3, name: str, value: str | None
) -> None:
    body, headers = wechat.notice(TOKEN)
    headers.pop(f"Wechatpay-{name}")
    assert refused(ours, body, headers if value is None else {**headers, f"Wechatpay-{name}": value})


def test_a_probe_is_refused(ours: Channel, wechat: FakeWechatV3) -> None:
    body, headers = wechat.notice(TOKEN)
    signature = headers["Wechatpay-Signature"]
    for probe in ("WECHATPAY/SIGNTEST/" + signature, "WECHATPAY/SIGNTEST/" + signature[19:], "WECHATPAY/SIGNTEST/"):
        said = refused(ours, body, {**headers, "Wechatpay-Signature": probe})
        assert said == "The notice carries a probe instead of a signature."


@pytest.mark.parametrize("late", [-301, 301, 86400])
def test_a_notice_signed_more_than_five_minutes_from_now_is_refused(
    ours: Channel, wechat: FakeWechatV3, late: int
) -> None:
    body, headers = wechat.notice(TOKEN)
    assert "is the clock right?" in refused(ours, body, headers, now=START + late)
    assert ours.read_notice(raw(body, headers, START + (300 if late > 0 else -300))).paid


def test_another_key_is_refused_even_under_our_keys_name(ours: Channel, wechat: FakeWechatV3) -> None:
    body, _ = wechat.notice(TOKEN)
    for signer in ("stranger", "ours"):
        said = refused(ours, body, signed_headers(key(signer), KEY_ID, START, body))
        assert said == "The notice has a signature that does not hold."


def test_a_platform_certificate_is_no_key_of_ours(ours: Channel, wechat: FakeWechatV3) -> None:
    body, _ = wechat.notice(TOKEN)
    headers = signed_headers(key("wechat"), CERTIFICATE, START, body)
    assert refused(ours, body, headers) == "The notice is signed by another key than public_key_id names."


def test_a_signature_of_another_notice_does_not_hold(ours: Channel, wechat: FakeWechatV3) -> None:
    body, _ = wechat.notice(TOKEN)
    assert "does not hold" in refused(ours, body, wechat.signed(body + b" "))
    assert "does not hold" in refused(ours, body + b"\n", wechat.signed(body))


def test_any_changed_letter_of_the_body_breaks_the_signature(ours: Channel, wechat: FakeWechatV3) -> None:
    body, headers = wechat.notice(TOKEN)
    for at in range(0, len(body), 7):
        assert "does not hold" in refused(ours, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], headers)


def test_only_a_post_is_a_notice(ours: Channel, wechat: FakeWechatV3) -> None:
    assert refused(ours, *wechat.notice(TOKEN), method="GET")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mchid": "1900000110"}, "The message is for another merchant."),
        ({"mchid": None}, "The message is for another merchant."),
        ({"appid": "wxffffffffffffffff"}, "The message is for another app."),
        ({"amount": {"total": 1999, "currency": "USD"}}, "The message is in another currency."),
    ],
)
def test_money_for_others_is_evidence_that_is_never_booked(
    ours: Channel, wechat: FakeWechatV3, changes: dict[str, Any], why: str
) -> None:
    assert heard(ours, wechat.notice(TOKEN, **changes)).mismatch == why


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": None}, {"amount": 1999}, {"amount": {}}, {"amount": {"total": "1999"}}, {"amount": {"total": 19.99}},
        {"amount": {"total": 1999.0}}, {"amount": {"total": 0}}, {"amount": {"total": -1}}, {"amount": {"total": True}},
        {"amount": {"total": 10**12}}, {"amount": {"total": None}}, {"amount": {"total": [1999]}},
        {"out_trade_no": None}, {"out_trade_no": ""}, {"out_trade_no": 7}, {"out_trade_no": "a b"},
        {"transaction_id": None}, {"transaction_id": ""}, {"transaction_id": "x" * 65},
    ],
)  # fmt: skip
def test_a_payment_without_a_proper_order_number_or_total_is_refused(
    ours: Channel, wechat: FakeWechatV3, changes: dict[str, Any]
) -> None:
    assert refused(ours, *wechat.notice(TOKEN, **changes))


@pytest.mark.parametrize("state", ["NOTPAY", "CLOSED", "PAYERROR", "success", "", None, 1])
def test_another_state_than_success_is_no_payment(ours: Channel, wechat: FakeWechatV3, state: object) -> None:
    notice = heard(ours, wechat.notice(TOKEN, trade_state=state))
    assert (notice.heard, notice.paid) == (Heard.NOTHING, None)


@pytest.mark.parametrize("at", [None, "", "yesterday", "2026-13-45T99:99:99+08:00", "2026-09-21T22:13:20", 5])
def test_a_payment_without_a_proper_time_happened_now(ours: Channel, wechat: FakeWechatV3, at: object) -> None:
    notice = ours.read_notice(raw(*wechat.notice(TOKEN, success_time=at), now=START + 7))
    assert notice.paid is not None
    assert notice.paid.happened_at == START + 7


def test_a_time_of_another_zone_is_understood(ours: Channel, wechat: FakeWechatV3) -> None:
    notice = heard(ours, wechat.notice(TOKEN, success_time="2026-09-21T13:13:20Z"))
    assert notice.paid is not None
    assert notice.paid.happened_at == START - 3600


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "AEAD_SM4_GCM"}, {"algorithm": None}, {"nonce": "short"}, {"nonce": ""}, {"nonce": 5},
        {"associated_data": "other"}, {"associated_data": None}, {"ciphertext": "AAAA"}, {"ciphertext": ""},
        {"ciphertext": "not base64!"}, {"ciphertext": None}, {"original_type": "refund"}, {"original_type": 1},
    ],
)  # fmt: skip
def test_a_resource_that_does_not_decrypt_is_refused(
    ours: Channel, wechat: FakeWechatV3, change: dict[str, Any]
) -> None:
    resource = {**json.loads(wechat.notice(TOKEN)[0])["resource"], **change}
    assert refused(ours, *wechat.sealed_notice("TRANSACTION.SUCCESS", "transaction", {}, resource=resource))


def test_a_notice_encrypted_with_another_key_says_which_to_look_at(ours: Channel, wechat: FakeWechatV3) -> None:
    sent = wechat.sealed_notice("TRANSACTION.SUCCESS", "transaction", {"trade_state": "SUCCESS"}, key="k" * 32)
    assert refused(ours, *sent) == "The notice could not be decrypted; is api_v3_key right?"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"1", b"\xff", b"{", b'{"event_type": NaN, "event_type": 1}', b"[" * 30000,
        b'{"event_type":"TRANSACTION.SUCCESS","event_type":"TRANSACTION.SUCCESS"}', b'{"a":' + b"9" * 5000 + b"}",
        b'{"event_type":"TRANSACTION.SUCCESS"}', b'{"event_type":"TRANSACTION.SUCCESS","resource":[]}',
        b'{"event_type":"COUPON.USE","resource":{}}', b"<xml><total_fee>1</total_fee></xml>", b" " * 70000,
    ],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_a_signed_body_that_is_no_notice_is_refused(ours: Channel, wechat: FakeWechatV3, body: bytes) -> None:
    assert refused(ours, body, wechat.signed(body))


def test_doubled_names_in_what_was_encrypted_are_refused(ours: Channel, wechat: FakeWechatV3) -> None:
    body, _ = wechat.sealed_notice("TRANSACTION.SUCCESS", "transaction", {}, resource=doubled())
    assert "each name occurs once" in refused(ours, body, wechat.signed(body))


def doubled() -> dict[str, str]:
    class Twice(dict[str, object]):
        def items(self) -> Any:
            return [("trade_state", "SUCCESS"), ("trade_state", "SUCCESS")]

    values = Twice(trade_state="SUCCESS")
    return sealed(API_KEY, values, "transaction")


def test_a_notice_without_associated_data_is_read(ours: Channel, wechat: FakeWechatV3) -> None:
    values = json.loads(heard(ours, wechat.notice(TOKEN)).text)
    resource = {**sealed(API_KEY, values, ""), "original_type": "transaction"}
    for given in (resource, {name: value for name, value in resource.items() if name != "associated_data"}):
        sent = wechat.sealed_notice("TRANSACTION.SUCCESS", "transaction", {}, resource=given)
        assert heard(ours, sent).paid


def test_half_a_character_pair_does_no_harm(ours: Channel, wechat: FakeWechatV3) -> None:
    assert b"?" in heard(ours, wechat.notice(TOKEN, attach="\ud800")).text.encode()


@pytest.mark.parametrize("status", ["SUCCESS", "ABNORMAL", "CLOSED"])
def test_a_refund_notice_names_the_refund(ours: Channel, wechat: FakeWechatV3, status: str) -> None:
    wechat.refund_status = status
    ours.refund(refund(number="rf_9"))
    notice = heard(ours, wechat.refund_notice(TOKEN, "rf_9"))
    assert (notice.heard, notice.order_token, notice.refund_number) == (Heard.REFUND, TOKEN, "rf_9")
    assert notice.paid is None


def test_a_refund_notice_for_another_merchant_is_of_no_consequence(ours: Channel, wechat: FakeWechatV3) -> None:
    ours.refund(refund())
    assert heard(ours, wechat.refund_notice(TOKEN, "rf_1", mchid="1")).heard is Heard.NOTHING
    assert refused(ours, *wechat.refund_notice(TOKEN, "rf_1", out_refund_no=""))


def test_a_pay_notice_cannot_be_passed_off_as_a_refund(ours: Channel, wechat: FakeWechatV3) -> None:
    body = json.loads(wechat.notice(TOKEN)[0]) | {"event_type": "REFUND.SUCCESS"}
    sent = json.dumps(body).encode()
    assert refused(ours, sent, wechat.signed(sent)) == "The notice contradicts itself."
