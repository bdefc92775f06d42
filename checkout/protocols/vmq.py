"""The dialect of V免签 (vmq).

createOrder, getOrder, checkOrder, closeOrder, getState, enQrcode and the page address of V免签. There is no
merchant number on the wire: the root paths serve the first merchant, `/vmq/<merchant>/…` the others. Signatures
are the lower-case MD5 of the values and the key, joined: create `payId+param+type+price+key`, callback and return
`payId+param+type+price+reallyPrice+key`, close `orderId+key`, state `t+key`. Callback: GET, acknowledged by
`success`. Failure is code -1. The root paths also serve GOGO: it shares all routes but one and most rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, redirect

from checkout import orders, qr, returns, store
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing
from checkout.model.merchants import MERCHANT_ID, Merchant, Mode
from checkout.model.orders import Order, State
from checkout.opening import Ask
from checkout.protocols import family, gogo, words
from checkout.protocols.acknowledged import says
from checkout.protocols.words import Spoken
from checkout.refunds import money_back
from checkout.signing import md5_of, signed_by
from checkout.web import Parts, client_address, fields, parts, url_for_buyers

NAME = "vmq"
FAILURE = -1

_BOTH = ["GET", "POST"]
_FAILURES = {NAME: FAILURE, gogo.NAME: gogo.FAILURE}
_ORDER_FIELDS = frozenset({"orderId", "sign", "appId"})
_STATE_FIELDS = frozenset({"t", "sign", "appId"})
_TIME = re.compile(r"[0-9]{10}(?:[0-9]{3})?")  # other lengths leave more ways to cut another signature into one
_TOKEN = re.compile(r"[0-9a-f]{32}")

# Whom the path names: None at the root, 0 for what cannot be a merchant's number.
_Path = int | None
_View = Callable[[_Path], Response]


def routes() -> Blueprint:
    blueprint = Blueprint(NAME, __name__)
    for path, view in _VIEWS.items():
        endpoint, speaking = path.strip("/").replace("/", "_").replace(".", "_"), _spoken(view)
        for prefix in ("", "/vmq/<merchant>"):
            blueprint.add_url_rule(prefix + path, endpoint, speaking, methods=_BOTH)
    return blueprint


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    """GET with the values and their signature in the query."""
    return Outgoing("GET", returns.with_params(url.partition("#")[0], _signed_values(order, merchant)))


def acknowledged(answer: Answer) -> bool:
    return says(answer, "success")


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """In strict mode the native signature: the legacy one would let the buyer call the merchant's notify page."""
    return _signed_values(order, merchant) if merchant.mode is Mode.COMPAT else None


def create_order(path: _Path) -> Response:
    values = fields(known=family.CREATE_FIELDS)
    if path is None and gogo.is_addressed(values):
        return gogo.create(values)
    asked, now = family.read_create(values), parts().clock()
    return family.open_order(ask_of(parts(), asked, path, now), asked.is_html, now)


def ask_of(shop: Parts, asked: family.Asked, path: _Path, now: int) -> Ask:
    """What createOrder asks for, judged. Refused: in the words of the family."""
    signed = (asked.number, asked.param, asked.type, asked.price)
    return family.ask_of(shop, asked, _merchant(shop, path), NAME, *signed, now=now)


def get_order(order: Order, now: int) -> Response:
    return words.success(family.data_of(parts(), order, client_address(), now))


def check_order(order: Order, now: int) -> Response:
    state = order.state_at(now)
    if state is State.PENDING:
        raise Spoken(Code.NOT_ALLOWED, words.NOT_PAID)
    if state is not State.PAID:
        raise Spoken(Code.NOT_ALLOWED, words.EXPIRED)
    with parts().store.read() as db:
        if money_back.of(db, order).is_whole:
            raise Spoken(Code.NOT_ALLOWED, words.REFUNDED)
    address = returns.address(parts().store, parts().dialects, order, now)
    return words.success(address or url_for_buyers(f"/pay/{order.token}"))


def pay_page(order: Order, now: int) -> Response:
    answer = redirect(url_for_buyers(f"/pay/{order.token}"), 302)
    assert isinstance(answer, Response)
    return answer


def close_order(path: _Path) -> Response:
    values = fields(known=_ORDER_FIELDS)
    order = _find(values, path)
    now = parts().clock()
    if order is None:
        _check_close(values, _addressed(values, path), now)
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return _in_words_of(order, lambda: _close(order, values, now))


