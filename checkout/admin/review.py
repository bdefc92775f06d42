"""The review inbox: money without an order beside the orders it may belong to, and what buyers say they have paid."""

from __future__ import annotations

from flask import Blueprint, Response
from msgspec import Struct

from checkout import candidates, claims, orders, payments, store
from checkout.admin import forms, layout, lists, session, tables
from checkout.admin.forms import Form, Wrong
from checkout.admin.nav import Page
from checkout.candidates import Candidate
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.orders import Order
from checkout.model.payments import Claim, Judgement, Payment
from checkout.order_search import Search, find
from checkout.pages.language import N_
from checkout.pages.language import translated as _
from checkout.refunds import ledger, money_back
from checkout.web import parts

PAGE = Page("review", N_("Review"), "M4 13l3-8h10l3 8v6H4zm0 0h5l1 2h4l1-2h5", 30, on_bar=True)
_PAGE = 20


class Case(Struct, frozen=True):
    """`sendable`: a gateway can send the money back."""

    payment: Payment
    candidates: list[Candidate]
    sendable: bool


class Word(Struct, frozen=True):
    """A buyer's word, and the payments in the inbox that are of its amount."""

    claim: Claim
    order: Order
    seen: list[Payment]


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/review", "review", view)
    place = "/review/payments/<payment>"
    for name, action in (("order", link), ("ignored", ignore), ("refund", send_back)):
        blueprint.add_url_rule(f"{place}/{name}", f"review_{name}", action, methods=["POST"])
    blueprint.add_url_rule("/review/claims/<claim>/answer", "review_answer", answer, methods=["POST"])


def view() -> Response:
    return _page(Form())


def link(payment: str) -> Response:
    """One click: the payment is booked to the order, the shop is told. An order that it does not seem to be for needs
    the password, as one that is confirmed without any payment does."""
    form, by = forms.read("token", "reason", "password"), session.by()
    with form.catching():
        token = _token(form["token"])
        if not _is_candidate(payment, token):
            session.prove(form)
        reason = form["reason"] or "chosen among the candidates of the review inbox"
        paid = payments.link(parts().store, payment, token, reason=reason, **by)
        parts().wake()
        return layout.done(
            layout.path("review"), _("Booked: order %(number)s is paid.") % {"number": paid.title or paid.number}
        )
    return _page(form, payment)


def ignore(payment: str) -> Response:
    form, by = forms.read("reason"), session.by()
    with form.catching({Code.BAD_REQUEST: f"reason-{payment}"}):
        payments.ignore(parts().store, payment, reason=form["reason"], **by)
        return layout.done(layout.path("review"), _("Set aside; the audit log keeps the reason."))
    return _page(form, payment)


def send_back(payment: str) -> Response:
    form, by = forms.read("reason", "password"), session.by()
    with form.catching({Code.BAD_REQUEST: f"reason-{payment}"}):
        session.prove(form)
        ledger.ask_for_payment(parts().store, payment, parts().channels, reason=form["reason"], **by)
        parts().wake()
        return layout.done(layout.path("review"), _("The refund is on its way."))
    return _page(form, payment)


def answer(claim: str) -> Response:
    form, by = forms.read("reason"), session.by()
    with form.catching({Code.BAD_REQUEST: f"reason-{claim}"}):
        claims.answer(parts().store, claim, reason=form["reason"], **by)
        return layout.done(layout.path("review"), _("The message is dealt with."))
    return _page(form, claim)


def _token(text: str) -> str:
    """The token of the order that a token or a merchant's number means; of several, the one that waits."""
    with parts().store.read() as db:
        found = [order for order in find(db, Search(text=text, limit=5), parts().clock()).orders if order.token]
    exact = [order for order in found if text in (order.token, order.number)]
    if not text or not exact:
        raise Wrong("", _("There is no order of this number or token."))
    return exact[0].token


def _is_candidate(payment_id: str, token: str) -> bool:
    with parts().store.read() as db:
        payment = store.payments.get(db, payment_id)
        found = candidates.ranked(db, payment) if payment else []
    return any(one.order.token == token for one in found)


def _page(form: Form, doing: str = "") -> Response:
    """`doing`: the payment or message whose form was refused."""
    now = parts().clock()
    with parts().store.read() as db:
        found = store.payments.listed(db, review=True, before=lists.before(), limit=_PAGE + 1)
        cases = [_case(db, payment) for payment in found[:_PAGE]]
        words = [_word(db, claim, found) for claim in store.receipts.claims_waiting(db)]
        phones = store.devices.names(db)
        if form.errors.get("") and doing:
            form.errors[""] = f"{form.errors['']} {_fate(db, doing)}".strip()
    last = (found[_PAGE - 1].received_at, found[_PAGE - 1].id) if len(found) > _PAGE else None
    return layout.page(
        "admin/review.html",
        PAGE,
        form=form,
        cases=cases,
        words=words,
        doing=doing,
        duration=tables.lasting,
        pager=lists.pager(last),
        at=now,
        phones=phones,
    )


def _case(db: Rows, payment: Payment) -> Case:
    sendable = not money_back.is_by_hand(payment.channel) and payment.channel in parts().channels
    return Case(payment, candidates.ranked(db, payment), sendable and payment.amount is not None)


def _word(db: Rows, claim: Claim, waiting: list[Payment]) -> Word:
    seen = [payment for payment in waiting if payment.amount == claim.amount]
    return Word(claim, orders.existing(db, claim.order_token), seen)


def _fate(db: Rows, payment_id: str) -> str:
    """What somebody else has done with the payment meanwhile."""
    payment = store.payments.get(db, payment_id)
    if payment is None or payment.judgement in (Judgement.SUSPECTED, Judgement.UNMATCHED, Judgement.UNREADABLE):
        return ""
    if payment.judgement is Judgement.IGNORED:
        return _("It was set aside: %(why)s") % {"why": payment.note}
    try:
        order = orders.existing(db, payment.order_token)
    except Refusal:
        return ""
    return _("It is booked to the order %(number)s.") % {"number": order.title or order.number}
