from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from checkout import xml
from checkout.channel import NoticeRefused, Scene
from checkout.channels.wechat_messages import (
    HMAC,
    MD5,
    Merchant,
    beijing,
    believed,
    fen,
    is_signed,
    kept,
    moment,
    opened,
    sign,
    signed,
    title,
)
from checkout.channels.wechat_orders import client_params
from checkout.channels.wechat_product import code_of
from tests.channels.orders import start
from tests.channels.vectors import vector
from tests.fakes.wechat_words import locked, sign_of

KEY = "192006250b4c09247ec02edce69f6a2d"
OURS = Merchant("wx2421b1c4370ec43b", "10000100", KEY, MD5)
STRING_VECTORS = [
    ("seed004_unifiedorder_md5", MD5),
    ("seed004_app_sign_with_key_correct", MD5),
    ("wechat_v2_official_md5", MD5),
    ("wechat_v2_official_hmac", HMAC),
    ("computed_wx_v2_native_mode1_url", MD5),
    ("computed_wx_v2_pay_notify_md5", MD5),
    ("computed_tenpay_refund_md5", MD5),
]


def pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split("&"))


def of(name: str) -> dict[str, Any]:
    found = vector(name)
    return {**found, "values": pairs(found["inputs"]["string"])}


@pytest.mark.parametrize(("name", "sign_type"), STRING_VECTORS)
def test_the_published_signatures_hold(name: str, sign_type: str) -> None:
    known = of(name)
    assert sign(known["values"], known["key"], sign_type) == known["expected"]
    assert is_signed(known["values"] | {"sign": known["expected"]}, known["key"], sign_type)
    assert is_signed(known["values"] | {"sign": known["expected"].lower()}, known["key"], sign_type)


@pytest.mark.parametrize(("name", "sign_type"), STRING_VECTORS)
def test_a_changed_added_or_missing_value_breaks_the_signature(name: str, sign_type: str) -> None:
    known = of(name)
    message = known["values"] | {"sign": known["expected"]}
    for field in known["values"]:
        assert not is_signed(message | {field: f"{message[field]}1"}, known["key"], sign_type)
        assert not is_signed({k: v for k, v in message.items() if k != field}, known["key"], sign_type)
    assert not is_signed(message | {"extra": "1"}, known["key"], sign_type)
    assert not is_signed(message, f"{known['key']}0", sign_type)


def test_empty_values_are_not_signed_and_a_zero_is() -> None:
    known = vector("yansongda_v2_md5_drops_empty")
    values = {name: str(value) for name, value in known["inputs"]["params"].items()}
    assert sign(values, known["key"], MD5) == known["expected"]
    assert sign({"a": "0", "b": ""}, KEY, MD5) == sign({"a": "0"}, KEY, MD5) != sign({"b": "x"}, KEY, MD5)
    assert signed({"a": "0", "b": ""}, OURS) == {"a": "0", "sign": sign({"a": "0"}, KEY, MD5)}


def test_the_app_sign_of_the_article_was_made_without_the_key_and_is_wrong() -> None:
    known = of("seed004_app_sign_with_key_correct")
    assert known["expected"] != "0586C6E4A2AA6D297F4046362D878BAC"
    assert not is_signed(known["values"] | {"sign": "0586C6E4A2AA6D297F4046362D878BAC"}, known["key"], MD5)


@pytest.mark.parametrize("given_sign", ["", "0" * 32, "0" * 64, "0" * 31, "中" * 32, "\ud800" * 32, "A" * 100_000])
@pytest.mark.parametrize("sign_type", [MD5, HMAC])
def test_what_is_no_signature_never_holds(given_sign: str, sign_type: str) -> None:
    assert not is_signed({"a": "1", "sign": given_sign}, KEY, sign_type)
    assert not is_signed({"a": "1"}, KEY, sign_type)


def test_md5_is_refused_where_hmac_is_configured_whatever_the_message_says() -> None:
    for said in ({}, {"sign_type": "MD5"}, {"sign_type": "HMAC-SHA256"}):
        values = {"a": "1", **said}
        assert not is_signed(values | {"sign": sign(values, KEY, MD5)}, KEY, HMAC)
        assert is_signed(values | {"sign": sign(values, KEY, HMAC)}, KEY, HMAC)


def test_the_stronger_signature_is_accepted_where_md5_is_configured() -> None:
    values = {"a": "1"}
    assert is_signed(values | {"sign": sign(values, KEY, HMAC)}, KEY, MD5)
    assert not is_signed(values | {"sign": sign(values, "0" * 32, HMAC)}, KEY, MD5)


@given(st.dictionaries(st.text("abcxyz_", min_size=1, max_size=8), st.text(max_size=30), max_size=8))
def test_our_signatures_are_those_of_the_specification(values: dict[str, str]) -> None:
    values = {"nonce_str": "n"} | {name: xml.fit(value) for name, value in values.items()}
    for sign_type in (MD5, HMAC):
        assert sign(values, KEY, sign_type) == sign_of(values, KEY, sign_type)


