"""The native events: what our own webhooks say, whatever the dialect of an order.

Bodies are JSON objects `{"type", "timestamp", "data"}` as in Standard Webhooks; times are RFC 3339, money is
`{"amount": fen, "currency": "CNY"}`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from checkout.model.orders import Order
from checkout.model.payments import Payment
from checkout.model.refunds import Refund

TYPES = ("order.paid", "order.expired", "order.closed", "order.refunded", "payment.unmatched")
TEST = "checkout.test"  # goes to one endpoint, on request, whatever it listens to


def body(event: str, order: Order, receipt: str, now: int, *, refund: Refund | None = None, refunded: int = 0) -> bytes:
    """The body of `order.paid`, `order.expired`, `order.closed`, or `order.refunded` with its refund and the fen that
    went back in all."""
    data = {**order_data(order, now), "receipt": receipt or None}
    if refund is not None:
        data |= {"refund": refund_data(refund), "refunded": money(refunded)}
    return message(event, data, now)


def message(event: str, data: dict[str, Any], now: int) -> bytes:
    return json.dumps({"type": event, "timestamp": rfc3339(now), "data": data}, ensure_ascii=False).encode()


def refund_data(refund: Refund) -> dict[str, Any]:
    return {
        "refund": refund.id,
        "number": refund.number,
        "amount": money(refund.amount),
        "reason": refund.reason,
        "created_at": rfc3339(refund.created_at),
    }


def payment_data(payment: Payment, order_token: str) -> dict[str, Any]:
    """A payment that waits for a person, without the phone's message, which names the payer."""
    return {
        "payment": payment.id,
        "order": order_token or None,
        "channel": payment.channel,
        "method": payment.method or None,
        "amount": money(payment.amount) if payment.amount is not None else None,
        "judgement": payment.judgement.value,
        "note": payment.note,
        "received_at": rfc3339(payment.received_at),
    }


def order_data(order: Order, now: int) -> dict[str, Any]:
    """An order as the native API and its events show it."""
    return {
        "order": order.token,
        "number": order.number,
        "merchant": order.merchant,
        "product": order.product or None,
        "quantity": order.quantity,
        "ref": order.buyer or None,
        "state": order.state_at(now).value,
        "late": order.late,
        "method": order.method or None,
        "title": order.title,
        "param": order.param,
        "metadata": json.loads(order.extra).get("metadata", {}) if order.dialect == "api" else {},
        "price": money(order.price),
        "really_price": money(order.really_price) if order.really_price is not None else None,
        "created_at": rfc3339(order.created_at),
        "expires_at": rfc3339(order.expires_at),
        "paid_at": rfc3339(order.paid_at) if order.paid_at is not None else None,
    }


def money(fen: int) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
