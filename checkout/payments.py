"""Money that came: judged, and stored as it was reported.

Only an exact amount that stands for exactly one order settles by itself. Everything else waits in the review inbox;
nothing is ever dropped.
"""

from __future__ import annotations

import logging
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from checkout import audit, locks, logs, orders, settlement, store
from checkout.errors import Code, Refusal, StoreError
from checkout.interfaces import AtOnce, NewId, Owed, Rows, Store
from checkout.locks import Held, NotLocked
from checkout.model.accounts import PERSONAL
from checkout.model.devices import Device
from checkout.model.orders import Order, State
from checkout.model.payments import Judgement, Payment
from checkout.outbox import announcements, deliveries
from checkout.refunds import ledger

log = logging.getLogger(__name__)

# One phone app repeats a push after a second, under a new time, when it did not see our answer.
REPEAT_WINDOW_S = 3
# Where several phones watch an account each reports the same money, one of them perhaps only when it wakes up.
ECHO_WINDOW_S = 3600
# How far off "when the money came" may be where a phone counts in whole seconds.
CLOCK_SLACK_S = 5


class Report(Struct, frozen=True):
    """What a phone says: `amount` in fen (None: unreadable), `reference` is the same when it says it again.

    `event` is what the references of all messages about one notification begin with, up to and with a colon; "" where
    the app does not tell them apart. `came_at` is when the money came by our clock, where that is known: an order that
    was opened later was not meant. An equal amount within the `repeat_s` before makes this one a suspected repeat.
    """

    device: Device
    method: str
    amount: int | None
    reference: str
    raw: str
    happened_at: int
    note: str = ""
    event: str = ""
    came_at: int | None = None
    repeat_s: int = REPEAT_WINDOW_S


class Outcome(Struct, frozen=True):
    payment: Payment
    order: Order | None  # the order that it paid just now
    repeated: bool  # reported before: nothing was changed


def receive(db_store: Store, report: Report, *, new_id: NewId, now: int, at_once: AtOnce = deliveries.later) -> Outcome:
    """Judges the report and stores it, in one transaction; in `Store.together` the commit comes after all.

    One that cannot be judged for a fault of ours is stored for a person: many apps never repeat what was refused."""
    payment = _as_payment(report, new_id, now)
    try:
        with at_once() as owed:
            outcome = db_store.locked(
                lambda db: _keys_of(db, payment, now),
                lambda db, held: _book(db, report, payment, owed, new_id, now, held),
            )
    except (StoreError, NotLocked):
        raise
    except Exception:
        log.exception("Payment %s could not be judged; it waits in the review inbox", payment.id)
        outcome = db_store.locked(lambda _: None, lambda db, _: _set_apart(db, report, payment, new_id, now))
    db_store.afterwards(partial(_tell, outcome))
    return outcome


def _tell(outcome: Outcome) -> None:
    payment = outcome.payment
    if not outcome.repeated:
        logs.event("payment.received", payment=payment.id, device=payment.device)
    if outcome.order is not None:
        settlement.tell(outcome.order, payment.id)


def link(db_store: Store, payment_id: str, token: str, *, reason: str, actor: str, new_id: NewId, now: int) -> Order:
    """Books a payment from the review inbox to an order by hand; audited.

    Refused: NOT_FOUND, BAD_REQUEST (no reason), CONFLICT (dealt with already, or on its way back), NOT_ALLOWED (the
    order is paid, or no method was chosen).
    """
    if not reason.strip():
        raise Refusal(Code.BAD_REQUEST, "Linking by hand needs a reason.")
    with db_store.transaction() as db:
        payment, order = store.payments.get(db, payment_id), store.orders.get(db, token)
        if payment is None or order is None:
            raise Refusal(Code.NOT_FOUND, "There is no such payment." if payment is None else "There is no such order.")
        ledger.check_unbooked(db, payment)
        settlement.amount_due(order)
        paid = settlement.settle(db, order, payment, Judgement.LINKED, note=reason, new_id=new_id, now=now)
        if paid is None:
            raise Refusal(Code.NOT_ALLOWED, "The order, or another one of the same number, is paid already.")
        audit.note(db, actor, "payment.link", payment_id, {"order": token, "reason": reason}, new_id, now)
    settlement.tell(paid, payment_id)
    return paid


