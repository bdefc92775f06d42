"""Refunds at official gateways: claimed with a lease, called with the same number until the gateway says how it ended.

The caller may die at any moment, so from the second call on the gateway is first asked how the refund stands; the
refund is sent again only if the gateway does not know it. The network is never used inside a transaction.
"""

from __future__ import annotations

import json
import logging
import threading
import time

from msgspec.structs import replace

from checkout import logs, store
from checkout.channel import Channel, Channels, GatewayError, RefundAsk, Refunded, RefundStanding
from checkout.interfaces import Clock, Rows, Store
from checkout.model.orders import Order
from checkout.model.payments import Payment
from checkout.model.refunds import Refund, RefundState
from checkout.refunds import ledger, money_back

log = logging.getLogger(__name__)

LEASE_S = 60  # longer than a question and a call together
# Seconds from one call to the next, the last one again and again: banks take days.
AGAIN_AFTER_S = (2, 5, 10, 30, 60, 300, 900, 3600, 3 * 3600, 6 * 3600)
END_S = 30 * 86_400
CALLING_S, WATCH_S = 8.0, 4.0
_LOOK_S = 0.1
_watchers = threading.Semaphore(2)


def claim(db_store: Store, refund: Refund, now: int) -> Refund | None:
    """Takes a due refund for one call. None: another worker has it."""
    with db_store.transaction() as db:
        return store.refunds.claim(db, refund, now + LEASE_S)


def call(db_store: Store, channels: Channels, claimed: Refund, site: str, *, clock: Clock) -> None:
    """Makes one call for a claimed refund and books the outcome. `site` is our base URL, for the gateway's notice."""
    channel = channels.get(claimed.channel)
    if channel is None:
        outcome = _unknown(f"The channel {claimed.channel} is not in checkout.toml any more.")
    else:
        with db_store.read() as db:
            asked = _asked(db, claimed, site, clock())
        outcome = _outcome(channel, asked, is_first=claimed.attempts == 1)
    _book(db_store, claimed, outcome, clock())
    logs.event(
        "refund.called", refund=claimed.id, order=claimed.order_token, channel=claimed.channel,
        attempt=claimed.attempts, standing=outcome.standing, why=outcome.reason,
    )  # fmt: skip


def call_until_done(
    db_store: Store, channels: Channels, refund_id: str, site: str, *, clock: Clock,
    seconds: float | None = None,
) -> Refund:  # fmt: skip
    """Calls the gateway for `CALLING_S` seconds, or looks on while a worker does; gives the refund as it is then, which
    may still be on its way."""
    until = time.monotonic() + (CALLING_S if seconds is None else seconds)
    while True:
        with db_store.read() as db:
            refund = store.refunds.get(db, refund_id)
        assert refund is not None
        if refund.state is not RefundState.ASKED or time.monotonic() >= until:
            return refund
        is_due = refund.due_at is not None and refund.due_at <= clock()
        claimed = claim(db_store, refund, clock()) if is_due else None
        if claimed is None:
            time.sleep(_LOOK_S)
        else:
            call(db_store, channels, claimed, site, clock=clock)


def watch(db_store: Store, refund_id: str, *, seconds: float | None = None) -> Refund:
    """The refund as soon as a worker has finished it, or as it is after some seconds (`WATCH_S`).

    Calls nobody. At most two callers wait at once in a process, as buyers and phones need its threads too; others get
    the refund as it is.
    """
    may_wait = _watchers.acquire(blocking=False)
    try:
        until = time.monotonic() + (WATCH_S if seconds is None else seconds) * may_wait
        while True:
            with db_store.read() as db:
                refund = store.refunds.get(db, refund_id)
            assert refund is not None
            if refund.state is not RefundState.ASKED or time.monotonic() >= until:
                return refund
            time.sleep(_LOOK_S)
    finally:
        if may_wait:
            _watchers.release()


def _outcome(channel: Channel, asked: RefundAsk, *, is_first: bool) -> Refunded:
    """What the gateway says. A fault of ours is one more call in vain: left to the lease, it would be repeated every
    minute for ever."""
    try:
        return _called(channel, asked, is_first)
    except Exception:
        log.exception("The refund %s could not be called", asked.number)
        return _unknown("The gateway's answer could not be read; the log says why.")


def _called(channel: Channel, asked: RefundAsk, is_first: bool) -> Refunded:
    try:
        stands = Refunded(RefundStanding.REPEAT) if is_first else channel.refund_standing(asked)
    except GatewayError as error:
        return _unknown(error.message)  # also where asking again is of no use: the money may have gone
    if stands.standing is not RefundStanding.REPEAT:
        return stands
    try:
        return channel.refund(asked)
    except GatewayError as error:
        return Refunded(RefundStanding.FAILED, error.message) if error.permanent else _unknown(error.message)


def _unknown(why: str) -> Refunded:
    return Refunded(RefundStanding.PROCESSING, why)


def _asked(db: Rows, refund: Refund, site: str, now: int) -> RefundAsk:
    order = store.orders.get(db, refund.order_token)
    assert order is not None
    payment = store.payments.get(db, refund.payment) if refund.payment else money_back.settling(db, order)
    assert payment is not None
    assert payment.amount is not None
    return RefundAsk(
        replace(order, token=_number_there(payment, order)), paid=payment.amount, amount=refund.amount,
        number=refund.id, reason=refund.reason, reference=payment.reference,
        notify_url=f"{site}/notify/{refund.channel}" if site else "", now=now,
    )  # fmt: skip


def _number_there(payment: Payment, order: Order) -> str:
    """The gateway's name for what was paid: another order's where the payment was given to this one by hand."""
    try:
        told = json.loads(payment.raw)
    except ValueError:
        return order.token
    number = told.get("out_trade_no") if isinstance(told, dict) else None
    return number if isinstance(number, str) and number else order.token


def _book(db_store: Store, claimed: Refund, outcome: Refunded, now: int) -> None:
    with db_store.transaction() as db:
        if outcome.standing is RefundStanding.DONE:
            ledger.done(db, claimed, now)
        elif outcome.standing is RefundStanding.FAILED:
            store.refunds.fail(db, claimed, outcome.reason, now)
        elif now - claimed.created_at >= END_S:
            store.refunds.fail(db, claimed, _given_up(outcome.reason), now)
        else:
            wait = AGAIN_AFTER_S[min(claimed.attempts, len(AGAIN_AFTER_S)) - 1]
            store.refunds.postpone(db, claimed, now + wait, outcome.reason)


def _given_up(last: str) -> str:
    look = "Nobody knows whether the money went back: look at the gateway's merchant pages before you send it again."
    return f"{last} {look}".lstrip()
