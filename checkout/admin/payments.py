"""All money that was reported: finding it, what each payment was booked to and why, and the spreadsheet."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response
from msgspec import Struct
from msgspec.structs import replace

from checkout import exports, payment_search, store
from checkout.admin import layout, lists
from checkout.admin.nav import Page
from checkout.admin.tables import lasting
from checkout.admin.words import sentence
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.accounts import PERSONAL
from checkout.model.orders import Order
from checkout.model.owner import AuditEntry
from checkout.model.payments import BY_HAND, Judgement, Payment
from checkout.pages.language import N_, beijing
from checkout.pages.language import translated as _
from checkout.payment_search import FOR_EVER, REVIEW, STATES, Search
from checkout.web import parts

PAGE = Page("payments", N_("Payments"), "M3 7h18v10H3zM3 11h18M7 14h4", 25)
FIELDS = ("q", "state", "account", "device", "from", "to")


class Line(Struct, frozen=True):
    """`order`: what the payment was booked to, or seems to repeat; None: nothing."""

    payment: Payment
    order: Order | None


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/payments", "payments", view)
    blueprint.add_url_rule("/payments.csv", "payments_csv", csv)
    blueprint.add_url_rule("/payments/<payment>", "payment", one)


def view() -> Response:
    asked = lists.asked(*FIELDS)
    with parts().store.read() as db:
        found = payment_search.find(db, replace(_search(asked), before=lists.before(), limit=lists.PAGE))
        lines = [Line(payment, _order(db, payment)) for payment in found.payments]
        accounts, devices = store.accounts.all_of(db), store.devices.all_of(db)
    kept = {name: value for name, value in asked.items() if value}
    return layout.page(
        "admin/payments.html", PAGE, lines=lines, asked=asked, states=list(STATES), accounts=accounts, devices=devices,
        pager=lists.pager(found.then), csv=layout.path("payments.csv", **kept),
        phones={device.id: device.name for device in devices},
    )  # fmt: skip


def csv() -> Response:
    """What was found, all of it: streamed, so that a million payments take no more memory than one page."""
    now = parts().clock()
    wanted = _search(lists.asked(*FIELDS))
    pieces = (piece.encode() for piece in exports.payments_csv(parts().store, now, wanted))
    answer = Response(pieces, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="payments-{beijing(now)[:10]}.csv"'
    return layout.sealed(answer)


def one(payment: str) -> Response:
    with parts().store.read() as db:
        found = store.payments.get(db, payment)
        if found is None:
            raise Refusal(Code.NOT_FOUND, "There is no such payment.")
        order = _order(db, found)
        refunds = store.refunds.of_payment(db, found.id)
        notes = store.audit.listed(db, subject=found.id)
        phones = store.devices.names(db)
    return layout.page(
        "admin/payment.html", PAGE, payment=found, order=order, why=_why(found, order), refunds=refunds,
        notes=[(note, _reason(note)) for note in notes], raw=_readable(found.raw),
        is_open=found.judgement in STATES[REVIEW], phones=phones,
        waited=lasting(max(0, found.received_at - order.created_at)) if order else "",
    )  # fmt: skip


def _search(asked: dict[str, str]) -> Search:
    """What makes no sense is left out, as an address may be years old."""
    return Search(
        text=asked["q"],
        state=asked["state"] if asked["state"] in STATES else "",
        account=asked["account"],
        device=asked["device"],
        since=lists.midnight(asked["from"]) or 0,
        until=lists.midnight(asked["to"], days=1) or FOR_EVER,
    )


def _order(db: Rows, payment: Payment) -> Order | None:
    return store.orders.get(db, payment.order_token) if payment.order_token else None


def _why(payment: Payment, order: Order | None) -> str:
    """Why it was judged as it was."""
    if payment.judgement is Judgement.LINKED:
        by_hand = _("Confirmed by hand: somebody saw the money in the bill, nothing else reported it.")
        return by_hand if payment.channel == BY_HAND else _("A person has booked it to this order.")
    if payment.judgement not in (Judgement.MATCHED, Judgement.LATE):
        return sentence(payment.note)
    if payment.channel == PERSONAL:
        exactly = _("This order alone was waiting for exactly this amount.")
    else:
        exactly = _("The gateway has named this order.")
    if payment.judgement is Judgement.LATE:
        return f"{exactly} {_('Its time was over when the money came.')}"
    return exactly


def _reason(note: AuditEntry) -> str:
    found: dict[str, Any] = json.loads(note.detail)
    return str(found.get("reason", ""))


def _readable(raw: str) -> str:
    """The message as it came; JSON on lines of its own."""
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False, indent=2) if raw else ""
    except ValueError:
        return raw
