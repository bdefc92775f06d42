"""A message as it goes out: an order's callback in the words of its dialect, or an event; signed either way. And what
the answer to it says."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec import Struct

from checkout import store
from checkout.http.client import Answer, Outgoing, Unreachable
from checkout.interfaces import Dialects, Rows
from checkout.model.deliveries import Delivery, Endpoint
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.signing import webhook_secret, webhook_signature

log = logging.getLogger(__name__)

# A fault of ours is one more failed try: left to the lease, it would be repeated twice a minute for ever.
_OUR_FAULT = "The message could not be made or its answer not be read; the log says why."


class Letter(Struct, frozen=True):
    """A claimed message, written `at` (Unix seconds). `request` is None where it could not be written."""

    delivery: Delivery
    at: int
    request: Outgoing | None


class Tried(Struct, frozen=True):
    """One try: `at` in Unix seconds; without an answer `error` says why."""

    delivery: Delivery
    at: int
    answer: Answer | None
    acknowledged: bool
    error: str


def written(db: Rows, dialects: Dialects, claimed: Delivery, now: int) -> Letter | None:
    """None: nothing is to be sent, as its endpoint was removed or paused since."""
    if claimed.endpoint:
        endpoint = store.endpoints.get(db, claimed.endpoint)
        if endpoint is None or endpoint.paused_at is not None:
            return None
        return _letter(claimed, now, lambda: _event(claimed, endpoint, now))
    order = store.orders.get(db, claimed.order_token)
    merchant = store.merchants.get(db, claimed.merchant)
    receipt = store.receipts.of_order(db, claimed.order_token)
    assert order is not None
    assert merchant is not None
    return callback(dialects, claimed, order, merchant, receipt.token if receipt else "", now)


def callback(dialects: Dialects, claimed: Delivery, order: Order, merchant: Merchant, receipt: str, now: int) -> Letter:
    """An order's own callback. `receipt`: the token of its receipt."""
    return _letter(claimed, now, lambda: _callback(dialects, claimed, order, merchant, receipt, now))


def shown(db: Rows, dialects: Dialects, delivery: Delivery, now: int) -> Outgoing | None:
    """The message as it would be sent now, for people to look at. None: its endpoint was removed."""
    if delivery.endpoint:
        endpoint = store.endpoints.get(db, delivery.endpoint)
        return _event(delivery, endpoint, now) if endpoint else None
    letter = written(db, dialects, delivery, now)
    return letter.request if letter else None


def judged(dialects: Dialects, letter: Letter, reply: Answer | Unreachable | None) -> Tried:
    """What became of it. `reply` is None where it could not be sent."""
    delivery = letter.delivery
    if isinstance(reply, Unreachable):
        return Tried(delivery, letter.at, None, False, str(reply))
    if reply is not None:
        try:
            return Tried(delivery, letter.at, reply, _acknowledged(dialects, delivery, reply), "")
        except Exception:
            log.exception("The answer to delivery %s could not be read", delivery.id)
    return Tried(delivery, letter.at, None, False, _OUR_FAULT)


def _letter(claimed: Delivery, now: int, write: Callable[[], Outgoing]) -> Letter:
    try:
        return Letter(claimed, now, write())
    except Exception:
        log.exception("Delivery %s could not be written", claimed.id)
        return Letter(claimed, now, None)


def _acknowledged(dialects: Dialects, delivery: Delivery, answer: Answer) -> bool:
    if delivery.endpoint:
        return 200 <= answer.status < 300
    return dialects[delivery.dialect].acknowledged(answer)


def _callback(
    dialects: Dialects, delivery: Delivery, order: Order, merchant: Merchant, receipt: str, now: int
) -> Outgoing:
    """The dialect's callback with the headers of Standard Webhooks beside it, for receivers that can check them."""
    message = dialects[delivery.dialect].callback(order, merchant, delivery.url, now, receipt)
    signature = webhook_signature(merchant.key.encode(), delivery.id, now, message.body)
    extra = {"webhook-id": delivery.id, "webhook-timestamp": str(now), "webhook-signature": signature}
    return Outgoing(message.method, message.url, {**message.headers, **extra}, message.body)


def _event(delivery: Delivery, endpoint: Endpoint, now: int) -> Outgoing:
    """The event as it was, signed by Standard Webhooks with each secret that is valid."""
    body = delivery.body.encode()
    signatures = (webhook_signature(webhook_secret(secret), delivery.id, now, body) for secret in endpoint.secrets(now))
    headers = {
        "Content-Type": "application/json", "webhook-id": delivery.id, "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signatures),
    }  # fmt: skip
    return Outgoing("POST", endpoint.url, headers, body)
