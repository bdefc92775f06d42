"""Refunds: money that goes back to buyers, never more than came. An order stays PAID whatever goes back.

A refund is first a row, written under the database's own lock; then `checkout.refunds.calls` has the gateway send the
money. What came to a personal wallet only its owner can send back; that is recorded here.
"""

from __future__ import annotations

import re
from collections.abc import Container

from checkout import audit, ids, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store
from checkout.model.deliveries import Try
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.model.refunds import Refund, RefundState
from checkout.money import yuan
from checkout.outbox import announcements
from checkout.refunds import money_back
from checkout.refunds.money_back import Back

_WAITING = (Judgement.SUSPECTED, Judgement.UNMATCHED, Judgement.UNREADABLE)
_NUMBER = re.compile(r"[!-~]{1,64}")
MAX_REASON = 200
# Where a caller gives refunds no number: the same one once more within this time repeats what got no answer.
REPEAT_S = 60
HELD_BACK = "Not sent any more: all of the money went back before the shop had heard of it."


def ask(
    db_store: Store, token: str, channels: Container[str], *, amount: int | None = None, reason: str,
    number: str = "", repeat_s: int = 0, actor: str, new_id: NewId, now: int,
) -> Refund:  # fmt: skip
    """Has the gateway that an order was paid through send `amount` (fen; None: all that is left) back; audited.

    `channels` are the configured ones. `number` is the caller's own for this refund ("": none): the same one again
    gives the same refund, whatever became of it; without one the same amount, or once more all that is left, within
    `repeat_s` seconds does, unless it failed. The row is written, the worker calls the gateway (wake it).

    Refused: NOT_FOUND, NOT_ALLOWED (not paid, nothing left, no gateway can do it), BAD_AMOUNT (more than is left),
    DUPLICATE (the number with another amount), BAD_REQUEST (no reason, a bad number).
    """
    _check(reason, number)
    with db_store.transaction() as db:
        order = _paid_order(db, token)
        known = _known(db, token, number, amount)
        if repeat_s and not number:
            known = _repeated(db, order, amount, now - repeat_s)
        if known:
            return known
        channel = money_back.channel_of(db, order)
        if money_back.is_by_hand(channel):
            raise Refusal(
                Code.NOT_ALLOWED,
                "Money on a personal code goes back by hand: send it in the app, then record it"
                f" (checkout order refund {token} --by-hand).",
            )
        if channel not in channels:
            raise Refusal(Code.NOT_ALLOWED, f"The channel {channel} of this order is not in checkout.toml any more.")
        given = _fitting(money_back.of(db, order), amount)
        refund = _refund(token, given, reason, number, channel, new_id, now)
        _write(db, refund, actor, new_id, now)
        return refund


def ask_for_payment(
    db_store: Store, payment_id: str, channels: Container[str], *, reason: str, actor: str, new_id: NewId, now: int
) -> Refund:
    """Has a gateway send back a whole payment that was booked to no order (paid twice, a wrong amount); audited.

    Refused: NOT_FOUND, BAD_REQUEST, CONFLICT (booked, set aside, or on its way back), NOT_ALLOWED (no gateway can).
    """
    _check(reason, "")
    with db_store.transaction() as db:
        payment = store.payments.get(db, payment_id)
        if payment is None:
            raise Refusal(Code.NOT_FOUND, "There is no such payment: checkout payment list --review.")
        store.refunds.lock(db, payment.order_token)
        check_unbooked(db, payment)
        if money_back.is_by_hand(payment.channel) or payment.amount is None:
            raise Refusal(
                Code.NOT_ALLOWED,
                "Money on a personal code goes back by hand: send it in the app, then set the payment aside"
                f" (checkout payment ignore {payment_id}).",
            )
        if payment.channel not in channels or not payment.order_token:
            raise Refusal(
                Code.NOT_ALLOWED, f"It cannot be sent back from here: use the merchant pages of {payment.channel}."
            )
        refund = _refund(
            payment.order_token, payment.amount, reason, "", payment.channel, new_id, now, payment=payment.id
        )
        _write(db, refund, actor, new_id, now)
        return refund


def by_hand(
    db_store: Store, token: str, *, amount: int | None = None, reason: str, number: str = "",
    actor: str, new_id: NewId, now: int,
) -> Refund:  # fmt: skip
    """Records that the owner sent `amount` (fen; None: all that is left) back without us. Audited; refused as `ask`."""
    _check(reason, number)
    with db_store.transaction() as db:
        order = _paid_order(db, token)
        if known := _known(db, token, number, amount):
            return known
        given = _fitting(money_back.of(db, order), amount)
        own = new_id("ref")
        refund = Refund(own, token, number or own, given, reason, RefundState.BY_HAND, created_at=now, done_at=now)
        _write(db, refund, actor, new_id, now)
        _tell(db, refund, new_id, now)
        return refund


def done(db: Rows, refund: Refund, now: int) -> None:
    """Books that the gateway has sent the money of a refund back; whoever hears of it second changes nothing."""
    went = store.refunds.done(db, refund.id, now)
    if went is not None and went.payment:
        store.payments.set_aside(db, went.payment, f"Given back to the buyer: {went.reason}", now)
    elif went is not None:
        _tell(db, went, ids.new_id, now)


