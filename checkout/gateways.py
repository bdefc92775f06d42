"""Orders paid through official gateways: started there, booked from their evidence. Questions to them: `inquiries`.

The network is never used inside a transaction: read, call, then write the result under the database's own lock. No
Flask, no SQL.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from checkout import locks, logs, orders, settlement, store
from checkout.channel import Channel, Channels, GatewayError, Heard, Notice, Paid, Prompt, Start
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store
from checkout.locks import Held
from checkout.model.orders import Order, State
from checkout.model.payments import BY_HAND, Judgement, Payment
from checkout.money import yuan
from checkout.outbox import announcements
from checkout.refunds import money_back, notices
from checkout.store.gateways import StoredPrompt

# Seconds from one question about a waiting order to the next (`inquiries`).
ASK_AFTER_S = (10, 10, 20, 20, 40, 60, 60, 120)


class _Booked(NamedTuple):
    order: Order
    settled: Order | None  # the order as paid, where this payment paid it
    is_new: bool  # gateways repeat their notices


def prompt_for(db_store: Store, channels: Channels, ask: Start) -> Prompt:
    """What the buyer is shown: requested from the gateway once, then remembered.

    Raises `GatewayError`. Refused: NOT_ALLOWED (the channel does not serve the scene, or the order does not wait).
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
    begin(db_store, ask.order, channel, ask.scene, ask.now)
    return _first(db_store, ask, channel, channel.start(ask)).prompt()


def begin(db_store: Store, order: Order, channel: Channel, scene: str, now: int) -> None:
    """Before the gateway is asked, so that the order is asked about and closed there whatever happens."""

    def work(db: Rows, _: Held) -> None:
        store.gateways.begin(db, order.token, channel.name, scene, now)
        store.gateways.watch(db, order.token, channel.name, now + ASK_AFTER_S[0])

    db_store.locked(lambda _: [locks.number(order.merchant, order.number)], work)


def _first(db_store: Store, ask: Start, channel: Channel, prompt: Prompt) -> StoredPrompt:
    """What was given first, where two have asked."""
    stored = StoredPrompt(channel.name, ask.scene, prompt.kind, prompt.text, prompt.params)

    def work(db: Rows, _: Held) -> StoredPrompt:
        store.gateways.add_prompt(db, ask.order.token, stored, ask.now)
        first = store.gateways.prompt(db, ask.order.token, channel.name, ask.scene)
        assert first is not None
        return first

    return db_store.locked(lambda _: [locks.number(ask.order.merchant, ask.order.number)], work)


def book(
    db_store: Store, channel: Channel, paid: Paid, text: str, *, new_id: NewId, now: int, mismatch: str = ""
) -> bool:
    """Stores a gateway's evidence and judges it. True: it is stored safely; False: the order is unknown (perhaps a
    race).

    One transaction number is booked once. A wrong amount, an order of another channel and a second payment of a paid
    order are stored and shown, never booked.
    """
    payment = _payment(channel, paid, text, new_id, now)

    def work(db: Rows, held: Held) -> _Booked | None:
        order = store.orders.get(db, paid.order_token)
        if order is None:
            return None
        held.require(_keys_of(db, channel, order))
        is_new = store.payments.add(db, payment)
        settled = _judge(db, channel, order, payment, mismatch, new_id, now) if is_new else None
        return _Booked(order, settled, is_new)

    def keys(db: Rows) -> list[str] | None:
        order = store.orders.get(db, paid.order_token)
        return _keys_of(db, channel, order) if order else None

    booked = db_store.locked(keys, work)
    if booked is None:
        return False
    if booked.is_new:
        order = booked.order
        logs.event(
            "payment.received", payment=payment.id, channel=channel.name, order=order.token, merchant=order.merchant
        )
    if booked.settled is not None:
        settlement.tell(booked.settled, payment.id)
    return True


def handle_notice(db_store: Store, channel: Channel, notice: Notice, *, new_id: NewId, now: int) -> bool:
    """Does what a trusted notice says. False: the gateway must send it again."""
    if notice.paid is not None:
        booked = book(db_store, channel, notice.paid, notice.text, new_id=new_id, now=now, mismatch=notice.mismatch)
        if not booked or notice.heard is not Heard.REFUND:
            return booked
    if notice.heard is Heard.REFUND:
        return notices.handle(db_store, channel, notice, new_id=new_id, now=now)
    return notice.heard is not Heard.CLOSED or _closed(db_store, channel, notice, new_id, now)


