"""What the server shows in the demo only: a bar under the checkout page, and the screen of the simulated phone.

The bar is a template in front of the checkout page's own, so the page and its content policy stay as they are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, redirect, request
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PrefixLoader
from werkzeug.wrappers import Response as AnyResponse

from checkout import store
from checkout.demo.phone import Phone
from checkout.errors import Code, Refusal
from checkout.model.accounts import Method
from checkout.model.orders import Order, State
from checkout.model.payments import Payment
from checkout.money import yuan
from checkout.pages import answers, links
from checkout.resources import resource_dir
from checkout.store.orders import Filter
from checkout.web import parts

if TYPE_CHECKING:
    from checkout.demo.gateways.town import Town

_SCREEN = "/demo/phone"
_AMOUNT = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,2})?")


def install(app: Flask, phone: Phone, town: Town | None = None) -> None:
    """Adds the bar and the phone to an application that does not serve yet; `town` has the gateways that it uses."""

    def cashier(order: Order) -> str:
        """Where an order is paid at its gateway; "" for a personal code."""
        return town.cashier(order.channel, order.token) if town and order.channel in town.sections else ""

    app.jinja_env.globals["cashier"] = cashier
    real = app.jinja_loader
    assert isinstance(real, BaseLoader)
    own = FileSystemLoader(resource_dir("templates") / "demo")
    app.jinja_env.loader = ChoiceLoader([own, real, PrefixLoader({"real": real})])
    app.register_blueprint(_routes(phone))


def _routes(phone: Phone) -> Blueprint:
    blueprint = Blueprint("demo", __name__, url_prefix="/demo")

    @blueprint.get("/phone")
    def screen() -> Response:
        """The phone: what it could be paid for, and what it heard."""
        now = parts().clock()
        with parts().store.read() as db:
            orders = store.orders.listed(db, Filter(state=State.PENDING.value, limit=20))
            payments = store.payments.listed(db, review=False, limit=10)
        waiting = [one for one in orders if one.state_at(now) is State.PENDING and one.really_price is not None]
        rev = _rev(waiting, payments)
        if request.args.get("rev") == rev and "HX-Request" in request.headers:
            return Response(status=204)
        return answers.page("phone.html", waiting=waiting, payments=payments, rev=rev)

    @blueprint.post("/phone")
    def receive() -> AnyResponse:
        """Any amount, as somebody might send it."""
        method, amount = request.form.get("method", ""), request.form.get("amount", "")
        if method not in list(Method) or not _AMOUNT.fullmatch(amount):
            raise Refusal(Code.BAD_AMOUNT, "The amount must look like 9.90.")
        return _sent(phone.received(method, amount), _SCREEN)

    @blueprint.post("/phone/<token>")
    def pay(token: str) -> AnyResponse:
        """The buyer of this order pays exactly what the page asks for."""
        with parts().store.read() as db:
            order = store.orders.get(db, token)
        if order is None or order.really_price is None:
            raise Refusal(Code.NOT_FOUND, "There is no such order, or its buyer has not chosen how to pay.")
        back = links.path("pay", token) if request.form.get("from") == "page" else _SCREEN
        if order.state is State.PAID:
            return _sent(True, back)
        return _sent(phone.received(order.method, yuan(order.really_price)), back)

    return blueprint


def _rev(waiting: Sequence[Order], payments: Sequence[Payment]) -> str:
    """Another one whenever the screen shows something else."""
    shown = (
        [(one.token, one.method, one.really_price) for one in waiting],
        [(one.id, one.judgement) for one in payments],
    )
    return f"{zlib.crc32(repr(shown).encode()):08x}"


def _sent(has_arrived: bool, back: str) -> AnyResponse:
    if not has_arrived:
        raise Refusal(Code.BAD_REQUEST, "The server did not take what the simulated phone sent.")
    return redirect(back, 303)
