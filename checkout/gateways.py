"""Orders that are paid through official gateways: started there, asked about, booked from notices, closed.

The network is never used inside a transaction: look, call, then write what came of it under the database's own lock.
No Flask, no SQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from checkout import announcements, refund_notices, settlement, store
from checkout.channel import Channel, GatewayError, Heard, Notice, Paid, Prompt, Scene, Standing, Start
from checkout.errors import Code, Refusal
from checkout.interfaces import Clock, NewId, Rows, Store
from checkout.model import Judgement, Order, Payment, State
from checkout.money import yuan
from checkout.store.gateways import StoredPrompt, Watch

Channels = Mapping[str, Channel]

# Seconds from one question to the next while an order waits; a page that is open asks sooner.
ASK_AFTER_S = (10, 10, 20, 20, 30, 60, 60, 120)
LEASE_S = 30


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
    """One question about a claimed watch: books money whose notice never came; closes the order there after its end."""
    now = clock()
    channel = channels.get(watch.channel)
    with db_store.read() as db:
        order = store.orders.get(db, watch.order_token)
    if channel is None or order is None or order.state is State.PAID:
        _forget(db_store, watch.order_token)
        return
    try:
        over = _asked(db_store, channel, order, new_id, now)
    except GatewayError:
        over = False
    with db_store.transaction() as db:
        if over:
            store.gateways.forget(db, order.token)
        else:
            wait = ASK_AFTER_S[min(watch.ask, len(ASK_AFTER_S) - 1)]
            store.gateways.postpone(db, order.token, now + wait, closing=order.state_at(now) is not State.PENDING)


def _asked(db_store: Store, channel: Channel, order: Order, new_id: NewId, now: int) -> bool:
    """True when nothing more can come of asking. An order that has ended is closed first and asked about after that:
    between a question and a closing the buyer could still pay."""
    ended = order.state_at(now) is not State.PENDING
    if ended:
        channel.close(order, now)
    found = channel.query(order, now)
    if found.standing is Standing.PAID and found.paid is not None:
        text = _asked_about(found.paid)
        return book(db_store, channel, found.paid, text, new_id=new_id, now=now, mismatch=found.doubt)
    return ended


def _asked_about(paid: Paid) -> str:
    """What is kept of an answer; a notice keeps its own words."""
    return json.dumps({"query": True, "out_trade_no": paid.order_token})


def _judge(db: Rows, channel: Channel, order: Order, payment: Payment, mismatch: str, new_id: NewId, now: int) -> None:
    doubt = mismatch or _mismatch(channel, order, payment)
    if doubt:
        _file(db, payment, Judgement.UNMATCHED, doubt, now, order.token)
        announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)
        return
    paid = settlement.settle(
        db, order, replace(payment, account=order.account), Judgement.MATCHED, note="", new_id=new_id, now=now
    )
    if paid is None:
        note = "Double payment: the order was paid already. Give one of the two back."
        _file(db, payment, Judgement.SUSPECTED, note, now, order.token)
        announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)
    else:
        store.gateways.forget(db, order.token)


def _mismatch(channel: Channel, order: Order, payment: Payment) -> str:
    """Why the evidence does not fit the order, "" when it does."""
    if order.channel != channel.name:
        return "The order was not to be paid through this channel."
    assert payment.amount is not None
    if payment.amount != order.really_price:
        due = yuan(order.really_price or order.price)
        return f"The gateway reports {yuan(payment.amount)}, the order is for {due}."
    return ""


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
