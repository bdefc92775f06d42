"""Money and orders brought together: an order becomes paid, by a payment that fits or by hand. No Flask, no SQL."""

from __future__ import annotations

from checkout import amounts, audit, logs, orders, products, store, tallies
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Owed, Rows, Store
from checkout.model.orders import Order, State
from checkout.model.payments import BY_HAND, Judgement, Payment
from checkout.money import yuan
from checkout.outbox import announcements, deliveries


def confirm(db_store: Store, token: str, *, amount: int, reason: str, actor: str, new_id: NewId, now: int) -> Order:
    """Books an order as paid by hand: the owner has seen the money. `amount` (fen) must be the order's own.

    Audited. Refused: NOT_FOUND, BAD_AMOUNT, BAD_REQUEST (no reason), NOT_ALLOWED (paid already, no method chosen).
    """
    if not reason.strip():
        raise Refusal(Code.BAD_REQUEST, "Confirming by hand needs a reason.")
    with db_store.transaction() as db:
        order = orders.existing(db, token)
        due = amount_due(order)
        if amount != due:
            raise Refusal(Code.BAD_AMOUNT, f"The amount does not fit: the order is for {yuan(due)}.")
        payment = _payment_by_hand(order, amount, reason, new_id, now)
        store.payments.add(db, payment)
        paid = settle(db, order, payment, Judgement.LINKED, note=reason, new_id=new_id, now=now)
        if paid is None:
            raise Refusal(Code.NOT_ALLOWED, "The order, or another one of the same number, is paid already.")
        audit.note(db, actor, "order.confirm", token, {"amount": yuan(amount), "reason": reason}, new_id, now)
    tell(paid, payment.id)
    return paid


def tell(paid: Order, payment_id: str) -> None:
    """Logs that an order was paid, once that is on the disk."""
    logs.event("order.paid", order=paid.token, merchant=paid.merchant, payment=payment_id, late=paid.late)


def settle(
    db: Rows, order: Order, payment: Payment, judgement: Judgement, *,
    note: str, owed: Owed = deliveries.UNCLAIMED, new_id: NewId, now: int,
) -> Order | None:  # fmt: skip
    """Moves the order to PAID, books the payment to it and owes the merchant a message, all in the caller's
    transaction. None, and nothing changed: the order, or another one of the same number, is paid already.

    Waiting orders of the same number are closed; their amounts rest as planned, as they may have been shown."""
    others = store.orders.other_attempts(db, order)
    if any(other.state is State.PAID for other in others):
        return None
    paid = store.orders.pay(db, order.token, now)
    if paid is None:
        return None
    tallies.paid(db, paid, now)
    for other in others:
        closed = store.orders.close(db, other.token, now)
        if closed is not None:
            store.gateways.end(db, other.token, now)
            announcements.of_order(db, closed, "order.closed", new_id=new_id, now=now)
    if judgement is Judgement.MATCHED:
        paid = _as_paid(db, paid, payment, now)
    if judgement is Judgement.MATCHED and paid.late:
        judgement = Judgement.LATE
    account = payment.account or _received_by(db, payment, paid)
    _rest_after_payment(db, paid, judgement, now)
    store.payments.judge(db, payment, judgement, order=paid, account=account, note=note, now=now)
    receipt = products.fulfil(db, paid, now)
    deliveries.owe(db, paid, "order.paid", receipt=receipt.token, owed=owed, new_id=new_id, now=now)
    for message in announcements.of_order(db, paid, "order.paid", new_id=new_id, now=now):
        owed.event(message)
    return paid


def amount_due(order: Order) -> int:
    """What the payer sends, in fen. Refused (NOT_ALLOWED): no method was chosen, so no QR code was ever shown."""
    if order.really_price is None:
        raise Refusal(Code.NOT_ALLOWED, "The buyer has not chosen how to pay, so nobody can have paid this order.")
    return order.really_price


def _as_paid(db: Rows, paid: Order, payment: Payment, now: int) -> Order:
    """The order with the account and amount that the money came by: the buyer may have switched the method, or a
    gateway that the order had moved away from was paid."""
    used = (payment.account, payment.amount)
    if used == (paid.account, paid.really_price) or payment.amount is None:
        return paid
    account = store.accounts.get(db, payment.account)
    if account is None:
        return paid
    if account.channel != payment.channel and used not in store.slots.of_order(db, paid.token, now):
        return paid
    return store.orders.paid_by(
        db, paid.token, method=account.method, account=account.id, channel=account.channel, really_price=payment.amount
    )


def _received_by(db: Rows, payment: Payment, paid: Order) -> str:
    """The account that money linked by hand came to: the order's own, unless who reported it watches only another."""
    if payment.device:
        watched = store.devices.accounts_of(db, payment.device, payment.method)
    else:
        watched = [one.id for one in store.accounts.all_of(db) if one.channel == payment.channel]
    return watched[0] if len(watched) == 1 else paid.account


def _rest_after_payment(db: Rows, paid: Order, judgement: Judgement, now: int) -> None:
    rest = amounts.rest_of_paid(now, paid.expires_at)
    if judgement is Judgement.LINKED:
        # The owner may have been faster than the phone: its push must not find a stranger's order later on.
        store.slots.prolong(db, paid.token, rest, now)
    else:
        store.slots.set_rest(db, paid.token, paid.account, amount_due(paid), rest)


def _payment_by_hand(order: Order, amount: int, reason: str, new_id: NewId, now: int) -> Payment:
    return Payment(
        id=new_id("pay"), channel=BY_HAND, reference=order.token, device="", method=order.method, amount=amount,
        judgement=Judgement.UNMATCHED, order_token="", account=order.account, raw="", note=reason,
        happened_at=now, received_at=now, judged_at=None,
    )  # fmt: skip
