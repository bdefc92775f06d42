"""What the native API and our own pages have in common: how merchants hear of a payment, and how buyers return.

The callback is the native event `order.paid`: POST of JSON, signed by Standard Webhooks (the headers that ride beside
every callback); any 2xx acknowledges. The buyer returns with the native signed parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

from checkout.http.client import Answer, Outgoing
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.outbox import events


def callback(order: Order, merchant: Merchant, url: str, now: int, receipt: str = "") -> Outgoing:
    headers = {"Content-Type": "application/json"}
    return Outgoing("POST", url.partition("#")[0], headers, events.body("order.paid", order, receipt, now))


def acknowledged(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def return_params(order: Order, merchant: Merchant, now: int) -> Mapping[str, str] | None:
    return None
