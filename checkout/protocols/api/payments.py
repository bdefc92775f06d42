"""Payments: listed, looked at, linked to an order by hand.

A merchant sees the payments for its own orders. Money that fits no order may be anybody's, so only the first merchant,
who is the owner, sees it and may link it.
"""

from __future__ import annotations

import re

from checkout import payments, store
from checkout.errors import Code, Refusal
from checkout.interfaces import Rows
from checkout.model.payments import Judgement, Payment
from checkout.protocols.api import models, paging, shapes
from checkout.protocols.api.entry import Call
from checkout.protocols.api.models import NewLink, PaymentFilter
from checkout.protocols.api.orders import own

NOBODY = 0
_PAYMENT = re.compile(r"[a-z0-9_]{1,64}")  # PostgreSQL takes no text that holds a NUL


def get(call: Call, payment: str) -> tuple[int, models.Payment]:
    with call.store.read() as db:
        return 200, shapes.payment(_visible(db, call, payment))


def listed(call: Call) -> tuple[int, models.Payments]:
    wanted: PaymentFilter = call.query
    judgements = [wanted.judgement] if wanted.judgement else list(Judgement)
    with call.store.read() as db:
        found = store.payments.of_merchants(
            db, _owners(db, call), judgements, before=paging.position(wanted.cursor), limit=wanted.limit + 1
        )
    page = found[: wanted.limit]
    more = paging.cursor(page[-1].received_at, page[-1].id) if len(found) > len(page) else None
    return 200, models.Payments([shapes.payment(one) for one in page], more)


def link(call: Call, payment: str) -> tuple[int, models.Payment]:
    asked: NewLink = call.body
    with call.store.read() as db:
        found, order = _visible(db, call, payment), own(db, call, asked.order)
    payments.link(
        call.store, found.id, order.token, reason=asked.reason, actor=call.actor, new_id=call.shop.new_id, now=call.now
    )
    with call.store.read() as db:
        return 200, shapes.payment(_visible(db, call, payment))


def _visible(db: Rows, call: Call, payment_id: str) -> Payment:
    found = store.payments.get(db, payment_id) if _PAYMENT.fullmatch(payment_id) else None
    if found is None or found.merchant not in _owners(db, call):
        raise Refusal(Code.NOT_FOUND, "There is no such payment.")
    return found


def _owners(db: Rows, call: Call) -> tuple[int, ...]:
    own = call.merchant.id
    return (own, NOBODY) if own == store.merchants.default_id(db) else (own,)
