"""The dialect of epay (易支付), version 2: signed with RSA in both directions.

`/api/pay/submit` (a browser comes with the order), `/api/pay/create`, `query`, `refund`, `refundquery` and `close`,
behind any prefix. sign = base64 of the RSA signature over SHA-256 (PKCS#1 v1.5) of all parameters but `sign`,
`sign_type` and empty ones, sorted by name, `k=v` joined by `&`, values as they are. The merchant signs with its private
key, we with one that is ours for this merchant (`checkout merchant rsa`). `timestamp` is Unix seconds, at most 300 s
away from our clock. Success is code 0; answers carry a timestamp and are signed once the request is authentic.

Callback: GET with what version 1 says, addtime, endtime and a timestamp, signed afresh at each try, acknowledged by
`success`; the return address gets the same. Source: the public documents of 彩虹易支付 and several of its clients.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, redirect

from checkout import orders, returns, store
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.money import yuan
from checkout.protocols import anywhere
from checkout.protocols._epay_answer import (
    NO_CHANNEL,
    NOT_AUTHENTIC,
    OTHER,
    Spoken,
    beijing,
    described,
    error_page,
    failure,
    json_answer,
    paid_values,
    payment_page,
)
from checkout.protocols._epay_refunds import refunded, standing
from checkout.protocols._epay_request import UNSIGNED, meant, merchant_of, open_order, parameters
from checkout.protocols.acknowledged import says
from checkout.signing import rsa_sign, rsa_signed_by, sorted_pairs
from checkout.web import parts

NAME = "epay_v2"

_WINDOW_S = 300
_SIGNED_FOR_S = 2 * _WINDOW_S + 1  # a clock may be ahead: who has seen a request can send it again for so long
_TIMESTAMP = re.compile(r"[0-9]{10}")
# What needs more than a page of ours: a payer's code, an app, a mini program.
_ELSEWHERE = ("app", "applet", "jsapi", "minipg", "scan")

Values = Mapping[str, str]


def routes() -> Blueprint:
    views: dict[str, Callable[..., Response]] = {"api/pay/submit": submit}
    for name, view in _VIEWS.items():
        views[f"api/pay/{name}"] = _spoken(name, view)
    return anywhere.blueprint(NAME, views)


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    return Outgoing("GET", returns.with_params(url.partition("#")[0], _paid(order, merchant, now)))


def acknowledged(answer: Answer) -> bool:
    return says(answer, "success")


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """The callback's: a buyer who calls the notify page with it tells the merchant nothing but the truth."""
    return _paid(order, merchant, now)


def submit() -> Response:
    try:
        values, merchant, now = _authentic()
        answer = redirect(payment_page(open_order(values, merchant, NAME, now)), 303)
    except Refusal as refusal:
        return error_page(failure(refusal)["msg"])
    assert isinstance(answer, Response)
    return answer


def _create(values: Values, merchant: Merchant, now: int) -> dict[str, Any]:
    if values.get("method", "") in _ELSEWHERE:
        raise Spoken(NO_CHANNEL, "个人收款码只支持网页支付，请使用method=web或jump")
    order = open_order(values, merchant, NAME, now)
    return {
        "code": 0,
        "msg": "success",
        "trade_no": order.token,
        "pay_type": "jump",
        "pay_info": payment_page(order),
    }


def _query(values: Values, merchant: Merchant, now: int) -> dict[str, Any]:
    with parts().store.read() as db:
        order = meant(db, values, merchant)
        back, _ = store.refunds.sums(db, order.token)
        found = described(db, order)
    client = json.loads(order.extra).get("clientip", "")
    return {"code": 0, "msg": "success", **found, "refundmoney": yuan(back), "clientip": client}


def _refund(values: Values, merchant: Merchant, now: int) -> dict[str, Any]:
    with parts().store.read() as db:
        order = meant(db, values, merchant)
    return {"code": 0, **refunded(order, values, merchant, _SIGNED_FOR_S)}


def _refundquery(values: Values, merchant: Merchant, now: int) -> dict[str, Any]:
    return {"code": 0, **standing(values, merchant)}


def _close(values: Values, merchant: Merchant, now: int) -> dict[str, Any]:
    """Nothing to do for an order that has ended unpaid."""
    with parts().store.read() as db:
        order = meant(db, values, merchant)
    if order.state_at(now) is State.PENDING:
        order = orders.close(parts().store, order.token, parts().rules.limits, now)
    if order.state is State.PAID:
        raise Spoken(OTHER, "订单已支付，不能关闭")
    return {"code": 0, "msg": "success", "trade_no": order.token, "out_trade_no": order.number}


_VIEWS: dict[str, Callable[[Values, Merchant, int], dict[str, Any]]] = {
    "create": _create,
    "query": _query,
    "refund": _refund,
    "refundquery": _refundquery,
    "close": _close,
}


def _spoken(name: str, view: Callable[[Values, Merchant, int], dict[str, Any]]) -> Callable[..., Response]:
    """Refusals before the request is authentic stay unsigned: who asks is nobody."""

    def speaking() -> Response:
        try:
            values, merchant, now = _authentic()
        except Refusal as refusal:
            return json_answer(failure(refusal))
        try:
            found = view(values, merchant, now)
        except Refusal as refusal:
            found = failure(refusal)
        return json_answer({**found, **_stamp(found, merchant, now)})

    speaking.__name__ = name
    return speaking


def _authentic() -> tuple[dict[str, str], Merchant, int]:
    """The parameters, blank ones dropped, of a request that its merchant has signed just now."""
    values = parameters()
    merchant = merchant_of(values)
    now = parts().clock()
    if not merchant.rsa_merchant or not merchant.rsa_platform:
        raise Spoken(NOT_AUTHENTIC, f"商户未配置RSA密钥，请执行：checkout merchant rsa {merchant.id}")
    filled = {name: value for name, value in values.items() if value.strip()}
    if not _is_signed(values, filled, merchant):
        raise Refusal(Code.BAD_SIGNATURE, "The signature does not fit.")
    timestamp = filled.get("timestamp", "")
    if not _TIMESTAMP.fullmatch(timestamp) or abs(int(timestamp) - now) > _WINDOW_S:
        raise Spoken(NOT_AUTHENTIC, "时间戳(timestamp)与服务器时间相差超过300秒")
    return filled, merchant, now


def _is_signed(values: Values, filled: Values, merchant: Merchant) -> bool:
    """Some clients leave out empty values only, others blank ones too."""
    if filled.get("sign_type", "RSA").upper() != "RSA":
        return False
    sign = values.get("sign", "").replace(" ", "+")  # a plus that was not encoded
    texts = {sorted_pairs(read, without=UNSIGNED) for read in (values, filled)}
    return any(rsa_signed_by(sign, merchant.rsa_merchant, text.encode()) for text in texts)


def _paid(order: Order, merchant: Merchant, now: int) -> dict[str, str]:
    values = {**paid_values(order), "addtime": beijing(order.created_at), "endtime": beijing(order.paid_at)}
    return {**values, **_stamp(values, merchant, now)}


def _stamp(values: Mapping[str, Any], merchant: Merchant, now: int) -> dict[str, str]:
    """The timestamp, and the signature over it and the values."""
    stamp = {"timestamp": str(now)}
    text = sorted_pairs({name: str(value) for name, value in {**values, **stamp}.items()}, without=UNSIGNED)
    return {**stamp, "sign": rsa_sign(merchant.rsa_platform, text.encode()), "sign_type": "RSA"}