def get_state(path: _Path) -> Response:
    values = fields(known=_STATE_FIELDS)
    now = parts().clock()
    merchant = _addressed(values, path)
    t = values.get("t", "")
    if not _TIME.fullmatch(t) or not signed_by(values.get("sign", ""), merchant.keys(now), t):
        raise Spoken(Code.BAD_SIGNATURE, words.WRONG_SIGN)
    return words.success(family.phones_state(now))


def en_qrcode(path: _Path) -> Response:
    """A PNG of one of our own codes: drawing any other would make us a free host for strangers' codes."""
    text = fields(known={"url"}).get("url", "")
    with parts().store.read() as db:
        known = bool(text) and (store.accounts.handed_out(db, text) or store.gateways.drawn_for(db, text))
    if not known:
        raise Spoken(Code.NOT_FOUND, words.NO_CODE)
    return Response(qr.png(text), mimetype="image/png", headers={"Cache-Control": "private, max-age=300"})


def _about_order(act: Callable[[Order, int], Response]) -> _View:
    """A view of the order whose token the request carries."""

    def view(path: _Path) -> Response:
        order = _find(fields(known=_ORDER_FIELDS), path)
        if order is None:
            raise Refusal(Code.NOT_FOUND, "There is no such order.")
        return _in_words_of(order, lambda: act(order, parts().clock()))

    return view


_VIEWS: dict[str, _View] = {
    "/createOrder": create_order,
    "/getOrder": _about_order(get_order),
    "/checkOrder": _about_order(check_order),
    "/closeOrder": close_order,
    "/index/index/closeOrder": close_order,
    "/getState": get_state,
    "/enQrcode": en_qrcode,
    "/payPage/pay.html": _about_order(pay_page),
}


def _spoken(view: _View) -> Callable[..., Response]:
    """The view with its refusals in the words of the dialect that the request speaks."""

    def speaking(merchant: str | None = None) -> Response:
        path = merchant if merchant is None else int(merchant) if MERCHANT_ID.fullmatch(merchant) else 0
        try:
            return view(path)
        except Refusal as refusal:
            is_gogo = path is None and gogo.seems_addressed()
            return words.refused(refusal, gogo.FAILURE if is_gogo else FAILURE)

    return speaking


def _in_words_of(order: Order, act: Callable[[], Response]) -> Response:
    """Clients of GOGO ask for their orders without naming an APPID, so the order tells the dialect."""
    try:
        return act()
    except Refusal as refusal:
        return words.refused(refusal, _FAILURES[order.dialect])


def _close(order: Order, values: Mapping[str, str], now: int) -> Response:
    with parts().store.read() as db:
        merchant = store.merchants.get(db, order.merchant)
    assert merchant is not None
    _check_close(values, merchant, now)
    orders.close(parts().store, order.token, parts().rules.limits, now)
    return words.success()


def _check_close(values: Mapping[str, str], merchant: Merchant, now: int) -> None:
    if not signed_by(values.get("sign", ""), merchant.keys(now), values.get("orderId", "")):
        raise Spoken(Code.BAD_SIGNATURE, words.WRONG_SIGN)


def _find(values: Mapping[str, str], path: _Path) -> Order | None:
    """The order behind a token. The root paths serve GOGO orders of every merchant, vmq orders of the first."""
    token = values.get("orderId", "")
    if not _TOKEN.fullmatch(token):
        return None
    with parts().store.read() as db:
        order = store.orders.get(db, token)
        if order is None or order.dialect not in _FAILURES:
            return None
        if path is None and order.dialect == gogo.NAME:
            return order
        owner = store.merchants.default_id(db) if path is None else path
    return order if order.merchant == owner else None


def _addressed(values: Mapping[str, str], path: _Path) -> Merchant:
    return gogo.merchant_of(values) if path is None and gogo.is_addressed(values) else _merchant(parts(), path)


def _merchant(shop: Parts, path: _Path) -> Merchant:
    with shop.store.read() as db:
        merchant = store.merchants.default(db) if path is None else store.merchants.get(db, path)
    if merchant is None and path is None:
        raise Refusal(Code.NO_ACCOUNT, "There is no merchant yet: checkout merchant add.")
    if merchant is None:
        raise Spoken(Code.NOT_FOUND, words.NO_MERCHANT)
    return merchant


def _signed_values(order: Order, merchant: Merchant) -> dict[str, str]:
    values = family.callback_values(order)
    return {**values, "sign": md5_of(*values.values(), merchant.key)}
