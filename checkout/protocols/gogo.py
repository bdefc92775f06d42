"""The dialect of GOGO支付.

As vmq, with the merchant's number (APPID) in the `App-Id` header or in `appId`, and inside the signatures of
create `APPID+payId+param+type+price+APPSECRET` and callback `APPID+payId+param+type+price+reallyPrice+APPSECRET`.
Failure is code 0. The `App-Secret` header, which clients send, never replaces the signature; it only shows that a
server, not a browser, is calling. Callback: POST with the values both in the query and in the form, acknowledged
by `success`. The routes that GOGO shares with vmq stand in `vmq`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request

from checkout import returns, store
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing
from checkout.model.merchants import MERCHANT_ID, Merchant, Mode
from checkout.model.orders import Order
from checkout.protocols import family, words
from checkout.protocols.acknowledged import says
from checkout.protocols.words import Spoken
from checkout.signing import md5_of
from checkout.web import BadField, fields, parts

NAME = "gogo"
FAILURE = 0

_TITLE_LENGTH = 10


def routes() -> Blueprint:
    """`/createOrder` itself belongs to vmq, which hands over when a request names an APPID."""
    blueprint = Blueprint(NAME, __name__)
    blueprint.add_url_rule("/shop/api/createOrder", "create_order", create_order, methods=["GET", "POST"])
    return blueprint


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    """Some handlers test the method and read the query, some read the form: both get the same values."""
    values = _signed_values(order, merchant)
    body = urlencode(values, quote_via=quote, safe="").encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Outgoing("POST", returns.with_params(url.partition("#")[0], values), headers, body)


def acknowledged(answer: Answer) -> bool:
    return says(answer, "success")


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """In strict mode the native signature; in compat mode ours, when the order was made with returnParam=1."""
    if merchant.mode is not Mode.COMPAT:
        return None
    return _signed_values(order, merchant) if json.loads(order.extra).get("return_param") else {}


def create_order() -> Response:
    try:
        return create(fields(known=family.CREATE_FIELDS))
    except Refusal as refusal:
        return words.refused(refusal, FAILURE)


def create(values: Mapping[str, str]) -> Response:
    """createOrder for a request that was read. Refused: in the words of the family."""
    asked = family.read_create(values)
    merchant = merchant_of(values)
    now = parts().clock()
    ask = family.ask_of(
        parts(), asked, merchant, NAME, str(merchant.id), asked.number, asked.param, asked.type, asked.price, now=now,
        title=values.get("title", "")[:_TITLE_LENGTH], content=values.get("content", ""),
        extra={"return_param": values.get("returnParam", "") == "1"},
    )  # fmt: skip
    return family.open_order(ask, asked.is_html, now)


def is_addressed(values: Mapping[str, str]) -> bool:
    """Whether a request speaks GOGO: it names an APPID."""
    return "App-Id" in request.headers or "appId" in values


def seems_addressed() -> bool:
    """The same of a request that may not be readable as a whole."""
    if "App-Id" in request.headers:
        return True
    try:
        return "appId" in fields(known={"appId"})
    except BadField as bad:
        return bad.field == "appId"
    except Refusal:
        return False


def merchant_of(values: Mapping[str, str]) -> Merchant:
    """The merchant that `App-Id` or `appId` names; naming two different ones is a contradiction."""
    header, field = request.headers.get("App-Id", ""), values.get("appId", "")
    named = header or field
    if header and field and header != field:
        raise Spoken(Code.BAD_REQUEST, words.TWO_APPS)
    with parts().store.read() as db:
        merchant = store.merchants.get(db, int(named)) if MERCHANT_ID.fullmatch(named) else None
    if merchant is None:
        raise Spoken(Code.NOT_FOUND, words.NO_APP)
    return merchant


def _signed_values(order: Order, merchant: Merchant) -> dict[str, str]:
    values = family.callback_values(order)
    return {**values, "sign": md5_of(str(merchant.id), *values.values(), merchant.key)}
