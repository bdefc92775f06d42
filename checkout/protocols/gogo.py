"""The dialect of GOGO支付.

As vmq, with the merchant's number (APPID) in the `App-Id` header or in `appId`, and inside every signature: create
`APPID+payId+param+type+price+APPSECRET`, callback `APPID+payId+param+type+price+reallyPrice+APPSECRET`. Failure is
code 0. The `App-Secret` header, which clients send, never replaces the signature; it only shows that a server, not
a browser, is calling. Callback: POST with the values both in the query and in the form, acknowledged by `success`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from checkout import returns, store
from checkout.errors import Code, Refusal
from checkout.http import Answer, Outgoing
from checkout.model import Merchant, Mode, Order
from checkout.protocols import family
from checkout.protocols.acknowledged import says
from checkout.signing import md5_of, same_secret
from checkout.web import fields, parts

NAME = "gogo"
FAILURE = 0

_ID = re.compile(r"[1-9][0-9]{0,15}")
_TITLE_LENGTH = 10


def routes() -> Blueprint:
    """`/createOrder` itself belongs to vmq, which hands over when a request names an APPID."""
    blueprint = Blueprint(NAME, __name__)
    blueprint.add_url_rule("/shop/api/createOrder", "create_order", create_order, methods=["GET", "POST"])
    return blueprint


def callback(order: Order, merchant: Merchant, url: str, now: int) -> Outgoing:
    """Some handlers test the method and read the query, some read the form: both get the same values."""
    values = _signed_values(order, merchant)
    body = urlencode(values).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Outgoing("POST", returns.with_params(url.partition("#")[0], values), headers, body)


def acknowledged(answer: Answer) -> bool:
    return says(answer, "success")


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """Nothing unless the order was made with returnParam=1."""
    if not json.loads(order.extra).get("return_param"):
        return {}
    return _signed_values(order, merchant) if merchant.mode is Mode.COMPAT else None


def create_order() -> Response:
    try:
        return create(fields())
    except Refusal as refusal:
        return family.answer(FAILURE, family.sentence(refusal))


def is_addressed(values: Mapping[str, str]) -> bool:
    """Whether a request speaks GOGO: it names an APPID."""
    return "App-Id" in request.headers or "appId" in values


def create(values: Mapping[str, str]) -> Response:
    asked = family.read_create(values)
    title, content = values.get("title", ""), values.get("content", "")
    merchant = merchant_of(values)
    order = family.open_order(
        asked, merchant, NAME, str(merchant.id), asked.number, asked.param, asked.type, asked.price,
        is_server=_is_server(merchant), title=title[:_TITLE_LENGTH], content=content,
        extra={"return_param": values.get("returnParam", "") == "1"},
    )  # fmt: skip
    return family.created(order, asked.is_html)


def merchant_of(values: Mapping[str, str]) -> Merchant:
    """The merchant that `App-Id` or `appId` names; naming two different ones is a contradiction."""
    header, field = request.headers.get("App-Id", ""), values.get("appId", "")
    named = header or field
    if header and field and header != field:
        raise family.Spoken(Code.BAD_REQUEST, "App-Id与appId不一致")
    with parts().store.read() as db:
        merchant = store.merchants.get(db, int(named)) if _ID.fullmatch(named) else None
    if merchant is None:
        raise family.Spoken(Code.NOT_FOUND, "APPID不存在")
    return merchant


def _is_server(merchant: Merchant) -> bool:
    secret = request.headers.get("App-Secret", "")
    return any([same_secret(secret, key) for key in merchant.keys(parts().clock())])


def _signed_values(order: Order, merchant: Merchant) -> dict[str, str]:
    values = family.callback_values(order)
    return {**values, "sign": md5_of(str(merchant.id), *values.values(), merchant.key)}
