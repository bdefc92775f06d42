"""The checkout page of an order: `/pay/<token>` and what it asks for.

The server decides what is shown and how soon the page asks again; only the server says that an order has expired.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from flask import Blueprint, Response, request
from msgspec.structs import replace

from checkout import catalogue, inline, inquiries, prompts, qr, store, switching
from checkout.channel import PromptKind
from checkout.errors import Code, Refusal
from checkout.model.accounts import PERSONAL, Method
from checkout.model.orders import Order, State
from checkout.model.products import Product
from checkout.pages import answers, frames, language, links
from checkout.pages.aid import aid, paid_attempt
from checkout.pages.aid import routes as routes_of_aid
from checkout.pages.stages import Look, Stage, hurried, is_same_view, look
from checkout.pages.view import Client, View, view
from checkout.prompts import Shown, Wanted
from checkout.store.orders import PollState
from checkout.web import Parts, client_address, fields, parts

_TOKEN = re.compile(r"[0-9a-f]{32}")
_WAIT = re.compile(r"[0-9]{1,5}")
_REFUSALS = {Code.BUSY, Code.PHONE_OFFLINE, Code.NO_ACCOUNT, Code.DISK_FULL}


def routes() -> Blueprint:
    blueprint = Blueprint("pay", __name__)
    blueprint.add_url_rule("/pay/<token>", "page", page)
    blueprint.add_url_rule("/pay/<token>/poll", "poll", poll)
    blueprint.add_url_rule("/pay/<token>/qr.png", "picture", picture)
    blueprint.add_url_rule("/pay/<token>/help", "help", opened_help)
    blueprint.add_url_rule("/pay/<token>/method", "method", choose, methods=["POST"])
    routes_of_aid(blueprint)
    return blueprint


def page(token: str) -> Response:
    """The page in whatever state the order is; safe to reload."""
    shown, product = _view(token)
    _hasten(parts(), token, shown.order, parts().clock())
    frame = frames.of_order(shown.order, product)
    style = catalogue.brand(product) if product else {}
    return frames.allowed(answers.page("pay.html", 200, view=shown, frame=frame, look=style, **_refused()), frame)


def poll(token: str) -> Response:
    """204 while the page with `?rev=` is up to date, else the fragment that brings it there.

    `polls` answers most of them before they come here.
    """
    shop = parts()
    at = glance(shop, token, links.asked_at(), shop.clock())
    if at is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    rev = request.args.get("rev", "")
    if rev == at.rev:
        return Response(status=204, headers={"Checkout-Left": str(at.left)})
    shown = _view(token)[0]
    if shown.look.rev == rev:  # still nothing to pay with
        return Response(status=204, headers={"Checkout-Left": str(at.left)})
    return _fragment("_calmer.html" if is_same_view(rev, shown.look) else "_changed.html", shown)


def glance(shop: Parts, token: str, asked_at: int, now: int) -> Look | None:
    """How an order looks at `now`, from one row by its key; None: there is no such order.

    `asked_at`: when its buyer said that he has paid, 0 for never."""
    with shop.store.read() as db:
        state = store.orders.poll_state(db, token) if _TOKEN.fullmatch(token) else None
    if state is None:
        return None
    _hasten(shop, token, state, now)
    return hurried(look(state, shop.settings.grace, now), asked_at, now)


def picture(token: str) -> Response:
    """The QR code as a PNG, while it may be paid."""
    now = parts().clock()
    order = _order(token)
    shown = None
    if look(order, parts().settings.grace, now).stage is Stage.PENDING:
        shown = prompts.ready(parts().till, order, _wanted(), now)
    if shown is None or shown.prompt.kind is not PromptKind.QR:
        raise Refusal(Code.NOT_FOUND, "There is no QR code to pay: the order is not waiting for payment.")
    code = shown.prompt.text
    answer = Response(qr.png(code), mimetype="image/png", headers={"Cache-Control": "private, no-cache"})
    answer.set_etag(hashlib.sha256(code.encode()).hexdigest()[:16])
    answer.make_conditional(request)
    return answer


def opened_help(token: str) -> Response:
    """The help as a fragment; 204 when the page has no need of it any more."""
    shown, _ = _view(token)
    if shown.look.stage not in (Stage.CHOOSE, Stage.PENDING):
        return Response(status=204)
    return answers.fragment("_help.html", view=shown, opened=True)


def choose(token: str) -> Response:
    """The buyer of an order without a method takes one. A refusal comes back to the page as `?refused=`."""
    now = parts().clock()
    method = fields().get("method", "")
    if method not in list(Method):
        raise Refusal(Code.BAD_REQUEST, "The method must be wechat or alipay.")
    refused: dict[str, str] = {}
    try:
        switching.choose_method(parts().store, _order(token).token, method, parts().rules, now)
    except Refusal as refusal:
        if refusal.code in _REFUSALS:
            refused = {"refused": refusal.code, "wait": str(refusal.retry_after or 0)}
        elif refusal.code is not Code.NOT_ALLOWED:  # ended, or chosen in another tab: the page shows it
            raise
    if request.headers.get("HX-Request") == "true":
        return _fragment("_changed.html", _view(token)[0], **refused)
    return answers.see(links.path("pay", token, **refused))


def _fragment(template: str, shown: View, **values: str) -> Response:
    answer = answers.fragment(template, view=shown, **values)
    answer.headers["HX-Trigger"] = f'{{"checkout:state":"{shown.look.stage}"}}'
    return answer


def _view(token: str) -> tuple[View, Product | None]:
    shop = parts()
    now = shop.clock()
    client = Client.of(request.headers.get("User-Agent", ""))
    order, shown, trouble = _ready(_order(token), now)
    order = paid_attempt(shop, order, now)
    product = frames.product_of(order)
    language.prefer(catalogue.brand(product).get("lang", "") if product else "")
    stays = request.args.get("stay") == "1"
    found = view(shop, order, client, now, shown=shown, trouble=trouble, stays=stays, asked_at=links.asked_at())
    return replace(found, aid=aid(shop, order, now)), product


def _ready(order: Order, now: int) -> tuple[Order, Shown | None, str]:
    """The order as it is now, what it is paid with while it waits, and why there is nothing where it should be."""
    if order.state_at(now) is not State.PENDING or not order.method or request.method == "HEAD":
        return order, None, ""
    try:
        shown = prompts.ready(parts().till, order, _wanted(), now)
    except Refusal as refusal:
        if refusal.code not in (Code.GATEWAY, Code.NOT_ALLOWED):
            raise
        return _order(order.token), None, "gateway" if refusal.code is Code.GATEWAY else "elsewhere"
    waits = shown.order.state_at(now) is State.PENDING
    return shown.order, shown if waits else None, ""


def _wanted() -> Wanted:
    """Inside WeChat its own links do not work and its pages need the buyer's openid, which we cannot know."""
    client = Client.of(request.headers.get("User-Agent", ""))
    return Wanted(client_ip=client_address(), page=True, phone=client.is_phone and not client.in_wechat)


def _hasten(shop: Parts, token: str, order: PollState | Order, now: int) -> None:
    """While the page of an order is open its gateway is asked sooner; it may have sent a notice that never came."""
    if order.state is State.PENDING and order.channel not in ("", PERSONAL):
        inline.need_thread()
        inquiries.hasten(shop.store, token, now)


def _order(token: str) -> Order:
    with parts().store.read() as db:
        order = store.orders.get(db, token) if _TOKEN.fullmatch(token) else None
    if order is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    return order


def _refused() -> dict[str, Any]:
    """Why the buyer's choice was turned down, from the address; only words of our own."""
    refused, wait = request.args.get("refused", ""), request.args.get("wait", "")
    if refused not in _REFUSALS:
        return {}
    return {"refused": refused, "wait": wait if _WAIT.fullmatch(wait) else "0"}
