"""What kind of QR code a text is: only some of the codes that an owner may photograph can bring in money."""

from __future__ import annotations

import re

from msgspec import Struct

from checkout.model.accounts import Method

_ONCE = (
    "This code belongs to one single order and works once: take the payment code that stays the same and carries no"
    " amount."
)
_PAYING = (
    "This is the code with which you pay others, and it changes every minute: take the one with which you receive"
    " money."
)
_GROUP = "This is an invitation to a group, and nobody can pay to it: take the picture of your payment code."
_UNION = "This is a UnionPay code, and phones do not tell of its money: take the payment code of WeChat or Alipay."


class Kind(Struct, frozen=True):
    """`name` is "" if unknown; `method`: whose code it is, None where that does not matter; `refusal`: why it can never
    bring in money, and which code to use instead."""

    name: str
    method: Method | None = None
    refusal: str = ""


_KNOWN = (
    (r"wxp://f2f0\S+", Kind("WeChat personal payment code", Method.WECHAT)),
    (r"wxp://\S+", Kind("WeChat payment code", Method.WECHAT)),
    (r"https://payapp\.weixin\.qq\.com/\S+", Kind("WeChat merchant payment code", Method.WECHAT)),
    (r"weixin://wxpay/\S+", Kind("code of one order", Method.WECHAT, _ONCE)),
    (r"1[0-5]\d{16}", Kind("code to pay with", Method.WECHAT, _PAYING)),
    (r"https://qr\.alipay\.com/ba[xr]\w+", Kind("code of one order", Method.ALIPAY, _ONCE)),
    (r"https://qr\.alipay\.com/fkx\S+", Kind("Alipay personal payment code", Method.ALIPAY)),
    (r"https://qr\.alipay\.com/\S+", Kind("Alipay payment code", Method.ALIPAY)),
    (r"(2[5-9]|30)\d{14,22}", Kind("code to pay with", Method.ALIPAY, _PAYING)),
    (r"https?://(u\.wechat\.com|weixin\.qq\.com/r)/\S+", Kind("contact card")),
    (r"https?://(weixin\.qq\.com/g|work\.weixin\.qq\.com/gm|qm\.qq\.com|jq\.qq\.com)/\S+", Kind("group", None, _GROUP)),
    (r"https?://qr\.95516\.com/\S+", Kind("UnionPay code", None, _UNION)),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE | re.ASCII), kind) for pattern, kind in _KNOWN)
_UNKNOWN = Kind("")


def kind(code: str) -> Kind:
    """The kind of QR code that says `text`."""
    return next((kind for pattern, kind in _COMPILED if pattern.fullmatch(code)), _UNKNOWN)
