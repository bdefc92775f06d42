"""Events put into the outbox: one message for each of the merchant's webhook endpoints that subscribes to them.

This always happens in the transaction of the change itself, so that neither happens without the other. The body is
fixed at that moment: a message that goes out days later still says what happened then. What an order's own notify URL
is owed, `deliveries.owe` writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkout import ids, store
from checkout.interfaces import NewId, Rows
from checkout.model.deliveries import Delivery, DeliveryState, Endpoint
from checkout.model.orders import Order
from checkout.model.refunds import Refund
from checkout.outbox import events

DIALECT = "webhook"
COLLECTED_FOR_S = 30 * 86_400  # what happens while an endpoint has been paused for longer is not kept for it


def of_order(
    db: Rows, order: Order, event: str, *, refund: Refund | None = None, new_id: NewId = ids.new_id, now: int
) -> list[Delivery]:
    """Announces `order.paid`, `order.expired`, `order.closed`, or `order.refunded` with its `refund`.

    `order` is the order after the change. Raises `Conflict` when the same was announced before."""
    told = []
    for endpoint in _listening(db, order.merchant, event, now):
        body, subject = _body(db, order, event, refund, now), refund.id if refund else ""
        told.append(_add(db, endpoint, event, body, new_id, now, token=order.token, subject=subject))
    return told


def of_orders(db: Rows, orders: Sequence[Order], event: str, *, new_id: NewId = ids.new_id, now: int) -> None:
    """As `of_order`, for many orders at once; each merchant's endpoints are looked up once."""
    for merchant in {order.merchant for order in orders}:
        listening = _listening(db, merchant, event, now)
        for order in orders if listening else ():
            if order.merchant == merchant:
                body = _body(db, order, event, None, now)
                for endpoint in listening:
                    _add(db, endpoint, event, body, new_id, now, token=order.token)


def of_payment(db: Rows, payment_id: str, order: Order | None, *, new_id: NewId = ids.new_id, now: int) -> None:
    """Announces `payment.unmatched`: money that waits for a person.

    It goes to the merchant of the `order` that it may belong to, otherwise to the first merchant, who is the owner."""
    merchant = order.merchant if order else store.merchants.default_id(db)
    listening = _listening(db, merchant, "payment.unmatched", now) if merchant is not None else []
    payment = store.payments.get(db, payment_id) if listening else None
    if payment is None:
        return
    token = order.token if order else ""
    body = events.message("payment.unmatched", events.payment_data(payment, token), now)
    for endpoint in listening:
        _add(db, endpoint, "payment.unmatched", body, new_id, now, token=token, subject=payment.id)


def test(db: Rows, endpoint: Endpoint, *, new_id: NewId, now: int) -> Delivery:
    """Puts a test event for one endpoint into the outbox."""
    body = events.message(events.TEST, {"endpoint": endpoint.id, "merchant": endpoint.merchant}, now)
    return _add(db, endpoint, events.TEST, body, new_id, now, subject=new_id("tst"))


def _body(db: Rows, order: Order, event: str, refund: Refund | None, now: int) -> bytes:
    receipt = store.receipts.of_order(db, order.token)
    refunded = store.refunds.sums(db, order.token)[0] if refund else 0
    return events.body(event, order, receipt.token if receipt else "", now, refund=refund, refunded=refunded)


def _listening(db: Rows, merchant: int, event: str, now: int) -> list[Endpoint]:
    oldest = now - COLLECTED_FOR_S
    return [
        one
        for one in store.endpoints.of_merchant(db, merchant)
        if one.wants(event) and (one.paused_at is None or one.paused_at > oldest)
    ]


def _add(
    db: Rows, endpoint: Endpoint, event: str, body: bytes, new_id: NewId, now: int, *,
    token: str = "", subject: str = "",
) -> Delivery:  # fmt: skip
    delivery = Delivery(
        id=new_id("msg"), order_token=token, merchant=endpoint.merchant, dialect=DIALECT, event=event,
        url=endpoint.url, state=DeliveryState.WAITING if endpoint.paused_at is None else DeliveryState.HELD,
        attempts=0, due_at=now, created_at=now, done_at=None, endpoint=endpoint.id, subject=subject,
        body=body.decode(),
    )  # fmt: skip
    store.deliveries.add(db, delivery)
    return delivery
