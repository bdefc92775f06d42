"""What buyers say when they have paid and nothing happened. A claim waits for the owner and confirms nothing by
itself."""

from __future__ import annotations

import re

from checkout import audit, money, store
from checkout.errors import Code, Conflict, Refusal
from checkout.interfaces import NewId, Store
from checkout.model.orders import Order, State
from checkout.model.payments import Claim

OPEN_FOR_S = 7 * 86_400
_DIGITS = re.compile(r"[0-9]{0,6}")


def file(
    db_store: Store, order: Order, *, amount: str, paid_around: str = "", last_digits: str = "", note: str = "",
    new_id: NewId, now: int,
) -> Claim:  # fmt: skip
    """Puts a buyer's words before the owner. `amount` in yuan as typed.

    Refused: BAD_AMOUNT, BAD_REQUEST, NOT_ALLOWED (paid, never shown, a week old), CONFLICT (one waits already)."""
    if order.state is State.PAID or order.really_price is None or now > order.created_at + OPEN_FOR_S:
        raise Refusal(Code.NOT_ALLOWED, "This order does not wait for a payment that could be looked for.")
    if not _DIGITS.fullmatch(last_digits) or max(len(paid_around), len(note)) > 200:
        raise Refusal(Code.BAD_REQUEST, "At most six last digits, and 200 characters in each of the other fields.")
    claim = Claim(new_id("clm"), order.token, money.fen(amount), paid_around, last_digits, note, now, None)
    try:
        with db_store.transaction() as db:
            store.receipts.claim(db, claim)
    except Conflict as error:
        raise Refusal(Code.CONFLICT, "Your message about this order is here already.") from error
    return claim


def answer(db_store: Store, claim_id: str, *, reason: str, actor: str, new_id: NewId, now: int) -> Claim:
    """Takes a claim off the list once the owner has looked; money is booked elsewhere (`payments.link`,
    `settlement.confirm`).

    Audited. Refused: NOT_FOUND, BAD_REQUEST (no reason)."""
    if not reason.strip():
        raise Refusal(Code.BAD_REQUEST, "An answer needs a reason.")
    with db_store.transaction() as db:
        claim = store.receipts.claim_by_id(db, claim_id)
        if claim is None:
            raise Refusal(Code.NOT_FOUND, "There is no such claim that waits: checkout claim list.")
        store.receipts.settle_claims(db, claim.order_token, now)
        audit.note(db, actor, "claim.answer", claim.id, {"order": claim.order_token, "reason": reason}, new_id, now)
        return claim
