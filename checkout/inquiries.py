"""Asking official gateways whether an order was paid there, for money whose notice never came; and closing ended orders
there.

The network is never used inside a transaction. No Flask, no SQL.
"""

from __future__ import annotations

import json
import logging

from checkout import gateways, locks, orders, store
from checkout.alerts import troubles
from checkout.channel import Channel, Channels, GatewayError, Paid, Standing
from checkout.errors import Code, Refusal
from checkout.gateways import ASK_AFTER_S
from checkout.http.client import within
from checkout.interfaces import Clock, NewId, Rows, Store
from checkout.locks import Held
from checkout.model.orders import Order, State
from checkout.store.gateways import Watch

log = logging.getLogger(__name__)

LEASE_S = 30
ASK_EVERY_S = 4  # while the page of the order is open
SELDOM_AFTER_S = 900  # after an order's end
END_S = 3 * 86_400  # then a gateway that only fails is given up, and the doctor says so


def check(db_store: Store, channels: Channels, watch: Watch, *, new_id: NewId, clock: Clock) -> None:
    """One round of questions for a claimed watch, to every gateway that may know the order: books money whose notice
    never came; closes the order there once it has ended, and wherever it was not paid."""
    now = clock()
    with db_store.read() as db:
        order = store.orders.get(db, watch.order_token)
        places = _places(db, watch)
        paid_by = gateways.paid_by(db, order) if order is not None and order.state is State.PAID else ""
    if order is None:
        _forget(db_store, watch.order_token)
        return
    with within(LEASE_S - 5):
        left = [channels.get(name) for name in places if name != paid_by]
        over = [channel is not None and _is_over(db_store, channel, order, new_id, now) for channel in left]
    is_given_up = not all(over) and now - order.expires_at >= END_S

    def plan(db: Rows, _: Held) -> None:
        if _places(db, watch) != places or _is_closed_since(db, order, now):
            store.gateways.postpone(db, order.token, now, closing=True)  # somebody was faster than the gateways
        elif all(over):
            store.gateways.forget(db, order.token)
        elif is_given_up:
            store.gateways.postpone(db, order.token, store.gateways.NEVER, closing=True)
        else:
            due_at = now + _wait(watch.ask, order, now)
            store.gateways.postpone(db, order.token, due_at, closing=order.state_at(now) is not State.PENDING)

    db_store.locked(lambda _: [locks.number(order.merchant, order.number)], plan)
    if is_given_up:
        log.error("The order %s could not be asked about at its gateway for days; no more.", order.token)


def claim(db_store: Store, watch: Watch, now: int) -> bool:
    """Takes a watch for one question; False: another worker has it."""
    return db_store.locked(
        lambda db: orders.number_keys(db, watch.order_token),
        lambda db, _: store.gateways.claim(db, watch, now + LEASE_S),
    )


def ask_now(db_store: Store, channels: Channels, token: str, *, new_id: NewId, now: int) -> None:
    """Asks every gateway that may know the order how it stands, and books what it finds.

    Refused: NOT_ALLOWED (it was started at none), NOT_FOUND (the section is gone), GATEWAY (with what it said)."""
    with db_store.read() as db:
        order, places = store.orders.get(db, token), store.gateways.places(db, token)
    if order is None or not places:
        raise Refusal(Code.NOT_ALLOWED, "There is no such order that was begun at an official gateway.")
    over = True
    for name in places:
        if name not in channels:
            raise Refusal(Code.NOT_FOUND, f"The channel {name} of this order is not in checkout.toml any more.")
        try:
            over &= _asked(db_store, channels[name], order, new_id, now)
        except GatewayError as error:
            raise Refusal(Code.GATEWAY, f"{name} could not be asked. {error.message}") from error
    if over:
        with db_store.transaction() as db:
            if store.gateways.places(db, token) == places:  # nobody has begun it at another one meanwhile
                store.gateways.forget(db, token)


def hasten(db_store: Store, token: str, now: int) -> None:
    """Asks soon about an order whose page is open, or whose buyer comes back from the gateway.

    Nobody asks about one order more often than every `ASK_EVERY_S`, however many pages are open in however many
    processes: the row tells when it was last asked about. A row whose question may be under way is left alone.
    """
    with db_store.read() as db:
        watch = store.gateways.watch_of(db, token)
    if watch is None or watch.due_at <= now + ASK_EVERY_S or now + LEASE_S - 10 <= watch.due_at <= now + LEASE_S:
        return
    asked_at = watch.due_at - ASK_AFTER_S[min(watch.ask, len(ASK_AFTER_S)) - 1] if watch.ask else 0
    db_store.locked(
        lambda db: orders.number_keys(db, token),
        lambda db, _: store.gateways.bring_forward(db, watch, max(now, asked_at + ASK_EVERY_S)),
    )


def came_back(db_store: Store, channel: Channel, token: str, now: int) -> None:
    """The buyer of an order comes from its gateway, which is asked at once. Refused: NOT_FOUND."""

    def work(db: Rows, _: Held) -> None:
        order = orders.existing(db, token)
        if order.channel == channel.name and order.paid_at is None:
            store.gateways.watch(db, token, channel.name, now)

    db_store.locked(lambda db: orders.number_keys(db, token), work)


def _places(db: Rows, watch: Watch) -> list[str]:
    """The gateways that may know the order."""
    return store.gateways.places(db, watch.order_token) or [watch.channel]


def _is_closed_since(db: Rows, order: Order, now: int) -> bool:
    """Whether the order was closed here after it was asked about as one that waits."""
    return order.state_at(now) is State.PENDING and orders.existing(db, order.token).state is State.CLOSED


def _is_over(db_store: Store, channel: Channel, order: Order, new_id: NewId, now: int) -> bool:
    """True when nothing more can come of asking this gateway."""
    try:
        over = _asked(db_store, channel, order, new_id, now)
    except GatewayError as error:
        log.info("%s was asked about %s in vain: %s", channel.name, order.token, error.message)
        if not error.permanent:  # one that refuses does answer
            troubles.note(db_store, troubles.of_gateway(channel.name), error.message, now)
        return False
    troubles.over(db_store, troubles.of_gateway(channel.name))
    return over


def _asked(db_store: Store, channel: Channel, order: Order, new_id: NewId, now: int) -> bool:
    """Closes an order that has ended before asking about it: between a question and a closing the buyer could still
    pay. One that cannot be closed is asked about all the same: its money may be there."""
    ended = order.state_at(now) is not State.PENDING
    is_closed = ended and _is_closed(channel, order, now)
    found = channel.query(order, now)
    if found.standing is Standing.PAID and found.paid is not None:
        text = _asked_about(found.paid)
        return gateways.book(db_store, channel, found.paid, text, new_id=new_id, now=now, mismatch=found.doubt)
    return ended and (is_closed or found.standing is Standing.CLOSED)


def _is_closed(channel: Channel, order: Order, now: int) -> bool:
    try:
        channel.close(order, now)
    except GatewayError:
        return False
    return True


def _wait(ask: int, order: Order, now: int) -> int:
    """Seconds until the next question. A gateway that only fails is asked less and less often."""
    since_end = now - order.expires_at
    if since_end > SELDOM_AFTER_S:
        return min(since_end // 4, 3600 * 6)
    return ASK_AFTER_S[min(ask, len(ASK_AFTER_S) - 1)]


def _asked_about(paid: Paid) -> str:
    """What is kept of an answer; a notice keeps its own words."""
    return json.dumps({"query": True, "out_trade_no": paid.order_token})


def _forget(db_store: Store, token: str) -> None:
    with db_store.transaction() as db:
        store.gateways.forget(db, token)
