"""The dialect of BufPay.

`POST /api/pay/<aid>` with name, pay_type, price, order_id, order_uid, notify_url, return_url, feedback_url and sign =
md5 of these values in this order (a missing one counts as "") and the secret. The answer is the checkout page (303),
or JSON with `format=json`. `expire` asks for another time to pay, in seconds. `GET /api/query/<aoid>` tells the
state. Errors are one word in `status`, HTTP 200.

Callback: POST of a form, sign = md5(aoid+order_id+order_uid+price+pay_price+secret). Any HTTP 200 acknowledges it –
merchants answer `ok`, `success` or nothing – unless the body is a page, as a proxy's or a framework's error is.

The secret signs what goes to us and what goes to the merchant alike, and the values are joined without a border, so
a merchant's handler has to compare the order's number and both prices with its own.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect
from flask import json as flask_json

from checkout import opening, prompts, qr, store
from checkout.channel import PromptKind
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Outgoing
from checkout.interfaces import Rows
from checkout.model.accounts import Method
from checkout.model.deliveries import DeliveryState
from checkout.model.merchants import Merchant
from checkout.model.orders import Order, State
from checkout.money import fen, yuan
from checkout.prompts import Shown, Wanted
from checkout.protocols import anywhere
from checkout.protocols.acknowledged import says
from checkout.refunds import money_back
from checkout.signing import md5_of, signed_by
from checkout.web import check_merchant_url, client_address, fields, parts, url_for_buyers

NAME = "bufpay"

_SIGNED = ("name", "pay_type", "price", "order_id", "order_uid", "notify_url", "return_url", "feedback_url")
_REQUIRED = ("name", "pay_type", "price", "order_id", "notify_url")
_KNOWN = frozenset({*_SIGNED, "sign", "format", "expire"})
_LONGEST = {"name": 512, "order_id": 100, "order_uid": 200}
_TOKEN = re.compile(r"[0-9a-f]{32}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_SHORTEST_S, _LONGEST_S = 60, 3600
_WORDS = {
    Code.BAD_SIGNATURE: "sign_error",
    Code.NO_ACCOUNT: "qr_limit",
    Code.PHONE_OFFLINE: "qr_limit",
    Code.BUSY: "qr_limit",
    Code.GATEWAY: "qr_limit",
    Code.DISK_FULL: "qr_limit",
    Code.FORBIDDEN: "fee_error",
}


class Spoken(Refusal):
    """A refusal whose word is already the dialect's own."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(Code.BAD_REQUEST, message)
        self.word = word


def routes() -> Blueprint:
    views = {"api/pay/<digits:aid>": _spoken(pay), "api/query/<aoid>": _spoken(query)}
    return anywhere.blueprint(NAME, views)


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    """`price` in the merchant's own spelling, `pay_price` is what was paid."""
    assert order.really_price is not None
    values = {
        "aoid": order.token,
        "order_id": order.number,
        "order_uid": order.buyer,
        "price": order.price_text,
        "pay_price": yuan(order.really_price),
    }
    values["sign"] = md5_of(*values.values(), merchant.key)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Outgoing("POST", url.partition("#")[0], headers, urlencode(values).encode())


def acknowledged(answer: Answer) -> bool:
    is_page = answer.body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    return not is_page and (answer.status == 200 or says(answer, "ok"))


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    """The address as the merchant wrote it."""
    return {}


def pay(aid: str) -> Response:
    values = fields(known=_KNOWN)
    merchant = _merchant(aid)
    if any(not values.get(name) for name in _REQUIRED):
        raise Refusal(Code.BAD_REQUEST, "A parameter is missing.")
    now = parts().clock()
    if not signed_by(values.get("sign", ""), merchant.keys(now), *(values.get(name, "") for name in _SIGNED)):
        raise Refusal(Code.BAD_SIGNATURE, "The signature does not fit.")
    order = _opened(_ask(values, merchant), now)
    if values.get("format") != "json":
        answer = redirect(url_for_buyers(f"/pay/{order.token}"), 303)
        assert isinstance(answer, Response)
        return answer
    shown = prompts.ready(parts().till, order, Wanted(client_ip=client_address()), now)
    return _answer(_described(shown, merchant, now))


def query(aoid: str) -> Response:
    now = parts().clock()
    with parts().store.read() as db:
        order = store.orders.get(db, aoid) if _TOKEN.fullmatch(aoid) else None
        if order is None or order.dialect != NAME:
            raise Spoken("not_exist", "There is no such order.")
        return _answer({"status": _state(db, order, now)})


