"""Reading requests, for both versions of epay: parameters, the merchant, the order that is asked for or referred to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from checkout import opening, store
from checkout.interfaces import Rows
from checkout.model.merchants import MERCHANT_ID, Merchant
from checkout.model.orders import Order
from checkout.money import fen
from checkout.protocols._epay_answer import METHODS, NO_PARAMETERS, NOT_AUTHENTIC, OTHER, Spoken
from checkout.signing import signed_by, sorted_pairs
from checkout.web import check_merchant_url, fields, parts

DIALECTS = ("epay", "epay_v2")
UNSIGNED = ("sign", "sign_type")
_NUMBER = re.compile(r"[A-Za-z0-9._|-]{1,64}")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_NAME_BYTES = 127
_REQUIRED = {
    "out_trade_no": "商户订单号(out_trade_no)不能为空",
    "notify_url": "通知地址(notify_url)不能为空",
    "name": "商品名称(name)不能为空",
    "money": "金额(money)不能为空",
}
# The signed text joins `k=v` by `&` without escaping, so a value that holds such a piece could be read as another
# parameter. The addresses may name an order: what is signed back to a merchant never holds them.
_NOWHERE = ("&money=", "&pid=", "&notify_url=", "&trade_status=")
_NOT_IN_TEXT = ("&out_trade_no=", "&trade_no=")


def parameters() -> dict[str, str]:
    """Every parameter as it was sent. Refused: none at all, or such as could be read in two ways when signed."""
    values = fields()
    if not values:
        raise Spoken(NO_PARAMETERS, "未传入任何参数")
    if is_ambiguous(values):
        raise Spoken(OTHER, "参数含有可能产生歧义的内容，例如&money=")
    return values


def is_ambiguous(values: Mapping[str, str]) -> bool:
    """Whether the signed text could be read as other values of the parameters that count."""
    for name, value in values.items():
        forbidden = _NOWHERE if name.endswith("_url") else (*_NOWHERE, *_NOT_IN_TEXT)
        if "&" in name or "=" in name or any(piece in value for piece in forbidden):
            return True
    return False


def merchant_of(values: Mapping[str, str]) -> Merchant:
    pid = values.get("pid", "")
    with parts().store.read() as db:
        merchant = store.merchants.get(db, int(pid)) if MERCHANT_ID.fullmatch(pid) else None
    if merchant is None:
        raise Spoken(NOT_AUTHENTIC, "商户ID(pid)不存在")
    return merchant


def is_signed(values: Mapping[str, str], keys: Iterable[str]) -> bool:
    """Whether the MD5 `sign` holds under one of the keys, with or without empty values (two known shops sign them)."""
    if values.get("sign_type", "").upper() not in ("", "MD5"):
        return False
    texts = [sorted_pairs(values, keep_empty=kept, without=UNSIGNED) for kept in (False, True)]
    valid = list(keys)
    return any([signed_by(values.get("sign", ""), valid, text) for text in texts])


def open_order(values: Mapping[str, str], merchant: Merchant, dialect: str, now: int) -> Order:
    """The order that authentic values ask for; without a `type` that we know the buyer chooses the method."""
    if merchant.disabled_at is not None:
        raise Spoken(OTHER, "商户已停用")
    for name, complaint in _REQUIRED.items():
        if not values.get(name, "").strip():
            raise Spoken(OTHER, complaint)
    if not _NUMBER.fullmatch(values["out_trade_no"]):
        raise Spoken(OTHER, "商户订单号(out_trade_no)最长64位，只能含字母、数字和._|-")
    price = fen(values["money"])
    check_merchant_url(values["notify_url"], "notify")
    if values.get("return_url"):
        check_merchant_url(values["return_url"], "return")
    ask = opening.Ask(
        merchant=merchant, dialect=dialect, number=values["out_trade_no"], price=price, price_text=values["money"],
        method=METHODS.get(values.get("type", ""), ""), title=_cut(values["name"]), param=values.get("param", ""),
        notify_url=values["notify_url"], return_url=values.get("return_url", ""),
        extra=json.dumps({"clientip": values.get("clientip", "")[:64]}),
    )  # fmt: skip
    return opening.open_order(parts().store, ask, parts().rules, now)


def meant(db: Rows, values: Mapping[str, str], merchant: Merchant) -> Order:
    """The merchant's order that `trade_no`, or else `out_trade_no`, names."""
    token, number = values.get("trade_no", ""), values.get("out_trade_no", "")
    if not token and not number:
        raise Spoken(OTHER, "订单号(trade_no或out_trade_no)不能为空")
    if token:
        order = store.orders.get(db, token) if _TOKEN.fullmatch(token) else None
    else:
        order = store.orders.by_number(db, merchant.id, number)
    if order is None or order.merchant != merchant.id or order.dialect not in DIALECTS:
        raise Spoken(OTHER, "订单号不存在")
    return order


def _cut(name: str) -> str:
    """At most 127 bytes of UTF-8, never a part of a character."""
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")
