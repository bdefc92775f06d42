"""What vmq and GOGO have in common: the checks in their order, the answers and their words.

Source: the documents of V免签 and GOGO支付, and clients of both. Errors are always HTTP 200 with a sentence in
Chinese, as their clients show it to people.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request
from msgspec import Struct

from checkout import opening, orders, prompts, store
from checkout.accounts import is_online
from checkout.channel import PromptKind
from checkout.errors import Code, Refusal
from checkout.merchants import Reach, check_url
from checkout.model.accounts import PERSONAL
from checkout.model.deliveries import DeliveryState
from checkout.model.merchants import Merchant, Mode
from checkout.model.orders import Order, State
from checkout.money import fen, yuan
from checkout.opening import Ask
from checkout.prompts import Wanted
from checkout.protocols import words
from checkout.protocols.words import Spoken
from checkout.refunds import money_back
from checkout.signing import same_secret, signed_by
from checkout.web import Parts, client_address, is_known_host, parts, url_for_buyers

CREATE_FIELDS = frozenset(
    {
        "payId", "type", "price", "sign", "param", "isHtml", "notifyUrl", "returnUrl",
        "appId", "title", "content", "returnParam",
    }
)  # fmt: skip
METHODS = {"1": "wechat", "2": "alipay"}
TYPES = {"wechat": 1, "alipay": 2}

_LONGEST = {"payId": 100, "param": 1024, "price": 32}
# Whatever a dearer price can be cut into, the part that moves into `param` starts with the type.
_CUT_PARAM = re.compile(r"[12][0-9.]*\Z")


class Asked(Struct, frozen=True):
    """The parameters of createOrder; the signature and the amount are not judged yet."""

    number: str
    type: str
    price: str
    param: str
    sign: str
    is_html: bool
    notify_url: str
    return_url: str


def read_create(values: Mapping[str, str]) -> Asked:
    """The checks that come before the signature, in the order and words that clients know."""
    number = _required(values, "payId", words.NO_NUMBER)
    kind = _required(values, "type", words.NO_TYPE)
    if kind not in METHODS:
        raise Spoken(Code.BAD_REQUEST, words.BAD_TYPE)
    price = _required(values, "price", words.NO_PRICE)
    sign = _required(values, "sign", words.NO_SIGN)
    for name, longest in _LONGEST.items():
        if len(values.get(name, "")) > longest:
            raise Spoken(Code.BAD_REQUEST, words.FIELDS["too_long"].format(name))
    return Asked(
        number, kind, price, values.get("param", ""), sign, values.get("isHtml", "") == "1",
        values.get("notifyUrl", ""), values.get("returnUrl", ""),
    )  # fmt: skip


def ask_of(
    shop: Parts, asked: Asked, merchant: Merchant, dialect: str, *signed: str, now: int, title: str = "",
    content: str = "", extra: Mapping[str, Any] | None = None,
) -> Ask:  # fmt: skip
    """What is to be opened, after the signature over `signed` (the parts in their order, without the key), the amount
    and the merchant's mode were judged. Refused: BAD_SIGNATURE, BAD_AMOUNT, and as the merchant's mode says."""
    if not signed_by(asked.sign, merchant.keys(now), *signed):
        raise Refusal(Code.BAD_SIGNATURE, "The signature does not fit.")
    price = fen(asked.price)
    _check_merchant(shop, asked, merchant, now)
    return Ask(
        merchant=merchant, dialect=dialect, number=asked.number, price=price, price_text=asked.price,
        method=METHODS[asked.type], title=title, content=content, param=asked.param, notify_url=asked.notify_url,
        return_url=asked.return_url, extra=json.dumps(extra) if extra else "{}", shown=not asked.is_html,
    )  # fmt: skip


def open_order(ask: Ask, is_html: bool, now: int) -> Response:
    """The answer: JSON, or the page that sends a browser on. Refused: as `opening.open_order`."""
    opened = opening.open_with_code(parts().store, ask, parts().rules, now)
    if is_html:
        return _onwards(url_for_buyers(f"/pay/{opened.order.token}"))
    return words.success(data_of(parts(), opened.order, client_address(), now, code=opened.code))


def data_of(
    shop: Parts, order: Order, client: str, now: int, *, code: tuple[str, bool] | None = None
) -> dict[str, Any]:
    """The `data` of createOrder and getOrder for the `client` at an address; `code` where it is known. Refused:
    GATEWAY.

    Of an order that has ended the code leads to its page, which says so: its amount may be another order's by now. So
    it does where a gateway gives an address for browsers instead of a code: whoever scans it is sent on.
    """
    if code is None:
        order, code = _code_of(shop, order, client, now)
    assert order.really_price is not None
    return {
        "payId": order.number,
        "orderId": order.token,
        "payType": TYPES[order.method],
        "price": yuan(order.price),
        "reallyPrice": yuan(order.really_price),
        "payUrl": code[0],
        "isAuto": 1 if code[1] else 0,
        "state": _state(shop, order, now),
        "timeOut": max(1, (order.expires_at - order.created_at + 59) // 60),
        "date": order.created_at,
    }


def _code_of(shop: Parts, order: Order, client: str, now: int) -> tuple[Order, tuple[str, bool]]:
    """The order as it is now, what its code says, and whether the buyer types the amount."""
    page = f"{shop.settings.base_url}/pay/{order.token}"
    if order.state_at(now) is State.PENDING:
        shown = prompts.ready(shop.till, order, Wanted(client_ip=client), now)
        return shown.order, (shown.prompt.text if shown.prompt.kind is PromptKind.QR else page, shown.is_typed)
    if order.channel != PERSONAL:
        return order, (page, False)
    with shop.store.read() as db:
        return order, (page, orders.code_of(db, order)[1])


def callback_values(order: Order) -> dict[str, str]:
    """The parameters of callback and return, without the signature; also its parts, in this order."""
    assert order.really_price is not None
    return {
        "payId": order.number,
        "param": order.param,
        "type": str(TYPES[order.method]),
        "price": yuan(order.price),
        "reallyPrice": yuan(order.really_price),
    }


def phones_state(now: int) -> dict[str, str]:
    """getState: `state` is -1 never bound, 0 offline, 1 online; all strings."""
    shop = parts()
    with shop.store.read() as db:
        devices = [device for device in store.devices.all_of(db) if device.revoked_at is None]
    beat = max((device.beat_at or 0 for device in devices), default=0)
    push = max((device.push_at or 0 for device in devices), default=0)
    online = is_online(beat, shop.rules.offline_after_s, now)
    state = "-1" if not beat else ("1" if online else "0")
    return {"lastheart": str(beat), "lastpay": str(push), "state": state, "jkstate": state}


def _required(values: Mapping[str, str], name: str, complaint: str) -> str:
    value = values.get(name, "")
    if not value:
        raise Spoken(Code.BAD_REQUEST, complaint)
    return value


def _check_merchant(shop: Parts, asked: Asked, merchant: Merchant, now: int) -> None:
    """What the merchant's settings allow; each refusal names the command that switches."""
    command = f"checkout merchant set {merchant.id}"
    if merchant.disabled_at is not None:
        raise Spoken(Code.FORBIDDEN, words.DISABLED)
    if merchant.guard_param and _CUT_PARAM.search(asked.param):
        raise Spoken(Code.FORBIDDEN, words.CUT_PARAM.format(command))
    is_strict = merchant.mode is not Mode.COMPAT
    # A create signature can serve as a notify signature, so no browser may carry one.
    if is_strict and asked.is_html and not _is_server(merchant, now):
        raise Spoken(Code.FORBIDDEN, words.HTML_BY_BROWSER.format(command))
    for name, url in (("notifyUrl", asked.notify_url), ("returnUrl", asked.return_url)):
        if not url:
            continue
        try:
            check_url(url, "notify" if name == "notifyUrl" else "return", Reach.of(shop.settings))
        except Refusal as refusal:
            raise Spoken(Code.BAD_URL, words.BAD_URL.format(name)) from refusal
        if is_strict and not is_known_host(url, merchant):
            raise Spoken(Code.BAD_URL, words.FOREIGN_HOST.format(name, command, urlsplit(url).hostname))