def _merchant(aid: str) -> Merchant:
    with parts().store.read() as db:
        merchant = store.merchants.get(db, int(aid))
    if merchant is None:
        raise Refusal(Code.BAD_REQUEST, "There is no such merchant.")
    if merchant.disabled_at is not None:
        raise Refusal(Code.FORBIDDEN, "The merchant takes no orders.")
    return merchant


def _ask(values: Mapping[str, str], merchant: Merchant) -> opening.Ask:
    """The order that the well-signed values ask for."""
    if values["pay_type"] not in list(Method):
        raise Refusal(Code.BAD_REQUEST, "The pay_type is alipay or wechat.")
    if any(len(values.get(name, "")) > longest for name, longest in _LONGEST.items()):
        raise Refusal(Code.BAD_REQUEST, "A parameter is too long.")
    for name in ("notify_url", "return_url", "feedback_url"):
        if values.get(name):
            check_merchant_url(values[name], name.removesuffix("_url"))
    return opening.Ask(
        merchant=merchant, dialect=NAME, number=values["order_id"], price=fen(values["price"]),
        price_text=values["price"], method=values["pay_type"], title=values["name"],
        buyer=values.get("order_uid", ""), notify_url=values["notify_url"], return_url=values.get("return_url", ""),
        extra=json.dumps({"feedback_url": values.get("feedback_url", "")}), ttl=_ttl(values.get("expire", "")),
        shown=values.get("format") == "json",
    )  # fmt: skip


def _ttl(expire: str) -> int | None:
    """Seconds within our bounds; merchants ask for anything between a minute and a day in milliseconds."""
    if not expire:
        return None
    if not _SECONDS.fullmatch(expire):
        raise Refusal(Code.BAD_REQUEST, "The expire parameter is a whole number of seconds.")
    return min(max(int(expire), _SHORTEST_S), _LONGEST_S)


def _opened(ask: opening.Ask, now: int) -> Order:
    """A number that was used by an order that has ended stays used in this dialect."""
    ended = _ended_word(ask, now)
    if ended:
        raise Spoken(ended, "The order_id was used before.")
    try:
        return opening.open_order(parts().store, ask, parts().rules, now)
    except Refusal as refusal:
        if refusal.code is not Code.DUPLICATE:
            raise
        raise Spoken(_ended_word(ask, now) or "param_error", refusal.message) from refusal


def _ended_word(ask: opening.Ask, now: int) -> str:
    with parts().store.read() as db:
        before = store.orders.by_number(db, ask.merchant.id, ask.number)
        state = _state(db, before, now) if before else "new"
    if state == "new":
        return ""
    return "order_expire" if state == "expire" else "order_payed"


def _described(shown: Shown, merchant: Merchant, now: int) -> dict[str, Any]:
    """Where a gateway gives an address for browsers instead of a code, the code leads to our page, which sends on."""
    order, code = shown.order, shown.prompt.text
    if shown.prompt.kind is not PromptKind.QR:
        code = url_for_buyers(f"/pay/{order.token}")
    assert order.really_price is not None
    left = max(0, order.expires_at - now)
    return {
        "status": "ok",
        "aoid": order.token,
        "pay_type": order.method,
        "price": order.price_text,
        "qr_price": "" if shown.is_typed else yuan(order.really_price),
        "qr": code,
        "qr_img": "data:image/png;base64," + base64.b64encode(qr.png(code)).decode(),
        "expires_in": left,
        "expire_in": left,
        "return_url": order.return_url or merchant.return_url,
        "really_price": yuan(order.really_price),
        "pay_url": url_for_buyers(f"/pay/{order.token}"),
    }


def _state(db: Rows, order: Order, now: int) -> str:
    state = order.state_at(now)
    if state is State.PENDING:
        return "new"
    if state is not State.PAID or money_back.of(db, order).is_whole:
        return "expire"
    owed = store.deliveries.of_order(db, order.token)
    told = any(one.event == "order.paid" and one.state is DeliveryState.DELIVERED for one in owed)
    return "success" if told else "payed"


def _spoken(view: Callable[..., Response]) -> Callable[..., Response]:
    """The view with its refusals as the dialect's words."""

    def speaking(**asked: str) -> Response:
        try:
            return view(**asked)
        except Spoken as refusal:
            return _answer({"status": refusal.word})
        except Refusal as refusal:
            return _answer({"status": _WORDS.get(refusal.code, "param_error")})

    speaking.__name__ = view.__name__
    return speaking


def _answer(values: Mapping[str, Any]) -> Response:
    body = flask_json.dumps(dict(values), ensure_ascii=False, sort_keys=False)
    return Response(body, mimetype="application/json")
