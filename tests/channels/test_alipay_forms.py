"""Notices and returns of Alipay, against real ones whose signatures are known."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout.beijing import in_beijing
from checkout.channel import Heard, NoticeRefused
from checkout.channels.alipay_forms import fields_of, moment, notice_of, signed_text, verified
from checkout.channels.keys import load_private, load_public, rsa_sign, rsa_signed_by
from tests.channels.rsa import key
from tests.channels.vectors import vector

NOW = 1_600_000_000
NOTICE = vector("sandbox_async_notify_2017_a")
RETURN = vector("seed002_return_url_rsa2")


def holds(sign: str, message: bytes) -> bool:
    return rsa_signed_by(load_public(NOTICE["key"], "key"), sign, message)


def holds_ours(sign: str, message: bytes) -> bool:
    return rsa_signed_by(key("alipay").public_key(), sign, message)


def signed(values: Mapping[str, str], *, charset: str = "utf-8") -> bytes:
    """A form as Alipay would send it."""
    encoded = {name: value.encode(charset) for name, value in values.items()}
    text = b"&".join(name.encode() + b"=" + encoded[name] for name in sorted(encoded))
    return urlencode({**encoded, "sign_type": "RSA2", "sign": rsa_sign(key("alipay"), text)}).encode()


def refused(body: bytes) -> str:
    with pytest.raises(NoticeRefused) as outcome:
        verified(fields_of(body), holds_ours)
    return str(outcome.value)


def test_the_real_notice_of_2017_is_believed() -> None:
    fields = fields_of(NOTICE["inputs"]["form_body"].encode())
    assert signed_text(fields, blanks=True).decode() == NOTICE["inputs"]["signed_string"]
    values = verified(fields, holds)
    assert values["subject"] == "充气式韩红"
    notice = notice_of(values, amount="total_amount", mismatch="", now=NOW)
    assert notice.paid is not None
    assert (notice.heard, notice.order_token, notice.paid.amount) == (Heard.PAID, "order1511497073", 1100)
    assert notice.paid.reference == "2017112421001004970200328644"
    assert in_beijing(notice.paid.happened_at) == "2017-11-24 12:18:09"
    assert "sign" not in notice.text.replace("design", "")


def test_the_real_return_of_2017_is_believed_and_says_nothing_of_a_payment() -> None:
    fields = fields_of(urlsplit(RETURN["inputs"]["url"]).query.encode())
    assert signed_text(fields, blanks=True).decode() == RETURN["inputs"]["signed_string"]
    public = load_public(RETURN["key"], "key")
    values = verified(fields, lambda sign, message: rsa_signed_by(public, sign, message))
    assert values["out_trade_no"] == "20170202185"
    assert notice_of(values, amount="total_amount", mismatch="", now=NOW).heard is Heard.NOTHING


def test_the_legacy_notice_signs_as_others_computed_it() -> None:
    legacy = vector("computed_alipay_legacy_notify_rsa_sha1")
    text = legacy["inputs"]["string"]
    pairs = [pair.partition("=") for pair in text.split("&")]
    body = urlencode({name: value for name, _, value in reversed(pairs)} | {"sign_type": "RSA", "sign": "x"}).encode()
    assert signed_text(fields_of(body), blanks=False).decode() == text
    private = load_private(legacy["key"], "key", min_bits=1024)
    assert rsa_sign(private, text.encode(), sha1=True) == legacy["expected"]


@pytest.mark.parametrize("name", sorted(fields_of(NOTICE["inputs"]["form_body"].encode())))
def test_the_real_notice_with_any_field_changed_left_out_or_blank_is_refused(name: bytes) -> None:
    if name == b"sign_type":
        return
    fields = dict(fields_of(NOTICE["inputs"]["form_body"].encode()))
    without = {other: value for other, value in fields.items() if other != name}
    for changed in ({**fields, name: fields[name] + b"0"}, {**fields, name: b""}, without):
        with pytest.raises(NoticeRefused):
            verified(changed, holds)


def test_a_field_that_was_added_is_refused_unless_it_is_signed() -> None:
    values = {"app_id": "1", "new_field_of_next_year": "x"}
    assert verified(fields_of(signed(values)), holds_ours)["new_field_of_next_year"] == "x"
    assert refused(signed(values) + b"&another=x") == "The signature of the message does not hold."


def test_blank_fields_may_be_signed_or_left_out() -> None:
    assert verified(fields_of(signed({"app_id": "1", "body": ""})), holds_ours)["body"] == ""
    assert verified(fields_of(signed({"app_id": "1"}) + b"&body="), holds_ours)["body"] == ""


def test_sha1_another_key_and_no_signature_are_refused() -> None:
    text = b"app_id=1"
    sha1 = quote_plus(rsa_sign(key("alipay"), text, sha1=True)).encode()
    other = quote_plus(rsa_sign(key("ours"), text)).encode()
    for sign in (sha1, other, b"AAAA", b"%00", b"\xff"):
        assert refused(text + b"&sign_type=RSA&sign=" + sign) == "The signature of the message does not hold."
    for unsigned in (b"", text, text + b"&sign="):
        assert refused(unsigned) == "The message is not signed."


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=1", b"a=1&%61=2", b"a", b"=1", b"a=1&", b"a=%zz", b"a=%2", b"a%3Db=1", b"a%26=1", b"\xff=1",
        b"x" * 65537, b"&".join(b"a%d=1" % n for n in range(201)),
    ],
)  # fmt: skip
def test_a_form_that_two_readers_could_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(NoticeRefused):
        fields_of(body)


def test_values_are_decoded_exactly_once() -> None:
    assert fields_of(b"a=%252B+%2B&b=" + "中".encode())[b"a"] == b"%2B +"


def test_a_title_with_every_awkward_character_verifies() -> None:
    title = '+ & = % 中文 "quotes" {braces} \n \\ %2B'
    assert verified(fields_of(signed({"app_id": "1", "subject": title})), holds_ours)["subject"] == title


def test_gbk_verifies_and_is_read() -> None:
    values = {"charset": "GBK", "subject": "充气式"}
    assert verified(fields_of(signed(values, charset="gbk")), holds_ours)["subject"] == "充气式"
    assert verified(fields_of(signed({"subject": "充"}, charset="gbk")), holds_ours)["subject"] == "\ufffd\ufffd"


def test_a_title_cannot_smuggle_in_other_values() -> None:
    """What a buyer may write into a title is part of the signed text, and could be cut out of it again."""
    evil = "x&total_amount=100.00&trade_no=1&trade_status=TRADE_SUCCESS&zz=1"
    genuine = signed({"app_id": "1", "subject": evil, "total_amount": "0.01", "trade_status": "WAIT_BUYER_PAY"})
    assert refused(genuine) == "The message could be read in two ways."
    sign = fields_of(genuine)[b"sign"].decode()
    cut = {"app_id": "1", "subject": "x", "total_amount": "100.00", "trade_no": "1", "trade_status": "TRADE_SUCCESS"}
    cut["zz"] = "1&total_amount=0.01&trade_status=WAIT_BUYER_PAY"
    forged = urlencode({**cut, "sign": sign}).encode()
    assert holds_ours(sign, signed_text(fields_of(forged), blanks=True))
    assert refused(forged) == "The message could be read in two ways."


def test_a_blank_field_hides_nothing() -> None:
    """Blank fields are left out of the second try's text, so they must not vouch for a place in it."""
    genuine = signed({"app_id": "1", "subject": "x&seller_id="})
    assert refused(genuine + b"&seller_id=") == "The message could be read in two ways."


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        verified(fields_of(body), holds_ours)
    except NoticeRefused:
        return
    raise AssertionError("believed")


