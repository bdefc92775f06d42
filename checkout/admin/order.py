"""One order: what happened to it, and what the owner can do about it."""

from __future__ import annotations

from flask import Blueprint, Response

from checkout import audit, money, orders, settlement, store
from checkout.admin import forms, layout, session, timeline
from checkout.admin.forms import Form
from checkout.admin.orders import PAGE
from checkout.errors import Code
from checkout.model.orders import State
from checkout.outbox import deliveries
from checkout.pages.language import translated as _
from checkout.refunds import ledger, money_back
from checkout.web import parts

_AMOUNT = {Code.BAD_AMOUNT: "amount", Code.ZERO_AMOUNT: "amount", Code.BAD_REQUEST: "reason"}


def routes(blueprint: Blueprint) -> None:
    place = "/orders/<token>"
    blueprint.add_url_rule(place, "order", view)
    for name, action in (("confirmation", confirm), ("closure", close), ("refunds", refund)):
        blueprint.add_url_rule(f"{place}/{name}", f"order_{name}", action, methods=["POST"])
    blueprint.add_url_rule(f"{place}/messages/<delivery>", "order_resend", resend, methods=["POST"])


def view(token: str) -> Response:
    return _page(token, Form())


def confirm(token: str) -> Response:
    """The owner has seen the money: a confirmation is a resource of the order, audited."""
    form = forms.read("amount", "reason", "password")
    with form.catching(_AMOUNT):
        session.prove(form)
        amount = money.fen(form["amount"])
        settlement.confirm(parts().store, token, amount=amount, reason=form["reason"], **session.by())
        parts().wake()
        return layout.done(layout.path("orders", token), _("The order is booked as paid, and the shop is told."))
    return _page(token, form, "confirmation")


def close(token: str) -> Response:
    form, by = forms.read(), session.by()
    with form.catching():
        orders.close(parts().store, token, parts().rules.limits, by["now"])
        with parts().store.transaction() as db:
            audit.note(db, by["actor"], "order.close", token, {}, by["new_id"], by["now"])
        return layout.done(layout.path("orders", token), _("The order is closed."))
    return _page(token, form)


def refund(token: str) -> Response:
    """Has a gateway send the money back if it came through one; otherwise records that the owner has sent it. The page
    has given the refund its number, so a form that is sent twice sends the money once."""
    form = forms.read("amount", "reason", "number", "password")
    with form.catching(_AMOUNT):
        session.prove(form)
        amount, by = money.fen(form["amount"]), session.by()
        reason, number = form["reason"], form["number"]
        with parts().store.read() as db:
            is_by_hand = money_back.is_by_hand(money_back.channel_of(db, orders.existing(db, token)))
        if is_by_hand:
            ledger.by_hand(parts().store, token, amount=amount, reason=reason, number=number, **by)
            return layout.done(layout.path("orders", token), _("The refund is recorded."))
        ledger.ask(parts().store, token, parts().channels, amount=amount, reason=reason, number=number, **by)
        parts().wake()
        return layout.done(layout.path("orders", token), _("The refund is on its way."))
    return _page(token, form, "refunds")


def resend(token: str, delivery: str) -> Response:
    form, by = forms.read(), session.by()
    with form.catching():
        deliveries.resend(parts().store, delivery, by["now"])
        with parts().store.transaction() as db:
            audit.note(db, by["actor"], "delivery.resend", token, {"delivery": delivery}, by["new_id"], by["now"])
        parts().wake()
        return layout.done(layout.path("orders", token), _("The shop is told once more."))
    return _page(token, form)


def _page(token: str, form: Form, doing: str = "") -> Response:
    """`doing`: the action whose form was refused."""
    now = parts().clock()
    with parts().store.read() as db:
        order = orders.existing(db, token)
        state = order.state_at(now)
        merchant = store.merchants.get(db, order.merchant)
        back = money_back.of(db, order)
        is_by_hand = state is State.PAID and money_back.is_by_hand(money_back.channel_of(db, order))
        events = timeline.of(db, order, now)
        told = store.deliveries.of_order(db, token)
        receipt = store.receipts.of_order(db, token)
        phones = store.devices.names(db)
    return layout.page(
        "admin/order.html", PAGE, form=form, order=order, state=state, merchant=merchant, back=back,
        is_by_hand=is_by_hand, events=events, told=told, doing=doing, receipt=receipt,
        number=parts().new_id("ref"), phones=phones,
    )  # fmt: skip
