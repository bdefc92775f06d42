"""Orders that are paid through official gateways: started there, asked about, booked from notices, closed.

The network is never used inside a transaction: look, call, then write what came of it under the database's own lock.
No Flask, no SQL.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace

from checkout import announcements, http, refund_notices, refunds, settlement, store, troubles
from checkout.channel import Channel, GatewayError, Heard, Notice, Paid, Prompt, Scene, Standing, Start
from checkout.errors import Code, Refusal
from checkout.interfaces import Clock, NewId, Rows, Store
from checkout.model import Judgement, Order, Payment, State
from checkout.money import yuan
from checkout.store.gateways import StoredPrompt, Watch

log = logging.getLogger(__name__)

Channels = Mapping[str, Channel]

# Seconds from one question to the next while an order waits; a page that is open asks sooner.
ASK_AFTER_S = (10, 10, 20, 20, 40, 60, 60, 120)
LEASE_S = 30
ASK_EVERY_S = 4
SELDOM_AFTER_S = 900  # after an order's end
END_S = 3 * 86_400  # then a gateway that only fails is given up, and the doctor says so


def prompt_for(db_store: Store, channels: Channels, ask: Start) -> Prompt:
    """What the buyer is shown: asked of the gateway once, then remembered.

    Raises `GatewayError`; refused (NOT_ALLOWED): the channel does not serve the scene, the order does not wait.
    """
    channel = channels.get(ask.order.channel)
    if channel is None:
        raise GatewayError("The gateway of this order is no longer configured.", permanent=True)
    if ask.scene not in channel.scenes():
        raise Refusal(Code.NOT_ALLOWED, f"The channel {channel.name} does not serve the scene {ask.scene}.")
    with db_store.read() as db:
        known = store.gateways.prompt(db, ask.order.token, channel.name, ask.scene)
    if known is not None:
        return known.prompt()
    if ask.order.state_at(ask.now) is not State.PENDING:
        raise Refusal(Code.NOT_ALLOWED, "The order does not wait for payment.")
    with db_store.transaction() as db:  # first, so that the order is asked about and closed there whatever happens
        store.gateways.begin(db, ask.order.token, channel.name, ask.scene, ask.now)
        store.gateways.watch(db, ask.order.token, channel.name, ask.now + ASK_AFTER_S[0])
    prompt = channel.start(ask)
    with db_store.transaction() as db:
        stored = StoredPrompt(channel.name, ask.scene, prompt.kind, prompt.text, prompt.params)
        store.gateways.add_prompt(db, ask.order.token, stored, ask.now)
        first = store.gateways.prompt(db, ask.order.token, channel.name, ask.scene)
    assert first is not None
    return first.prompt()


def book(
    db_store: Store, channel: Channel, paid: Paid, text: str, *, new_id: NewId, now: int, mismatch: str = ""
) -> bool:
    """Stores a gateway's evidence and judges it. True: it is safe here; False: the order is unknown (it may be a race).

    One transaction number is booked once. The wrong amount, another channel's order and a second payment of a paid
    order are stored and shown, never booked.
    """
    payment = _payment(channel, paid, text, new_id, now)
    with db_store.transaction() as db:
        order = store.orders.get(db, paid.order_token)
        if order is None:
            return False
        if store.payments.add(db, payment):
            _judge(db, channel, order, payment, mismatch, new_id, now)
        return True


def heed(db_store: Store, channel: Channel, notice: Notice, *, new_id: NewId, now: int) -> bool:
    """Does what a believed notice says. False: ask the gateway to send it again."""
    if notice.paid is not None:
        booked = book(db_store, channel, notice.paid, notice.text, new_id=new_id, now=now, mismatch=notice.mismatch)
        if not booked or notice.heard is not Heard.REFUND:
            return booked
    if notice.heard is Heard.REFUND:
        return refund_notices.hear(db_store, channel, notice, new_id=new_id, now=now)
    return notice.heard is not Heard.CLOSED or _closed(db_store, channel, notice, new_id, now)


def _closed(db_store: Store, channel: Channel, notice: Notice, new_id: NewId, now: int) -> bool:
    """Closed at the gateway: an unpaid order ends; what a paid one still holds has gone back to its buyer."""
    with db_store.transaction() as db:
        order = store.orders.get(db, notice.order_token)
        if order is None or notice.mismatch:
            return True
        if order.state is State.PAID:
            return refund_notices.went_back(db, channel, order, None, "", new_id=new_id, now=now)
        if order.channel == channel.name:
            closed = store.orders.close(db, order.token, now)
            if closed is not None:
                announcements.of_order(db, closed, "order.closed", new_id=new_id, now=now)
        return True


def check(db_store: Store, channels: Channels, watch: Watch, *, new_id: NewId, clock: Clock) -> None:
    """One question about a claimed watch, to every gateway that may know the order: books money whose notice never
    came; closes the order there after its end, and where it was not paid."""
    now = clock()
    with db_store.read() as db:
        order = store.orders.get(db, watch.order_token)
        places = store.gateways.places(db, watch.order_token) or [watch.channel]
        paid_by = _paid_by(db, order) if order is not None and order.state is State.PAID else ""
    if order is None:
        _forget(db_store, watch.order_token)
        return
    with http.within(LEASE_S - 5):
        left = [channels.get(name) for name in places if name != paid_by]
        over = [channel is not None and _is_over(db_store, channel, order, new_id, now) for channel in left]
    with db_store.transaction() as db:
        if all(over):
            store.gateways.forget(db, order.token)
        elif now - order.expires_at >= END_S:
            log.error("The order %s could not be asked about at its gateway for days; no more.", order.token)
            store.gateways.postpone(db, order.token, store.gateways.NEVER, closing=True)
        else:
            due_at = now + _wait(watch.ask, order, now)
            store.gateways.postpone(db, order.token, due_at, closing=order.state_at(now) is not State.PENDING)


def ask_now(db_store: Store, channels: Channels, token: str, *, new_id: NewId, now: int) -> None:
    """Asks every gateway that may know the order how it stands, and books what it finds.

    Refused: NOT_ALLOWED (it was begun at none), NOT_FOUND (the section is gone), GATEWAY (with what it said)."""
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
        _forget(db_store, token)


def hasten(db_store: Store, token: str, now: int) -> None:
    """The page of a waiting order is open, or its buyer comes back from the gateway: ask it soon.

    Nobody asks about one order more often than every `ASK_EVERY_S`, however many pages are open in however many
    processes: what was asked last follows from the row. A row whose question may be under way is left alone.
    """
    with db_store.read() as db:
        watch = store.gateways.watch_of(db, token)
    if watch is None or watch.due_at <= now + ASK_EVERY_S or now + LEASE_S - 10 <= watch.due_at <= now + LEASE_S:
        return
    asked_at = watch.due_at - ASK_AFTER_S[min(watch.ask, len(ASK_AFTER_S)) - 1] if watch.ask else 0
    with db_store.transaction() as db:
        store.gateways.bring_forward(db, watch, max(now, asked_at + ASK_EVERY_S))


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
    """An order that has ended is closed first and asked about after that: between a question and a closing the buyer
    could still pay. One that cannot be closed is asked about all the same: its money may be there."""
    ended = order.state_at(now) is not State.PENDING
    is_closed = ended and _is_closed(channel, order, now)
    found = channel.query(order, now)
    if found.standing is Standing.PAID and found.paid is not None:
        text = _asked_about(found.paid)
        return book(db_store, channel, found.paid, text, new_id=new_id, now=now, mismatch=found.doubt)
    return ended and (is_closed or found.standing is Standing.CLOSED)


def _is_closed(channel: Channel, order: Order, now: int) -> bool:
    try:
        channel.close(order, now)
    except GatewayError:
        return False
    return True


def _paid_by(db: Rows, order: Order) -> str:
    """The channel that brought the money of a paid order: nothing is to be closed or found there."""
    payment = refunds.settling(db, order)
    return payment.channel if payment else ""


def _wait(ask: int, order: Order, now: int) -> int:
    """Seconds to the next question. A gateway that only fails is asked less and less often."""
    since_end = now - order.expires_at
    if since_end > SELDOM_AFTER_S:
        return min(since_end // 4, 3600 * 6)
    return ASK_AFTER_S[min(ask, len(ASK_AFTER_S) - 1)]


def _asked_about(paid: Paid) -> str:
    """What is kept of an answer; a notice keeps its own words."""
    return json.dumps({"query": True, "out_trade_no": paid.order_token})


def _judge(db: Rows, channel: Channel, order: Order, payment: Payment, mismatch: str, new_id: NewId, now: int) -> None:
    doubt = mismatch or _mismatch(db, channel, order, payment)
    if doubt:
        _file(db, payment, Judgement.UNMATCHED, doubt, now, order.token)
        announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)
        return
    payment = replace(payment, account=_account(db, channel, order))
    paid = settlement.settle(db, order, payment, Judgement.MATCHED, note="", new_id=new_id, now=now)
    if paid is None:
        _file(db, payment, Judgement.SUSPECTED, _double(db, order), now, order.token)
        announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)
    elif store.gateways.places(db, order.token) in ([], [channel.name]):
        store.gateways.forget(db, order.token)
    else:
        store.gateways.watch(db, order.token, channel.name, now)  # the others still take money for it


def _double(db: Rows, order: Order) -> str:
    if _paid_by(db, order) == "hand":
        return "The order was confirmed by hand before; this is probably the same money. Look before giving any back."
    return "Double payment: the order was paid already. Give one of the two back."


def _mismatch(db: Rows, channel: Channel, order: Order, payment: Payment) -> str:
    """Why the evidence does not fit the order, "" when it does. An order may have moved on to another account; what
    its earlier gateway was told of, it may still be paid there."""
    if order.channel != channel.name and channel.name not in store.gateways.places(db, order.token):
        return "The order was not to be paid through this channel."
    assert payment.amount is not None
    due = order.price if order.channel != channel.name else order.really_price or order.price
    if payment.amount != due:
        return f"The gateway reports {yuan(payment.amount)}, the order is for {yuan(due)}."
    return ""


def _account(db: Rows, channel: Channel, order: Order) -> str:
    """The account that the money came to: the order's own, or that of the gateway that it had been at before."""
    if order.channel == channel.name:
        return order.account
    found = [one.id for one in store.accounts.all_of(db) if one.channel == channel.name]
    return found[0] if found else order.account


def _file(db: Rows, payment: Payment, judgement: Judgement, note: str, now: int, token: str = "") -> None:
    store.payments.judge(db, payment.id, judgement, token=token, account="", note=note, now=now)


def _forget(db_store: Store, token: str) -> None:
    with db_store.transaction() as db:
        store.gateways.forget(db, token)


def _payment(channel: Channel, paid: Paid, text: str, new_id: NewId, now: int) -> Payment:
    return Payment(
        id=new_id("pay"), channel=channel.name, reference=paid.reference, device="", method=channel.method,
        amount=paid.amount, judgement=Judgement.UNMATCHED, order_token="", account="", raw=text, note="",
        happened_at=paid.happened_at, received_at=now, judged_at=None,
    )  # fmt: skip


__all__ = ["Channels", "Scene", "book", "check", "heed", "prompt_for"]
