"""The outbox: what merchants are owed, tried until they acknowledge it or three days are over.

Claiming a delivery moves its due time ahead as a lease, so a dead worker's message comes back by itself. The network
is never used inside a transaction. What goes to a webhook endpoint (`announcements`) takes the same road; there it is
the endpoint that answers for it: 410 pauses it at once, three days without a success pause it too.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from checkout import locks, logs, store
from checkout.errors import Code, Refusal
from checkout.http.client import Answer, Unreachable
from checkout.interfaces import Clock, Dialects, NewId, Owed, Rows, Send, Store
from checkout.locks import ALL, Held
from checkout.model.deliveries import Delivery, DeliveryState, Try
from checkout.model.merchants import Merchant
from checkout.model.orders import Order
from checkout.outbox import letters
from checkout.outbox.letters import Tried

# Seconds from one try to the next; after the last one the delivery has failed.
SCHEDULE = (0, 5, 30, 120, 600, 1800, 3600, 3 * 3600, 8 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
LEASE_S = 30
PAUSE_AFTER_S = 3 * 86_400
_KEPT_ANSWER = 4096
_GONE = 410


class _Unclaimed:
    """What is owed waits to be found."""

    def reset(self) -> None: ...

    def callback(self, delivery: Delivery, order: Order, merchant: Merchant, receipt: str) -> Delivery:
        return delivery

    def event(self, delivery: Delivery) -> None: ...


UNCLAIMED: Owed = _Unclaimed()


def owe(db: Rows, order: Order, event: str, *, receipt: str, owed: Owed = UNCLAIMED, new_id: NewId, now: int) -> None:
    """Puts a message into the outbox, in the transaction that makes it due. `receipt`: the token of
    the order's receipt, for what its buyer is given."""
    merchant = store.merchants.get(db, order.merchant)
    assert merchant is not None
    url = order.notify_url or merchant.notify_url
    delivery = Delivery(
        id=new_id("msg"), order_token=order.token, merchant=order.merchant, dialect=order.dialect, event=event,
        url=url, state=DeliveryState.WAITING if url else DeliveryState.NONE, attempts=0, due_at=now, created_at=now,
        done_at=None,
    )  # fmt: skip
    store.deliveries.add(db, owed.callback(delivery, order, merchant, receipt) if url else delivery)


@contextmanager
def later() -> Iterator[Owed]:
    """The `interfaces.AtOnce` of a process without a worker."""
    yield UNCLAIMED


def leased(delivery: Delivery, now: int) -> Delivery:
    """The message as it is when it has been claimed for its next try: the try counted, due again when its lease of
    `LEASE_S` seconds is over."""
    return replace(delivery, attempts=delivery.attempts + 1, due_at=now + LEASE_S)


def pause(db: Rows, endpoint_id: str, why: str, now: int) -> bool:
    """Pauses an endpoint and holds what waits for it; False when it is paused already. `why`: hand, gone, failing."""
    paused = store.endpoints.pause(db, endpoint_id, why, now)
    store.deliveries.hold(db, endpoint_id)
    return paused


def claim(db_store: Store, delivery: Delivery, now: int) -> Delivery | None:
    """Takes a due delivery for one try. None: another worker has it."""
    return db_store.locked(lambda _: [locks.delivery(delivery.id)], lambda db, _: take(db, delivery, now))


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
    with db_store.read() as db:
        letter = letters.written(db, dialects, claimed, clock())
    if letter is None:
        return None
    reply: Answer | Unreachable | None = None
    try:
        reply = send(letter.request) if letter.request else None
    except Unreachable as error:
        reply = error
    return letters.judged(dialects, letter, reply)


def keys_of(claimed: Delivery) -> list[str]:
    """The lock keys of booking a try, unless it pauses an endpoint."""
    return [locks.delivery(claimed.id), *([locks.endpoint(claimed.endpoint)] if claimed.endpoint else [])]


def book(db: Rows, tried: Tried, now: int, held: Held = ALL) -> None:
    """Keeps what became of a try, and plans the next one where there is one. Raises `NotLocked`."""
    claimed = tried.delivery
    store.deliveries.add_try(db, _kept(tried))
    if claimed.endpoint:
        _judge(db, claimed, tried.answer, tried.acknowledged, now, held)
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


def _kept(tried: Tried) -> Try:
    claimed, answer = tried.delivery, tried.answer
    if answer is None:
        return Try(claimed.id, claimed.attempts, tried.at, None, 0, "", tried.error)
    text = answer.body[:_KEPT_ANSWER].decode("utf-8", "replace").replace("\x00", "\ufffd")
    text = text.encode()[:_KEPT_ANSWER].decode("utf-8", "ignore")  # each replaced byte has become three
    return Try(claimed.id, claimed.attempts, tried.at, answer.status, answer.elapsed_ms, text, "")


def _judge(db: Rows, delivery: Delivery, answer: Answer | None, acknowledged: bool, now: int, held: Held) -> None:
    """What a try says of its endpoint. A pause holds what waits, this message too: resuming sends it again. Nobody may
    add a message for it meanwhile."""
    if acknowledged:
        store.endpoints.succeeded(db, delivery.endpoint)
        return
    failing_since = store.endpoints.failed(db, delivery.endpoint, now)
    is_gone = answer is not None and answer.status == _GONE
    if is_gone or now - failing_since >= PAUSE_AFTER_S:
        held.require_all()
        pause(db, delivery.endpoint, "gone" if is_gone else "failing", now)
