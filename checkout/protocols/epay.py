"""The dialect of epay (易支付), version 1.

`submit.php` (a browser comes with the order), `mapi.php` (a server does) and `api.php` (queries), behind any prefix.
sign = md5 of all parameters but `sign`, `sign_type` and empty ones, sorted by name, `k=v` joined by `&`, values as they
are, and the key right behind; shops that sign empty values too are understood. Failures are code -4 (no
parameters), -3 (not authentic), -2 (nothing can receive the money) and -1, always HTTP 200.

Callback: GET with pid, trade_no, out_trade_no, type, name, money, trade_status, param (if there was one), sign and
sign_type, acknowledged by `success`; the return address gets the same. Nothing but money received is ever signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, redirect

from checkout import returns
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.money import yuan
from checkout.protocols import _epay_api, anywhere
from checkout.protocols._epay_answer import error_page, failure, json_answer, paid_values, payment_page
from checkout.protocols._epay_request import UNSIGNED, is_signed, merchant_of, open_order, parameters
from checkout.protocols.acknowledged import says
from checkout.signing import md5_of, sorted_pairs
from checkout.web import parts

NAME = "epay"


def routes() -> Blueprint:
    views = {"submit.php": submit, "mapi.php": mapi, "api.php": api}
    return anywhere.blueprint(NAME, views)


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    return Outgoing("GET", returns.with_params(url.partition("#")[0], _signed_values(order, merchant)))


def acknowledged(answer: Answer) -> bool:
    return says(answer, "success")


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """The callback's: a buyer who calls the notify page with it tells the merchant nothing but the truth."""
    return _signed_values(order, merchant)


def submit() -> Response:
    try:
        answer = redirect(payment_page(_opened()), 303)
    except Refusal as refusal:
        return error_page(failure(refusal)["msg"])
    assert isinstance(answer, Response)
    return answer


def mapi() -> Response:
    """The address of our page, never the bare QR code: a client would show it beside its own amount."""
    return _spoken(_created)


def api() -> Response:
    return _spoken(_epay_api.answer)


def _created() -> dict[str, object]:
    order = _opened()
    return {
        "code": 1,
        "msg": "",
        "trade_no": order.token,
        "payurl": payment_page(order),
        "money": yuan(order.price),
    }


def _opened() -> Order:
    values = parameters()
    merchant = merchant_of(values)
    now = parts().clock()
    if not is_signed(values, merchant.keys(now)):
        raise Refusal(Code.BAD_SIGNATURE, "The signature does not fit.")
    return open_order(values, merchant, NAME, now)


def _spoken(view: Callable[[], Mapping[str, object]]) -> Response:
    try:
        return json_answer(view())
    except Refusal as refusal:
        return json_answer(failure(refusal))


def _signed_values(order: Order, merchant: Merchant) -> dict[str, str]:
    values = paid_values(order)
    sign = md5_of(sorted_pairs(values, without=UNSIGNED), merchant.key)
    return {**values, "sign": sign, "sign_type": "MD5"}