def test_the_second_sign_of_an_app_is_the_published_one() -> None:
    known = of("seed004_app_sign_with_key_correct")
    merchant = Merchant(known["values"]["appid"], known["values"]["partnerid"], known["key"], MD5)
    ask = start(Scene.APP, now=int(known["values"]["timestamp"]))
    params = client_params(ask, merchant, known["values"]["prepayid"], known["values"]["noncestr"])
    assert params == known["values"] | {"sign": known["expected"]}


def test_a_page_inside_wechat_gets_its_own_names_and_signature() -> None:
    merchant = Merchant("wx2421b1c4370ec43b", "10000100", KEY, HMAC)
    params = client_params(start(Scene.JSAPI, now=1414561699), merchant, "wx2014", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS")
    assert {name: value for name, value in params.items() if name != "paySign"} == {
        "appId": "wx2421b1c4370ec43b", "timeStamp": "1414561699", "nonceStr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
        "package": "prepay_id=wx2014", "signType": "HMAC-SHA256",
    }  # fmt: skip
    rest = {name: value for name, value in params.items() if name != "paySign"}
    assert params["paySign"] == sign_of(rest, KEY, HMAC)


def test_the_code_of_a_product_is_the_published_one() -> None:
    known = vector("computed_wx_v2_native_mode1_url")
    assert code_of("1", OURS, "f6808210402125e30663234f94c87a8c", 1415949957) == known["inputs"]["url"]


@pytest.mark.parametrize("product", ["", "a b", "a&b", "中", "x" * 33, "a\n"])
def test_a_product_id_that_wechat_does_not_take_makes_no_code(product: str) -> None:
    with pytest.raises(ValueError, match="at most 32 letters"):
        code_of(product, OURS, "n", 1)


def test_a_published_notice_is_believed_and_kept_without_its_signature() -> None:
    known = vector("computed_wx_v2_pay_notify_md5")
    values: dict[str, str] = known["inputs"]["params"]
    body = xml.build(values | {"sign": known["expected"]}, cdata=True)
    assert believed(body, OURS) == values | {"sign": known["expected"]}
    assert json.loads(kept(believed(body, OURS))) == values


def test_what_a_refund_notice_carries_is_unlocked() -> None:
    inner = {"out_refund_no": "r1", "refund_account": "支付&<退款>", "refund_fee": "1"}
    assert opened(locked(inner, KEY), KEY) == inner


@pytest.mark.parametrize("req_info", ["", "=", "AAAA", "not base64", "中文", base64.b64encode(b"x" * 32).decode()])
def test_what_cannot_be_unlocked_is_refused(req_info: str) -> None:
    with pytest.raises(NoticeRefused, match="cannot be unlocked"):
        opened(req_info, KEY)


def test_a_refund_notice_locked_with_another_key_or_of_another_form_is_refused() -> None:
    with pytest.raises(NoticeRefused):
        opened(locked({"a": "1"}, "0" * 32), KEY)
    filled = b"<xml><a>1</a></xml>" + bytes([13]) * 13
    other_root = AES.new(b"7f8e1ec6bd5ec8ad7b6c1fdbf3a1bbfb", AES.MODE_ECB).encrypt(filled)
    with pytest.raises(NoticeRefused):
        opened(base64.b64encode(other_root).decode(), KEY)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.00", "1e2", "+1", " 1", "1 ", "１", "01", "NaN", "9" * 12, "1\n"])
def test_what_is_no_amount_in_fen_is_refused(text: str) -> None:
    with pytest.raises(NoticeRefused):
        fen(text)


def test_amounts_are_whole_fen() -> None:
    assert fen("1999") == 1999


def test_times_are_beijing_s() -> None:
    assert beijing(1409721340) == "20140903131540"
    assert moment("20140903131540") == 1409721340


@pytest.mark.parametrize(
    "text", ["", "2014", "20140903131560", "20141303131540", "2014090313154０", "20140903131540\n"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(NoticeRefused):
        moment(text)


def test_a_title_fits_and_is_never_empty() -> None:
    assert title('+ & = % 中文 "quotes" {braces}') == '+ & = % 中文 "quotes" {braces}'
    assert title("  a\n\tb\x00c ") == "a b c"
    assert title("\n") == "-"
    assert title("中" * 100) == "中" * 42
    assert title("x" * 500) == "x" * 127


@given(st.text())
def test_every_title_can_be_sent(text: str) -> None:
    assert 1 <= len(title(text).encode()) <= 127
    assert xml.parse(xml.build({"body": title(text)})) == {"body": title(text)}


def test_a_merchant_shows_no_key() -> None:
    assert KEY not in repr(OURS)
