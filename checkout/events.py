"""The native events: what our own webhooks say, whatever the dialect of an order.

Bodies are JSON objects `{"type", "timestamp", "data"}` as Standard Webhooks has them; times are RFC 3339, money is
`{"amount": fen, "currency": "CNY"}`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from checkout.model import Order


def body(event: str, order: Order, receipt: str, now: int) -> bytes:
    """The body of `order.paid`, `order.expired`, `order.closed` or `order.refunded`."""
    message = {
        "type": event,
        "timestamp": rfc3339(now),
        "data": {**order_data(order, now), "receipt": receipt or None},
    }
    return json.dumps(message, ensure_ascii=False).encode()


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