def record(db: Rows, refund: Refund, new_id: NewId, now: int) -> None:
    """Records that money of an order went back without us. The caller has checked that it fits."""
    store.refunds.add(db, refund)
    _tell(db, refund, new_id, now)


def fits(db: Rows, failed: Refund) -> bool:
    """Whether the money of a failed refund could be going back after all."""
    if failed.payment:
        payment = store.payments.get(db, failed.payment)
        return payment is not None and payment.judgement in _WAITING and not _is_going_back(db, payment)
    order = store.orders.get(db, failed.order_token)
    return order is not None and money_back.of(db, order).left >= failed.amount


def check_unbooked(db: Rows, payment: Payment) -> None:
    """Refused (CONFLICT): the payment is booked, set aside, or on its way back to its buyer."""
    if payment.judgement not in _WAITING:
        raise Refusal(Code.CONFLICT, "This payment has been dealt with already.")
    if _is_going_back(db, payment):
        raise Refusal(Code.CONFLICT, "This payment is on its way back to its buyer already.")


def _is_going_back(db: Rows, payment: Payment) -> bool:
    return any(one.state is not RefundState.FAILED for one in store.refunds.of_payment(db, payment.id))


def _tell(db: Rows, refund: Refund, new_id: NewId, now: int) -> None:
    order = store.orders.get(db, refund.order_token)
    assert order is not None
    announcements.of_order(db, order, "order.refunded", refund=refund, new_id=new_id, now=now)
    if money_back.of(db, order).is_whole:
        _hold_back_the_word(db, order, now)


def _hold_back_the_word(db: Rows, order: Order, now: int) -> None:
    """A shop that was out of reach so far would hand its goods over for money that is gone."""
    for one in store.deliveries.give_up(db, order.token, "order.paid", now):
        store.deliveries.add_try(db, Try(one.id, one.attempts + 1, now, None, 0, "", HELD_BACK))


def _check(reason: str, number: str) -> None:
    if not reason.strip():
        raise Refusal(Code.BAD_REQUEST, "A refund needs a reason.")
    if len(reason) > MAX_REASON:
        raise Refusal(Code.BAD_REQUEST, f"The reason of a refund has at most {MAX_REASON} characters.")
    if number and not _NUMBER.fullmatch(number):
        raise Refusal(Code.BAD_REQUEST, "The number of a refund has 1 to 64 letters, digits and signs.")


def _paid_order(db: Rows, token: str) -> Order:
    store.refunds.lock(db, token)
    order = store.orders.get(db, token)
    if order is None:
        raise Refusal(Code.NOT_FOUND, "There is no such order.")
    if order.state is not State.PAID:
        raise Refusal(Code.NOT_ALLOWED, "Only a paid order can be refunded.")
    return order


def _known(db: Rows, token: str, number: str, amount: int | None) -> Refund | None:
    """The refund that the caller asked for before under this number."""
    known = store.refunds.by_number(db, token, number) if number else None
    if known is not None and amount not in (None, known.amount):
        raise Refusal(Code.DUPLICATE, f"A refund of this number is there already, over {yuan(known.amount)}.")
    return known


def _repeated(db: Rows, order: Order, amount: int | None, since: int) -> Refund | None:
    """The refund without a number, made after `since`, that a request without one repeats: the newest over the same
    amount, or, where all that is left is asked for and nothing is, the newest."""
    if amount is None and money_back.of(db, order).left:
        return None
    found = (one for one in reversed(store.refunds.of_order(db, order.token)) if amount in (None, one.amount))
    own = (one for one in found if one.number == one.id and one.state is not RefundState.FAILED)
    return next((one for one in own if one.created_at > since), None)


def _fitting(stands: Back, amount: int | None) -> int:
    """What is to go back. Refused: NOT_ALLOWED, BAD_AMOUNT."""
    if amount is None and not stands.left:
        raise Refusal(Code.NOT_ALLOWED, "All of this order's money went back already, or is on its way.")
    wanted = stands.left if amount is None else amount
    if not 0 < wanted <= stands.left:
        raise Refusal(Code.BAD_AMOUNT, f"At most {yuan(stands.left)} of this order can still be refunded.")
    return wanted


def _refund(
    token: str, amount: int, reason: str, number: str, channel: str, new_id: NewId, now: int, *, payment: str = ""
) -> Refund:
    refund_id = new_id("ref")
    return Refund(
        refund_id, token, number or refund_id, amount, reason, RefundState.ASKED, created_at=now, done_at=None,
        channel=channel, due_at=now, payment=payment,
    )  # fmt: skip


def _write(db: Rows, refund: Refund, actor: str, new_id: NewId, now: int) -> None:
    store.refunds.add(db, refund)
    detail = {"refund": refund.id, "amount": yuan(refund.amount), "reason": refund.reason}
    if refund.payment:
        audit.note(db, actor, "payment.refund", refund.payment, detail, new_id, now)
    else:
        audit.note(db, actor, "order.refund", refund.order_token, detail, new_id, now)