def _is_server(merchant: Merchant, now: int) -> bool:
    """The App-Secret header shows that a server, not a browser, is calling; it never replaces the signature."""
    secret = request.headers.get("App-Secret", "")
    return any([same_secret(secret, key) for key in merchant.keys(now)])


def _onwards(url: str) -> Response:
    """One known plugin cuts the address out from the first `http` up to `'<`; browsers follow the script, which
    the page's policy allows by its hash, or the link."""
    script = f"window.location.href = '{url}'"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; frame-ancestors 'none'"
    body = f'<script>{script}</script><noscript><a href="{url}">{url}</a></noscript>'
    page = f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>…</title></head><body>{body}</body></html>'
    return Response(page, mimetype="text/html", headers={"Content-Security-Policy": policy})


def _state(shop: Parts, order: Order, now: int) -> int:
    """-1 expired, closed or refunded, 0 waiting, 1 paid, 2 paid and not acknowledged yet (computed, no state of
    ours)."""
    state = order.state_at(now)
    if state is State.PENDING:
        return 0
    if state is not State.PAID:
        return -1
    with shop.store.read() as db:
        if money_back.of(db, order).is_whole:
            return -1
        owed = [one.state for one in store.deliveries.of_order(db, order.token) if one.event == "order.paid"]
    return 2 if any(state in (DeliveryState.WAITING, DeliveryState.FAILED) for state in owed) else 1