def _closed(db_store: Store, channel: Channel, notice: Notice, new_id: NewId, now: int) -> bool:
    """The order was closed at the gateway: an unpaid one ends; what a paid one still holds has gone back to its
    buyer."""
    with db_store.transaction() as db:
        order = store.orders.get(db, notice.order_token)
        if order is None or notice.mismatch:
            return True
        if order.state is State.PAID:
            return notices.went_back(db, channel, order, None, "", new_id=new_id, now=now)
        closed = store.orders.close(db, order.token, now) if order.channel == channel.name else None
        if closed is not None:
            announcements.of_order(db, closed, "order.closed", new_id=new_id, now=now)
    if closed is not None:
        orders.tell_closed(closed)
    return True


def _judge(
    db: Rows, channel: Channel, order: Order, payment: Payment, mismatch: str, new_id: NewId, now: int
) -> Order | None:
    """The order that the payment settles, or None with the reason noted on the payment."""
    doubt = mismatch or _mismatch(db, channel, order, payment)
    if doubt:
        _file(db, payment, Judgement.UNMATCHED, doubt, now, order)
        announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)
        return None
    payment = replace(payment, account=_account(db, channel, order))
    paid = settlement.settle(db, order, payment, Judgement.MATCHED, note="", new_id=new_id, now=now)
    if paid is None:
        _file(db, payment, Judgement.SUSPECTED, _double(db, order), now, order)
        announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)
    elif store.gateways.places(db, order.token) in ([], [channel.name]):
        store.gateways.forget(db, order.token)
    else:
        store.gateways.watch(db, order.token, channel.name, now)  # the others still take money for it
    return paid


def paid_by(db: Rows, order: Order) -> str:
    """The channel that brought the money of a paid order: nothing is left there to close or to find."""
    payment = money_back.settling(db, order)
    return payment.channel if payment else ""


def _double(db: Rows, order: Order) -> str:
    if paid_by(db, order) == BY_HAND:
        return "The order was confirmed by hand before; this is probably the same money. Look before giving any back."
    return "Double payment: the order was paid already. Give one of the two back."


def _mismatch(db: Rows, channel: Channel, order: Order, payment: Payment) -> str:
    """Why the evidence does not fit the order; "" if it does. An order may have moved to another account and still be
    paid at the gateway that it was started at before."""
    if order.channel != channel.name and channel.name not in store.gateways.places(db, order.token):
        return "The order was not to be paid through this channel."
    assert payment.amount is not None
    due = order.price if order.channel != channel.name else order.really_price or order.price
    if payment.amount != due:
        return f"The gateway reports {yuan(payment.amount)}, the order is for {yuan(due)}."
    return ""


def _keys_of(db: Rows, channel: Channel, order: Order) -> list[str]:
    """The lock keys of booking the money of an order that came through the channel."""
    return [*orders.keys_of(order), *locks.accounts([_account(db, channel, order)])]


def _account(db: Rows, channel: Channel, order: Order) -> str:
    """The account that received the money: the order's own, or the one at the gateway where the order was before."""
    if order.channel == channel.name:
        return order.account
    found = [one.id for one in store.accounts.all_of(db) if one.channel == channel.name]
    return found[0] if found else order.account


def _file(db: Rows, payment: Payment, judgement: Judgement, note: str, now: int, order: Order) -> None:
    store.payments.judge(db, payment, judgement, order=order, account="", note=note, now=now)


def _payment(channel: Channel, paid: Paid, text: str, new_id: NewId, now: int) -> Payment:
    return Payment(
        id=new_id("pay"), channel=channel.name, reference=paid.reference, device="", method=channel.method,
        amount=paid.amount, judgement=Judgement.UNMATCHED, order_token="", account="", raw=text, note="",
        happened_at=paid.happened_at, received_at=now, judged_at=None,
    )  # fmt: skip
