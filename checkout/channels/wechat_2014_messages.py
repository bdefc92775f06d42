"""WeChat Pay in its 2014 form: packages, app signatures, callbacks and the notice in two parts, as pure functions.

Two keys sign: the partner key (MD5, as Tenpay does) what is about money, the pay sign key (SHA-1, "appkey") what is
about the app. Specification: 微信支付商户系统接口文档 2.x, of 2013 and 2014.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import ClassVar
from urllib.parse import parse_qsl, quote

from checkout import xml
from checkout.channel import NoticeRefused, Raw, Reply, Start
from checkout.channels import wechat_messages as messages
from checkout.channels.static_codes import ProductCall
from checkout.channels.wechat_messages import MD5
from checkout.records import Discreet
from checkout.signing import equal, sorted_pairs

PRODUCT = re.compile(r"[0-9A-Za-z_.-]{1,32}")
# The key stands in the middle of what SHA-1 covers, so every value must be of a form that cannot be continued.
_SIGNED = {
    "AppId": re.compile("wx[0-9A-Za-z]{6,30}"), "OpenId": re.compile("[0-9A-Za-z_-]{1,128}"),
    "IsSubscribe": re.compile("[01]"), "TimeStamp": re.compile("[0-9]{1,12}"),
    "NonceStr": re.compile("[0-9A-Za-z]{1,32}"), "ProductId": PRODUCT,
}  # fmt: skip
_NOTICE = ("OpenId", "AppId", "IsSubscribe", "TimeStamp", "NonceStr")
_CALL = (*_NOTICE, "ProductId")


class Partner(Discreet, frozen=True):
    """Who we are."""

    SECRET: ClassVar = ("pay_sign_key", "partner_key")

    app_id: str
    partner: str
    pay_sign_key: str
    partner_key: str


def app_sign(values: Mapping[str, str], pay_sign_key: str) -> str:
    """Lower-case hex SHA-1 over the values, empty ones too, and the key as `appkey`; names in lower case, sorted."""
    lowered = {name.lower(): value for name, value in values.items()} | {"appkey": pay_sign_key}
    return hashlib.sha1(sorted_pairs(lowered, keep_empty=True).encode(), usedforsecurity=False).hexdigest()


def package_of(values: Mapping[str, str], partner_key: str) -> str:
    """The signed description of an order: MD5 over the raw values, which are then URL-encoded, a blank as %20."""
    encoded = sorted_pairs({name: quote(value, safe="") for name, value in values.items()})
    return f"{encoded}&sign={messages.sign(values, partner_key, MD5)}"


def package_for(ask: Start, partner: Partner) -> str:
    """The package of an order. It ends by itself when the order does; it cannot be ended before."""
    order = ask.order
    assert order.really_price is not None
    values = {
        "bank_type": "WX", "body": messages.title(ask.title), "partner": partner.partner, "out_trade_no": order.token,
        "total_fee": str(order.really_price), "fee_type": "1", "notify_url": ask.notify_url,
        "spbill_create_ip": _ipv4(ask.client_ip), "time_start": messages.beijing(order.created_at),
        "time_expire": messages.beijing(order.expires_at), "input_charset": "UTF-8",
    }  # fmt: skip
    return package_of(values, partner.partner_key)


def native_url(product: str, partner: Partner, nonce: str, now: int) -> str:
    """What the QR code of a product, or of an order by its token, says. ValueError: no such product id is taken."""
    if not PRODUCT.fullmatch(product):
        raise ValueError("WeChat Pay takes product ids of at most 32 letters, digits and _ . -")
    values = {"appid": partner.app_id, "productid": product, "timestamp": str(now), "noncestr": nonce}
    return f"weixin://wxpay/bizpayurl?sign={app_sign(values, partner.pay_sign_key)}&{sorted_pairs(values)}"


def call_of(raw: Raw, partner: Partner) -> ProductCall:
    """What WeChat asks when a code is scanned. Raises `NoticeRefused`."""
    values = _app_part(raw, _CALL, partner)
    if values["AppId"] != partner.app_id:
        raise NoticeRefused("The question is for another app.")
    return ProductCall(values["ProductId"], values["OpenId"], values["NonceStr"], raw.now)


def told(package: str, problem: str, partner: Partner, nonce: str, now: int) -> Reply:
    """The signed answer to it: the package, or why there is none."""
    values = {
        "AppId": partner.app_id, "Package": package, "TimeStamp": str(now), "NonceStr": nonce,
        "RetCode": "1" if problem else "0", "RetErrMsg": messages.title(problem) if problem else "ok",
    }  # fmt: skip
    sealed = values | {"AppSignature": app_sign(values, partner.pay_sign_key), "SignMethod": "sha1"}
    return Reply(xml.build(sealed), "text/xml; charset=utf-8")


def notice_parts(raw: Raw, partner: Partner) -> tuple[dict[str, str], dict[str, str]]:
    """The money's part (the query) and the app's part (the body) of a notice; both are signed. `NoticeRefused`."""
    money = _query(raw.query)
    if money.get("sign_type", MD5) != MD5 or not messages.is_signed(money, partner.partner_key, MD5):
        raise NoticeRefused("The notice's query is not signed with the partner key.")
    return money, _app_part(raw, _NOTICE, partner)


def mismatch(money: Mapping[str, str], app: Mapping[str, str], partner: Partner) -> str:
    """Why money can never be booked for us, "" when it can."""
    if app["AppId"] != partner.app_id:
        return "The notice is for another app."
    if money.get("partner") != partner.partner:
        return "The notice is for another partner."
    if money.get("fee_type", "1") != "1":
        return "The notice is in another currency."
    if money.get("trade_mode", "1") != "1":
        return "The notice is not of a payment that arrives at once."
    return ""


def kept(money: Mapping[str, str], app: Mapping[str, str]) -> str:
    """Both parts as they are stored."""
    return messages.kept({**money, **{name: value for name, value in app.items() if name != "AppSignature"}})


def _app_part(raw: Raw, names: tuple[str, ...], partner: Partner) -> dict[str, str]:
    if raw.method != "POST":
        raise NoticeRefused("WeChat Pay sends by POST.")
    values = messages.read(raw.body)
    if any(not _SIGNED[name].fullmatch(values.get(name, "")) for name in names):
        raise NoticeRefused("The message lacks an element, or has it in another form.")
    if values.get("SignMethod", "sha1").lower() != "sha1":
        raise NoticeRefused("The message is signed by another method.")
    expected = app_sign({name: values[name] for name in names}, partner.pay_sign_key)
    if not equal(values.get("AppSignature", ""), expected):
        raise NoticeRefused("The message is not signed with the pay sign key.")
    return values


def _query(query: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=60
        )
    except ValueError:
        raise NoticeRefused("The notice's query cannot be read as UTF-8.") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise NoticeRefused("The notice's query says something twice.")
    return values


def _ipv4(address: str) -> str:
    """The field holds 15 characters."""
    try:
        return str(IPv4Address(address))
    except ValueError:
        return "127.0.0.1"
