"""Refunds of an order: asked for, listed."""

from __future__ import annotations

from flask import request

from checkout import store
from checkout.protocols.api import models, shapes
from checkout.protocols.api.entry import Call
from checkout.protocols.api.models import NewRefund
from checkout.protocols.api.orders import own
from checkout.refunds import ledger


def create(call: Call, order: str) -> tuple[int, models.Refund]:
    asked: NewRefund = call.body
    with call.store.read() as db:
        token = own(db, call, order).token
    amount = asked.amount.amount if asked.amount else None
    if asked.by_hand:
        made = ledger.by_hand(
            call.store, token, amount=amount, reason=asked.reason, number=asked.number or "", actor=call.actor,
            new_id=call.shop.new_id, now=call.now,
        )  # fmt: skip
    else:
        made = ledger.ask(
            call.store, token, call.shop.channels, amount=amount, reason=asked.reason, number=asked.number or "",
            repeat_s=0 if request.headers.get("Idempotency-Key") else ledger.REPEAT_S,
            actor=call.actor, new_id=call.shop.new_id, now=call.now,
        )  # fmt: skip
    return 201, shapes.refund(made)


def listed(call: Call, order: str) -> tuple[int, models.Refunds]:
    """All of them, the oldest first: an order has few."""
    with call.store.read() as db:
        found = store.refunds.of_order(db, own(db, call, order).token)
    return 200, models.Refunds([shapes.refund(one) for one in found])
