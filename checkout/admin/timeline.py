"""What happened to an order, in the order of time, from everything that is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from checkout import store
from checkout.interfaces import Rows
from checkout.model.deliveries import Delivery, DeliveryState
from checkout.model.orders import Order, State
from checkout.model.refunds import RefundState
from checkout.refunds import ledger

_DONE_BY_HAND = ("order.confirm", "order.close", "delivery.resend", "payment.link", "claim.answer")


class Event(Struct, frozen=True):
    """`kind` chooses the words in `admin/_timeline.html`; `tone` is good, warn, bad or ""."""

    at: int
    kind: str
    tone: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def of(db: Rows, order: Order, now: int) -> list[Event]:
    """The oldest first; what happened in the same second stays in the order of cause and effect."""
    found = [
        *_life(order, now), *_claims(db, order), *_payments(db, order), *_by_hand(db, order), *_messages(db, order),
        *_refunds(db, order),
    ]  # fmt: skip
    return sorted(found, key=lambda event: event.at)


def _life(order: Order, now: int) -> Iterator[Event]:
    yield Event(order.created_at, "opened", data={"order": order})
    if order.shown_at is not None:
        yield Event(order.shown_at, "shown", data={"order": order})
    if order.closed_at is not None:
        yield Event(order.closed_at, "closed")
    if now >= order.expires_at and order.closed_at is None and (order.state is not State.PAID or order.late):
        yield Event(order.expires_at, "expired")


def _payments(db: Rows, order: Order) -> Iterator[Event]:
    for payment in store.payments.of_order(db, order.token):
        tone = {"matched": "good", "linked": "good", "late": "warn", "suspected": "warn"}.get(payment.judgement, "")
        yield Event(payment.received_at, "payment", tone, {"payment": payment})


def _claims(db: Rows, order: Order) -> Iterator[Event]:
    for claim in store.receipts.claims_about(db, order.token):
        yield Event(claim.created_at, "claim", "warn" if claim.settled_at is None else "", {"claim": claim})


def _messages(db: Rows, order: Order) -> Iterator[Event]:
    for delivery in store.deliveries.of_order(db, order.token):
        if delivery.state is DeliveryState.NONE:
            yield Event(delivery.created_at, "untold", "warn")
        tries = list(_tries(db, delivery))
        yield from tries
        is_held_back = bool(tries) and tries[-1].kind == "held_back"
        if delivery.state is DeliveryState.FAILED and delivery.done_at is not None and not is_held_back:
            yield Event(delivery.done_at, "given_up", "bad", {"delivery": delivery})


def _tries(db: Rows, delivery: Delivery) -> Iterator[Event]:
    tries = store.deliveries.tries(db, delivery.id)
    for one in tries:
        if one.error == ledger.HELD_BACK:
            yield Event(one.at, "held_back")
            continue
        told = delivery.state is DeliveryState.DELIVERED and one is tries[-1]
        yield Event(one.at, "try", "good" if told else "bad", {"try": one, "told": told})


def _refunds(db: Rows, order: Order) -> Iterator[Event]:
    for refund in store.refunds.of_order(db, order.token):
        yield Event(refund.created_at, "refund", "", {"refund": refund})
        if refund.done_at is not None and refund.state is not RefundState.BY_HAND:
            tone = "bad" if refund.state is RefundState.FAILED else "good"
            yield Event(refund.done_at, "refund_over", tone, {"refund": refund})


def _by_hand(db: Rows, order: Order) -> Iterator[Event]:
    for entry in reversed(store.audit.listed(db, subject=order.token)):
        if entry.action in _DONE_BY_HAND:
            yield Event(entry.at, "by_hand", "", {"entry": entry, "detail": json.loads(entry.detail)})
