"""The outbox: what merchants are owed, tried until they acknowledge it or three days are over.

Claiming a delivery moves its due time ahead as a lease, so a dead worker's message comes back by itself. The network
is never used inside a transaction.
"""

from __future__ import annotations

import logging
import secrets

from checkout import store
from checkout.errors import Code, Refusal
from checkout.http import Answer, Outgoing, Unreachable
from checkout.interfaces import Clock, Dialects, NewId, Rows, Send, Store
from checkout.model import Attempt, Delivery, DeliveryState, Merchant, Order
from checkout.signing import webhook_signature

log = logging.getLogger(__name__)

# Seconds from one try to the next; after the last one the delivery has failed.
SCHEDULE = (0, 5, 30, 120, 600, 1800, 3600, 3 * 3600, 8 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
LEASE_S = 30
_KEPT_ANSWER = 4096


def owe(db: Rows, order: Order, event: str, *, new_id: NewId, now: int) -> Delivery:
    """Puts a message into the outbox, in the transaction that makes it due."""
    merchant = store.merchants.get(db, order.merchant)
    url = order.notify_url or (merchant.notify_url if merchant else "")
    delivery = Delivery(
        id=new_id("msg"), order_token=order.token, merchant=order.merchant, dialect=order.dialect, event=event,
        url=url, state=DeliveryState.WAITING if url else DeliveryState.NONE, attempts=0, due_at=now, created_at=now,
        done_at=None,
    )  # fmt: skip
    store.deliveries.add(db, delivery)
    return delivery


def claim(db_store: Store, delivery: Delivery, now: int) -> Delivery | None:
    """Takes a due delivery for one try. None: another worker has it."""
    with db_store.transaction() as db:
        return store.deliveries.claim(db, delivery, now + LEASE_S)


def deliver(db_store: Store, dialects: Dialects, send: Send, claimed: Delivery, clock: Clock) -> bool:
    """One try at a claimed delivery: sends it and books the answer. True when the merchant has acknowledged."""
    with db_store.read() as db:
        order = store.orders.get(db, claimed.order_token)
        merchant = store.merchants.get(db, claimed.merchant)
        receipt = store.receipts.of_order(db, claimed.order_token)
    assert order is not None
    assert merchant is not None
    started = clock()
    shown = receipt.token if receipt else ""
    answer, acknowledged, error = _try(dialects, send, claimed, order, merchant, shown, started)
    with db_store.transaction() as db:
        store.deliveries.add_attempt(db, _attempt(claimed, started, answer, error))
        _book(db, claimed, acknowledged, clock())
    return acknowledged


def resend(db_store: Store, delivery_id: str, now: int) -> Delivery:
    """Makes a delivery due again, whatever became of it. Refused: NOT_FOUND, BAD_URL (still nobody to tell)."""
    with db_store.transaction() as db:
        delivery = store.deliveries.get(db, delivery_id)
        if delivery is None:
            raise Refusal(Code.NOT_FOUND, "There is no such delivery.")
        merchant = store.merchants.get(db, delivery.merchant)
        url = delivery.url or (merchant.notify_url if merchant else "")
        if not url:
            raise Refusal(Code.BAD_URL, "Neither the order nor its merchant has a notify URL: checkout merchant set.")
        again = store.deliveries.resend(db, delivery_id, url, now)
        assert again is not None
        return again


def delay_after(attempts: int) -> int | None:
    """Seconds to the next try after `attempts` tries, up to a tenth more than planned; None: no more tries.

    Never less: the last try must come after three days, however the dice fall."""
    if attempts >= len(SCHEDULE):
        return None
    delay = SCHEDULE[attempts]
    return delay * (1000 + secrets.randbelow(101)) // 1000


def _message(
    dialects: Dialects, delivery: Delivery, order: Order, merchant: Merchant, receipt: str, now: int
) -> Outgoing:
    """The dialect's callback with the headers of Standard Webhooks beside it, for receivers that can check them."""
    message = dialects[delivery.dialect].callback(order, merchant, delivery.url, now, receipt)
    signature = webhook_signature(merchant.key.encode(), delivery.id, now, message.body)
    extra = {"webhook-id": delivery.id, "webhook-timestamp": str(now), "webhook-signature": signature}
    return Outgoing(message.method, message.url, {**message.headers, **extra}, message.body)


def _try(
    dialects: Dialects, send: Send, delivery: Delivery, order: Order, merchant: Merchant, receipt: str, now: int
) -> tuple[Answer | None, bool, str]:
    """(the answer, whether it acknowledges, why there is none). A fault of ours is one more failed try: left to the
    lease, it would be repeated twice a minute for ever."""
    try:
        answer = send(_message(dialects, delivery, order, merchant, receipt, now))
        return answer, dialects[delivery.dialect].acknowledged(answer), ""
    except Unreachable as error:
        return None, False, str(error)
    except Exception:
        log.exception("Delivery %s could not be tried", delivery.id)
        return None, False, "The message could not be made or its answer not be read; the log says why."


def _attempt(delivery: Delivery, at: int, answer: Answer | None, error: str) -> Attempt:
    if answer is None:
        return Attempt(delivery.id, delivery.attempts, at, None, 0, "", error)
    text = answer.body[:_KEPT_ANSWER].decode("utf-8", "replace").replace("\x00", "\ufffd")
    text = text.encode()[:_KEPT_ANSWER].decode("utf-8", "ignore")  # each replaced byte has become three
    return Attempt(delivery.id, delivery.attempts, at, answer.status, answer.elapsed_ms, text, "")


def _book(db: Rows, delivery: Delivery, acknowledged: bool, now: int) -> None:
    delay = delay_after(delivery.attempts)
    if acknowledged:
        store.deliveries.acknowledge(db, delivery.id, now)
    elif delay is None:
        store.deliveries.fail(db, delivery, now)
    else:
        store.deliveries.postpone(db, delivery, now + delay)
