"""The outbox: what merchants are owed, tried until they acknowledge it or three days are over.

Claiming a delivery moves its due time ahead as a lease, so a dead worker's message comes back by itself. The network
is never used inside a transaction. What goes to a webhook endpoint (`announcements`) takes the same road; there it is
the endpoint that answers for it: 410 pauses it at once, three days without a success pause it too.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from checkout import logs, store, turns
from checkout.errors import Code, Refusal
from checkout.http import Answer, Outgoing, Unreachable
from checkout.interfaces import Clock, Dialects, NewId, Owed, Rows, Send, Store
from checkout.model.deliveries import Delivery, DeliveryState, Endpoint, Try
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.signing import webhook_secret, webhook_signature
from checkout.turns import ALONE, Turn

log = logging.getLogger(__name__)

# Seconds from one try to the next; after the last one the delivery has failed.
SCHEDULE = (0, 5, 30, 120, 600, 1800, 3600, 3 * 3600, 8 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
LEASE_S = 30
PAUSE_AFTER_S = 3 * 86_400
_KEPT_ANSWER = 4096
_GONE = 410


class Tried(Struct, frozen=True):
    """One try: `at` in Unix seconds; without an answer `error` says why."""

    delivery: Delivery
    at: int
    answer: Answer | None
    acknowledged: bool
    error: str


def owe(db: Rows, order: Order, event: str, *, new_id: NewId, now: int) -> None:
    """Puts a message into the outbox, in the transaction that makes it due."""
    merchant = store.merchants.get(db, order.merchant)
    assert merchant is not None
    url = order.notify_url or merchant.notify_url
    delivery = Delivery(
        id=new_id("msg"), order_token=order.token, merchant=order.merchant, dialect=order.dialect, event=event,
        url=url, state=DeliveryState.WAITING if url else DeliveryState.NONE, attempts=0, due_at=now, created_at=now,
        done_at=None,
    )  # fmt: skip
    store.deliveries.add(db, delivery)


@contextmanager
def later() -> Iterator[Owed]:
    """The `interfaces.AtOnce` of a process without a worker: what is owed waits to be found."""
    yield lambda db, token: None


def pause(db: Rows, endpoint_id: str, why: str, now: int) -> bool:
    """Pauses an endpoint and holds what waits for it; False when it is paused already. `why`: hand, gone, failing."""
    paused = store.endpoints.pause(db, endpoint_id, why, now)
    store.deliveries.hold(db, endpoint_id)
    return paused


def claim(db_store: Store, delivery: Delivery, now: int) -> Delivery | None:
    """Takes a due delivery for one try. None: another worker has it."""
    return db_store.in_turn(lambda _: [turns.delivery(delivery.id)], lambda db, _: take(db, delivery, now))


def take(db: Rows, delivery: Delivery, now: int) -> Delivery | None:
    """`claim` within a transaction; what it gives may be sent when that is on the disk."""
    return store.deliveries.claim(db, delivery, now + LEASE_S)


def deliver(db_store: Store, dialects: Dialects, send: Send, claimed: Delivery, clock: Clock) -> bool:
    """One try at a claimed delivery: sends it and books the answer. True when the merchant has acknowledged."""
    tried = send_once(db_store, dialects, send, claimed, clock)
    if tried is None:
        return False
    with db_store.transaction() as db:
        book(db, tried, clock())
    tell(tried)
    return tried.acknowledged


def send_once(db_store: Store, dialects: Dialects, send: Send, claimed: Delivery, clock: Clock) -> Tried | None:
    """Sends a claimed delivery once. None, and nothing was sent: its endpoint was removed or paused since."""
    if claimed.endpoint:
        return _send_event(db_store, send, claimed, clock)
    with db_store.read() as db:
        order = store.orders.get(db, claimed.order_token)
        merchant = store.merchants.get(db, claimed.merchant)
        receipt = store.receipts.of_order(db, claimed.order_token)
    assert order is not None
    assert merchant is not None
    started = clock()
    shown = receipt.token if receipt else ""
    return _try(
        claimed,
        started,
        lambda: send(_message(dialects, claimed, order, merchant, shown, started)),
        lambda found: dialects[claimed.dialect].acknowledged(found),
    )


def _send_event(db_store: Store, send: Send, claimed: Delivery, clock: Clock) -> Tried | None:
    with db_store.read() as db:
        endpoint = store.endpoints.get(db, claimed.endpoint)
    if endpoint is None or endpoint.paused_at is not None:
        return None
    started = clock()
    return _try(
        claimed, started, lambda: send(_event(claimed, endpoint, started)), lambda found: 200 <= found.status < 300
    )


def words_of(claimed: Delivery) -> list[str]:
    """What booking a try touches, unless it pauses an endpoint."""
    return [turns.delivery(claimed.id), *([turns.endpoint(claimed.endpoint)] if claimed.endpoint else [])]


def book(db: Rows, tried: Tried, now: int, turn: Turn = ALONE) -> None:
    """Keeps what became of a try, and plans the next one where there is one. Raises `TooNarrow`."""
    claimed = tried.delivery
    store.deliveries.add_try(db, _kept(tried))
    if claimed.endpoint:
        _judge(db, claimed, tried.answer, tried.acknowledged, now, turn)
    if tried.acknowledged:
        store.deliveries.acknowledge(db, claimed.id, now)
        return
    # Not `claimed.attempts`: servers that die in the middle of their tries must not use up the three days.
    delay = delay_after(store.deliveries.tried(db, claimed.id, claimed.tried_before))
    if delay is None:
        store.deliveries.fail(db, claimed, now)
    else:
        store.deliveries.postpone(db, claimed, now + delay)


def tell(tried: Tried) -> None:
    """Logs a try, once it is booked."""
    delivery, answer = tried.delivery, tried.answer
    answered = {"status": answer.status, "duration_ms": answer.elapsed_ms} if answer is not None else {}
    logs.event(
        "message.tried", delivery=delivery.id, about=delivery.event, order=delivery.order_token,
        merchant=delivery.merchant, endpoint=delivery.endpoint, attempt=delivery.attempts,
        acknowledged=tried.acknowledged, why=tried.error, **answered,
    )  # fmt: skip


def outgoing(db_store: Store, dialects: Dialects, delivery: Delivery, now: int) -> Outgoing | None:
    """The message as it would be sent now, for people to look at. None: its endpoint was removed."""
    with db_store.read() as db:
        order = store.orders.get(db, delivery.order_token)
        merchant = store.merchants.get(db, delivery.merchant)
        receipt = store.receipts.of_order(db, delivery.order_token)
        endpoint = store.endpoints.get(db, delivery.endpoint)
    if delivery.endpoint:
        return _event(delivery, endpoint, now) if endpoint else None
    assert order is not None
    assert merchant is not None
    return _message(dialects, delivery, order, merchant, receipt.token if receipt else "", now)


def resend(db_store: Store, delivery_id: str, now: int) -> Delivery:
    """Makes a delivery due again, whatever became of it; it keeps its id.

    Refused: NOT_FOUND, BAD_URL (still nobody to tell), NOT_ALLOWED (its endpoint was removed, or is paused)."""
    with db_store.transaction() as db:
        delivery = store.deliveries.get(db, delivery_id)
        if delivery is None:
            raise Refusal(Code.NOT_FOUND, "There is no such delivery.")
        url = _address_now(db, delivery)
        again = store.deliveries.resend(db, delivery_id, url, now)
        assert again is not None
        return again


def _address_now(db: Rows, delivery: Delivery) -> str:
    if delivery.endpoint:
        endpoint = store.endpoints.get(db, delivery.endpoint)
        if endpoint is None:
            raise Refusal(Code.NOT_ALLOWED, "The endpoint of this message was removed.")
        if endpoint.paused_at is not None:
            hint = f"checkout webhook resume {endpoint.id}"
            raise Refusal(Code.NOT_ALLOWED, f"The endpoint of this message is paused: {hint}.")
        return endpoint.url
    merchant = store.merchants.get(db, delivery.merchant)
    assert merchant is not None
    url = delivery.url or merchant.notify_url
    if not url:
        raise Refusal(Code.BAD_URL, "Neither the order nor its merchant has a notify URL: checkout merchant set.")
    return url


def delay_after(tries: int) -> int | None:
    """Seconds to the next try after `tries` tries, up to a tenth more than planned; None: no more tries.

    Never less: the last try must come after three days, however the dice fall."""
    if tries >= len(SCHEDULE):
        return None
    delay = SCHEDULE[tries]
    return delay * (1000 + secrets.randbelow(101)) // 1000


def _message(
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


def _try(delivery: Delivery, at: int, send: Callable[[], Answer], acknowledged: Callable[[Answer], bool]) -> Tried:
    """A fault of ours is one more failed try: left to the lease, it would be repeated twice a minute for ever."""
    try:
        answer = send()
        return Tried(delivery, at, answer, acknowledged(answer), "")
    except Unreachable as error:
        return Tried(delivery, at, None, False, str(error))
    except Exception:
        log.exception("Delivery %s could not be tried", delivery.id)
        why = "The message could not be made or its answer not be read; the log says why."
        return Tried(delivery, at, None, False, why)


def _kept(tried: Tried) -> Try:
    claimed, answer = tried.delivery, tried.answer
    if answer is None:
        return Try(claimed.id, claimed.attempts, tried.at, None, 0, "", tried.error)
    text = answer.body[:_KEPT_ANSWER].decode("utf-8", "replace").replace("\x00", "\ufffd")
    text = text.encode()[:_KEPT_ANSWER].decode("utf-8", "ignore")  # each replaced byte has become three
    return Try(claimed.id, claimed.attempts, tried.at, answer.status, answer.elapsed_ms, text, "")


def _judge(db: Rows, delivery: Delivery, answer: Answer | None, acknowledged: bool, now: int, turn: Turn) -> None:
    """What a try says of its endpoint. A pause holds what waits, this message too: resuming sends it again. Nobody may
    add a message for it meanwhile."""
    if acknowledged:
        store.endpoints.succeeded(db, delivery.endpoint)
        return
    failing_since = store.endpoints.failed(db, delivery.endpoint, now)
    is_gone = answer is not None and answer.status == _GONE
    if is_gone or now - failing_since >= PAUSE_AFTER_S:
        turn.expect_alone()
        pause(db, delivery.endpoint, "gone" if is_gone else "failing", now)