def ignore(db_store: Store, payment_id: str, *, reason: str, actor: str, new_id: NewId, now: int) -> None:
    """Takes a payment out of the review inbox without an order; audited. Refused: CONFLICT, BAD_REQUEST."""
    if not reason.strip():
        raise Refusal(Code.BAD_REQUEST, "Setting a payment aside needs a reason.")
    with db_store.transaction() as db:
        if not store.payments.set_aside(db, payment_id, reason, now):
            raise Refusal(Code.CONFLICT, "There is no such payment in the review inbox.")
        audit.note(db, actor, "payment.ignore", payment_id, {"reason": reason}, new_id, now)


def _keys_of(db: Rows, payment: Payment, now: int) -> list[str]:
    """The lock keys of judging the payment."""
    accounts = store.devices.accounts_of(db, payment.device, payment.method)
    keys = [locks.device(payment.device), *locks.accounts(accounts)]
    for _, token in store.slots.holders(db, accounts, payment.amount, now) if payment.amount is not None else ():
        order = store.orders.get(db, token)
        assert order is not None
        keys += orders.keys_of(order)
    return keys


def _book(db: Rows, report: Report, payment: Payment, owed: Owed, new_id: NewId, now: int, held: Held) -> Outcome:
    owed.reset()
    if store.payments.is_known(db, payment):
        return Outcome(payment, None, repeated=True)
    store.devices.pushed(db, report.device.id, now)
    return Outcome(payment, _judge(db, report, payment, owed, new_id, now, held), repeated=False)


def _set_apart(db: Rows, report: Report, payment: Payment, new_id: NewId, now: int) -> Outcome:
    """As `_book`, without judging."""
    if store.payments.is_known(db, payment):
        return Outcome(payment, None, repeated=True)
    store.devices.pushed(db, report.device.id, now)
    _file(db, payment, Judgement.UNMATCHED, "It could not be judged; the log says why.", new_id, now)
    return Outcome(payment, None, repeated=False)


def _judge(db: Rows, report: Report, payment: Payment, owed: Owed, new_id: NewId, now: int, held: Held) -> Order | None:
    """The order that the payment settles, or None with the reason noted on the payment."""
    if payment.amount is None:
        _file(db, payment, Judgement.UNREADABLE, payment.note or "The amount could not be read.", new_id, now)
        return None
    accounts = store.devices.accounts_of(db, payment.device, payment.method)
    held.require(locks.accounts(accounts))
    holders = store.slots.holders(db, accounts, payment.amount, now)
    if len(holders) != 1:
        note = "No waiting order has this amount." if not holders else "Several waiting orders have this amount."
        _file(db, payment, Judgement.UNMATCHED, note, new_id, now)
        return None
    ((account, token),) = holders
    order = store.orders.get(db, token)
    assert order is not None
    held.require(orders.keys_of(order))
    found = replace(payment, account=account)
    if doubt := _doubt(db, report, found, order, now):
        _file(db, payment, Judgement.SUSPECTED, doubt, new_id, now, order)
        return None
    if report.came_at is not None and order.created_at > report.came_at + CLOCK_SLACK_S:
        note = "The money came before the order of this amount was opened."
        _file(db, payment, Judgement.UNMATCHED, note, new_id, now)
        return None
    paid = settlement.settle(db, order, found, Judgement.MATCHED, note="", owed=owed, new_id=new_id, now=now)
    if paid is None:
        note = "Another order of the same number is paid already."
        _file(db, payment, Judgement.SUSPECTED, note, new_id, now, order)
    return paid


def _doubt(db: Rows, report: Report, payment: Payment, order: Order, now: int) -> str:
    """Why this may be a payment that is known already, "" if nothing says so."""
    if order.state is State.PAID:
        return "Its order was paid a moment ago: a repeat, or paid twice."
    if store.payments.equal_since(db, payment, now - report.repeat_s):
        return "The phone pushed the same amount shortly before."
    if report.event and store.payments.told_before(db, payment, report.event):
        return "The phone told of the same notification before."
    if store.payments.echoes(db, payment, now - ECHO_WINDOW_S, report.repeat_s):
        return "Perhaps the money that another phone of the account reported before."
    return ""


def _file(
    db: Rows, payment: Payment, judgement: Judgement, note: str, new_id: NewId, now: int, order: Order | None = None
) -> None:
    store.payments.judge(db, payment, judgement, order=order, account="", note=note, now=now)
    announcements.of_payment(db, payment.id, order, new_id=new_id, now=now)


def _as_payment(report: Report, new_id: NewId, now: int) -> Payment:
    return Payment(
        id=new_id("pay"), channel=PERSONAL, reference=report.reference, device=report.device.id,
        method=report.method, amount=report.amount, judgement=Judgement.UNMATCHED, order_token="", account="",
        raw=report.raw, note=report.note, happened_at=report.happened_at, received_at=now, judged_at=None,
    )  # fmt: skip