PAYMENT = {"out_trade_no": "t1", "trade_no": "2017", "trade_status": "TRADE_SUCCESS", "total_amount": "9.90"}


@pytest.mark.parametrize(
    ("changes", "heard"),
    [
        ({}, Heard.PAID),
        ({"trade_status": "TRADE_FINISHED"}, Heard.PAID),
        ({"trade_status": "WAIT_BUYER_PAY"}, Heard.NOTHING),
        ({"trade_status": "TRADE_CLOSED"}, Heard.CLOSED),
        ({"trade_status": "TRADE_CLOSED", "gmt_refund": "2020-01-01 00:00:00.123"}, Heard.CLOSED),
        ({"trade_status": "SOMETHING_NEW"}, Heard.NOTHING),
        ({"trade_status": ""}, Heard.NOTHING),
        ({"gmt_refund": "2020-01-01 00:00:00.123", "out_biz_no": "r1", "refund_fee": "1.00"}, Heard.REFUND),
    ],
)
def test_what_a_status_means(changes: dict[str, str], heard: Heard) -> None:
    notice = notice_of({**PAYMENT, **changes}, amount="total_amount", mismatch="", now=NOW)
    assert notice.heard is heard
    assert (notice.paid is not None) == (heard in (Heard.PAID, Heard.REFUND))
    assert notice.refund_number == changes.get("out_biz_no", "")


def test_a_notice_for_somebody_else_closes_nothing() -> None:
    notice = notice_of({**PAYMENT, "trade_status": "TRADE_CLOSED"}, amount="total_amount", mismatch="other", now=NOW)
    assert (notice.heard, notice.mismatch) == (Heard.NOTHING, "other")


@pytest.mark.parametrize(
    "amount", ["", "0", "0.00", "-1", "1e2", "9.999", "９.90", "9,90", "NaN", "1000000000", " 9.90"]
)
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(NoticeRefused):
        notice_of({**PAYMENT, "total_amount": amount}, amount="total_amount", mismatch="", now=NOW)


@pytest.mark.parametrize("name", ["trade_no", "out_trade_no", "total_amount"])
def test_a_payment_without_substance_is_refused(name: str) -> None:
    with pytest.raises(NoticeRefused):
        notice_of({**PAYMENT, name: ""}, amount="total_amount", mismatch="", now=NOW)


def test_no_fen_is_lost() -> None:
    for text, amount in (("19.99", 1999), ("100", 10000), ("0.01", 1), ("9.9", 990), ("1.10", 110)):
        notice = notice_of({**PAYMENT, "total_amount": text}, amount="total_amount", mismatch="", now=NOW)
        assert notice.paid is not None
        assert notice.paid.amount == amount


def test_times_are_beijing() -> None:
    assert moment("1970-01-01 08:00:00", 5) == 5
    assert moment("2017-11-24 12:18:09", 5) == moment("2017-11-24 12:18:09.999", 5) == 1511497089
    assert in_beijing(1511497089) == "2017-11-24 12:18:09"
    for text in ("", "2017-11-24", "2017-13-24 12:18:09", "2017-11-24 12:18:09 ", "now", quote("2017-11-24 12:18:09")):
        assert moment(text, 5) == 5
