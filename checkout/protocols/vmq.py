"""The dialect of V免签 (vmq).

createOrder, getOrder, checkOrder, closeOrder, getState, enQrcode and the page address of V免签. There is no merchant
number on the wire: the root paths serve the first merchant, `/vmq/<merchant>/…` the others. Signatures are the
lower-case MD5 of the values and the key, joined: create `payId+param+type+price+key`, callback and return
`payId+param+type+price+reallyPrice+key`, close `orderId+key`, state `t+key`. Callback: GET, acknowledged by `success`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, redirect, request

from checkout import orders, qr, returns, store
from checkout.errors import Code, Refusal
from checkout.http import Answer, Outgoing
from checkout.model import Merchant, Mode, Order, State
from checkout.protocols import family, gogo
from checkout.protocols.acknowledged import says
from checkout.signing import md5_of, signed_by
from checkout.web import fields, parts, url_for_buyers

NAME = "vmq"

_BOTH = ["GET", "POST"]
_TIME = re.compile(r"[0-9]{1,16}")
_TOKEN = re.compile(r"[0-9a-f]{32}")


def routes() -> Blueprint:
    blueprint = Blueprint(NAME, __name__)
    for path, view in _VIEWS.items():
        endpoint, speaking = path.strip("/").replace("/", "_").replace(".", "_"), _spoken(view)
        for prefix in ("", "/vmq/<int:merchant_id>"):
            blueprint.add_url_rule(prefix + path, endpoint, speaking, methods=_BOTH)
    return blueprint


def callback(order: Order, merchant: Merchant, url: str, now: int) -> Outgoing:
    """GET with the values and their signature in the query."""
    return Outgoing("GET", returns.with_params(url.partition("#")[0], _signed_values(order, merchant)))


def acknowledged(answer: Answer) -> bool:
    return says(answer, "success")


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """In strict mode the native signature: the legacy one would let the buyer call the merchant's notify page."""
    return _signed_values(order, merchant) if merchant.mode is Mode.COMPAT else None


def create_order(merchant_id: int | None) -> Response:
    values = fields()
    if merchant_id is None and gogo.is_addressed(values):
        return gogo.create(values)
    asked = family.read_create(values)
    merchant = _merchant(merchant_id)
    signed = (asked.number, asked.param, asked.type, asked.price)
    order = family.open_order(asked, merchant, NAME, *signed, is_server=False)
    return family.created(order, asked.is_html)


def get_order(merchant_id: int | None) -> Response:
    order = _order(fields(), merchant_id)
    now = parts().clock()
    if order.really_price is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    with parts().store.read() as db:
        data = family.data_of(db, order, now)
    orders.show(parts().store, order, parts().rules.limits, now)
    return family.success(data)


def check_order(merchant_id: int | None) -> Response:
    order = _order(fields(), merchant_id)
    now = parts().clock()
    state = order.state_at(now)
    if state is State.PENDING:
        raise family.Spoken(Code.NOT_ALLOWED, "订单未支付")
    if state is not State.PAID:
        raise family.Spoken(Code.NOT_ALLOWED, "订单已过期")
    address = returns.address(parts().store, parts().dialects, order, now)
    return family.success(address or url_for_buyers(f"/pay/{order.token}"))


def close_order(merchant_id: int | None) -> Response:
    values = fields()
    order = _order(values, merchant_id)
    now = parts().clock()
    with parts().store.read() as db:
        merchant = store.merchants.get(db, order.merchant)
    if merchant is None or not signed_by(values.get("sign", ""), merchant.keys(now), order.token):
        raise family.Spoken(Code.BAD_SIGNATURE, "签名校验不通过")
    orders.close(parts().store, order.token, parts().rules.limits, now)
    return family.success()


def get_state(merchant_id: int | None) -> Response:
    values = fields()
    now = parts().clock()
    merchant = gogo.merchant_of(values) if merchant_id is None and gogo.is_addressed(values) else _merchant(merchant_id)
    t = values.get("t", "")
    if not _TIME.fullmatch(t) or not signed_by(values.get("sign", ""), merchant.keys(now), t):
        raise family.Spoken(Code.BAD_SIGNATURE, "签名校验不通过")
    return family.success(family.phones_state(now))


def en_qrcode(merchant_id: int | None) -> Response:
    """A PNG of one of our own codes: anything else would make us a free host for strangers' codes."""
    text = fields().get("url", "")
    with parts().store.read() as db:
        known = bool(text) and store.accounts.handed_out(db, text)
    if not known:
        raise family.Spoken(Code.NOT_FOUND, "二维码内容不存在")
    return Response(qr.png(text), mimetype="image/png", headers={"Cache-Control": "private, max-age=300"})


def pay_page(merchant_id: int | None) -> Response:
    order = _order(fields(), merchant_id)
    answer = redirect(url_for_buyers(f"/pay/{order.token}"), 302)
    assert isinstance(answer, Response)
    return answer


_VIEWS: dict[str, Callable[[int | None], Response]] = {
    "/createOrder": create_order,
    "/getOrder": get_order,
    "/checkOrder": check_order,
    "/closeOrder": close_order,
    "/index/index/closeOrder": close_order,
    "/getState": get_state,
    "/enQrcode": en_qrcode,
    "/payPage/pay.html": pay_page,
}


def _spoken(view: Callable[[int | None], Response]) -> Callable[..., Response]:
    """The view with its refusals in the words of the dialect: HTTP 200 and code -1 (GOGO: 0)."""

    def speaking(merchant_id: int | None = None) -> Response:
        try:
            return view(merchant_id)
        except Refusal as refusal:
            return family.answer(gogo.FAILURE if _is_gogo() else -1, family.sentence(refusal))

    return speaking


def _is_gogo() -> bool:
    return "App-Id" in request.headers or "appId" in request.values


def _merchant(merchant_id: int | None) -> Merchant:
    with parts().store.read() as db:
        merchant = store.merchants.default(db) if merchant_id is None else store.merchants.get(db, merchant_id)
    if merchant is None:
        raise Refusal(Code.NO_ACCOUNT, "There is no such merchant: checkout merchant add.")
    return merchant


def _order(values: Mapping[str, str], merchant_id: int | None) -> Order:
    """The order behind a token; the root paths serve GOGO orders of every merchant, vmq orders of the first."""
    token = values.get("orderId", "")
    with parts().store.read() as db:
        order = store.orders.get(db, token) if _TOKEN.fullmatch(token) else None
        if order is not None and merchant_id is None and order.dialect == gogo.NAME:
            return order
        merchant = store.merchants.default(db) if merchant_id is None else store.merchants.get(db, merchant_id)
    if order is None or merchant is None or order.merchant != merchant.id or order.dialect not in (NAME, gogo.NAME):
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return order


def _signed_values(order: Order, merchant: Merchant) -> dict[str, str]:
    values = family.callback_values(order)
    return {**values, "sign": md5_of(*values.values(), merchant.key)}
