"""Refunds: money that goes back to buyers, never more than they paid."""

from __future__ import annotations

from checkout import audit, store
from checkout.errors import Code, Refusal
from checkout.interfaces import NewId, Rows, Store
from checkout.model import Judgement, Order, Refund, RefundState, State
from checkout.money import yuan

_SETTLING = (Judgement.MATCHED, Judgement.LATE, Judgement.LINKED)


def by_hand(db_store: Store, token: str, *, amount: int, reason: str, actor: str, new_id: NewId, now: int) -> Refund:
    """Records that the owner sent `amount` (fen) back; Checkout cannot move money on a personal wallet. Audited.

    Refused: NOT_FOUND, NOT_ALLOWED (not paid), BAD_AMOUNT (more than is left), BAD_REQUEST (no reason).
    """
    if not reason.strip():
        raise Refusal(Code.BAD_REQUEST, "A refund needs a reason.")
    with db_store.transaction() as db:
        order = store.orders.get(db, token)
        if order is None:
            raise Refusal(Code.NOT_FOUND, "There is no such order.")
        if order.state is not State.PAID:
            raise Refusal(Code.NOT_ALLOWED, "Only a paid order can be refunded.")
        left = paid_amount(db, order) - store.refunds.total(db, token)
        if not 0 < amount <= left:
            raise Refusal(Code.BAD_AMOUNT, f"At most {yuan(left)} of this order can still be refunded.")
        number = new_id("ref")
        refund = Refund(number, token, number, amount, reason, RefundState.BY_HAND, created_at=now, done_at=now)
        store.refunds.add(db, refund)
        audit.note(db, actor, "order.refund", token, {"amount": yuan(amount), "reason": reason}, new_id, now)
        return refund


def paid_amount(db: Rows, order: Order) -> int:
    """Fen that came for a paid order: what was seen, else what was to be paid."""
    seen = [one.amount for one in store.payments.of_order(db, order.token) if one.judgement in _SETTLING]
    return next((amount for amount in seen if amount is not None), order.really_price or order.price)
