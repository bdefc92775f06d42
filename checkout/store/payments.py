"""Payments: the evidence that money came, and what it was judged to be."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from msgspec.structs import replace

from checkout.interfaces import Row, Rows
from checkout.model.orders import Order
from checkout.model.payments import Judgement, Payment
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Payment)
_JUDGEMENT = Payment.__struct_fields__.index("judgement")
SETTLING = "('matched', 'late', 'linked')"  # as two indexes say it, word for word
_JUDGED = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in ("judgement", "order_token", "merchant", "account", "note", "judged_at")
)


def add(db: Rows, payment: Payment) -> bool:
    """False when the channel has reported this reference before: nothing is stored twice."""
    return db.run(insert(Payment, "payments") + " ON CONFLICT (channel, reference) DO NOTHING", **values(payment)) > 0


def is_known(db: Rows, payment: Payment) -> bool:
    """Whether the channel has reported this reference before."""
    row = db.one(
        "SELECT 1 FROM payments WHERE channel = :channel AND reference = :reference",
        channel=payment.channel, reference=payment.reference,
    )  # fmt: skip
    return row is not None


def of_device_at(db: Rows, device_id: str, at: int) -> Payment | None:
    """One that the device reported in the second `at`."""
    row = db.one(
        f"SELECT {_COLUMNS} FROM payments WHERE received_at = :at AND device = :device ORDER BY id DESC LIMIT 1",
        device=device_id, at=at,
    )  # fmt: skip
    return _payment(row) if row else None


def get(db: Rows, payment_id: str) -> Payment | None:
    row = db.one(f"SELECT {_COLUMNS} FROM payments WHERE id = :id", id=payment_id)
    return _payment(row) if row else None


def of_order(db: Rows, token: str) -> list[Payment]:
    """The payments that were booked to an order or may belong to it, the oldest first. In two halves, as each has an
    index of its own."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM payments WHERE order_token = :token AND judgement IN {SETTLING}"
        f" UNION ALL SELECT {_COLUMNS} FROM payments"
        f" WHERE order_token = :token AND order_token <> '' AND judgement NOT IN {SETTLING}",
        token=token,
    )
    return sorted(map(_payment, rows), key=lambda one: (one.received_at, one.id))


def judge(
    db: Rows, payment: Payment, judgement: Judgement, *, order: Order | None, account: str, note: str, now: int
) -> None:
    """Stores a payment with its judgement; one that is stored already is given it. `order`: whose money it may be.

    Raises `Conflict` when the order is settled by another payment, or the channel has reported the reference before.
    """
    judged = replace(
        payment, judgement=judgement, order_token=order.token if order else "", merchant=order.merchant if order else 0,
        account=account, note=note, judged_at=now,
    )  # fmt: skip
    db.run(f"{insert(Payment, 'payments')} {_JUDGED}", **values(judged))


def set_aside(db: Rows, payment_id: str, note: str, now: int) -> bool:
    """Takes a payment out of the review inbox; False when somebody was first."""
    changed = db.run(
        "UPDATE payments SET judgement = 'ignored', note = :note, judged_at = :now"
        " WHERE id = :id AND judgement IN ('suspected', 'unmatched', 'unreadable')",
        id=payment_id, note=note, now=now,
    )  # fmt: skip
    return changed > 0


def equal_since(db: Rows, payment: Payment, since: int) -> bool:
    """Whether the device pushed the same amount of the same method since, in another message."""
    row = db.one(
        "SELECT 1 FROM payments WHERE device = :device AND method = :method AND amount = :amount"
        " AND received_at >= :since AND id <> :id LIMIT 1",
        device=payment.device, method=payment.method, amount=payment.amount, since=since, id=payment.id,
    )  # fmt: skip
    return row is not None


def told_before(db: Rows, payment: Payment, event: str) -> bool:
    """Whether another reference of the channel begins with `event`, which ends with a colon."""
    row = db.one(
        "SELECT 1 FROM payments WHERE channel = :channel AND reference >= :event AND reference < :behind"
        " AND id <> :id LIMIT 1",
        channel=payment.channel, event=event, behind=event[:-1] + ";", id=payment.id,
    )  # fmt: skip
    return row is not None


def echoes(db: Rows, payment: Payment, since: int, repeat_s: int) -> bool:
    """Whether from some moment on, not before `since`, more payments of this amount were booked to the account than
    this phone told of: then it tells of what another phone told before. Phones that take turns in telling first come
    out even over any longer time, so each such moment counts for itself; what a phone said twice within `repeat_s` it
    told once."""
    watching = (
        "FROM device_accounts JOIN devices ON devices.id = device_accounts.device AND devices.revoked_at IS NULL"
        " JOIN payments AS {name} ON {name}.device = devices.id AND {name}.method = :method AND {name}.amount = :amount"
        " AND {name}.received_at >= {since} AND {name}.account = :account AND {name}.judgement IN ('matched', 'late')"
        " WHERE device_accounts.account = :account"
    )
    row = db.one(
        f"SELECT 1 {watching.format(name='other', since=':since')} AND devices.id <> :device"
        f" AND (SELECT count(*) {watching.format(name='booked', since='other.received_at')})"
        " > (SELECT count(*) FROM payments AS told WHERE told.device = :device AND told.method = :method"
        " AND told.amount = :amount AND told.received_at >= other.received_at AND told.id <> :id"
        " AND NOT EXISTS (SELECT 1 FROM payments AS said WHERE said.device = :device AND said.method = :method"
        " AND said.amount = :amount AND said.received_at BETWEEN told.received_at - :repeat_s AND told.received_at"
        " AND (said.received_at, said.id) < (told.received_at, told.id))) LIMIT 1",
        device=payment.device, account=payment.account, method=payment.method, amount=payment.amount, since=since,
        repeat_s=repeat_s, id=payment.id,
    )  # fmt: skip
    return row is not None


def listed(db: Rows, *, review: bool, before: tuple[int, str] | None = None, limit: int = 50) -> list[Payment]:
    """Newest first; `review`: only those that wait for a person."""
    at, last = before or (1 << 62, "")
    where = "judgement IN ('suspected', 'unmatched', 'unreadable')" if review else "1 = 1"
    rows = db.all(
        f"SELECT {_COLUMNS} FROM payments WHERE {where}"
        " AND (received_at, id) < (:at, :last)"
        " ORDER BY received_at DESC, id DESC LIMIT :limit",
        at=at, last=last, limit=limit,
    )  # fmt: skip
    return [_payment(row) for row in rows]


def of_merchants(
    db: Rows, owners: Iterable[int], judgements: Iterable[Judgement], *,
    before: tuple[int, str] | None = None, limit: int = 50,
) -> list[Payment]:  # fmt: skip
    """Payments for orders of some merchants (0: for nobody's), newest first; `before` is the last row before the page.

    Each merchant's payments of one judgement are a list in the index: a page costs the same however many there are."""
    at, last = before or (1 << 62, "")
    sql = (
        f"SELECT {_COLUMNS} FROM payments WHERE merchant = :merchant AND judgement = :judgement"
        " AND (received_at, id) < (:at, :last) ORDER BY received_at DESC, id DESC LIMIT :limit"
    )
    pages = [
        db.all(sql, merchant=owner, judgement=judgement.value, at=at, last=last, limit=limit)
        for owner, judgement in product(owners, judgements)
    ]
    found = [_payment(row) for page in pages for row in page]
    return sorted(found, key=lambda one: (one.received_at, one.id), reverse=True)[:limit]


def count(db: Rows) -> int:
    row = db.one("SELECT count(*) FROM payments")
    assert row is not None
    return int(row[0])


def _payment(row: Row) -> Payment:
    cells = list(row)
    cells[_JUDGEMENT] = Judgement(cells[_JUDGEMENT])
    return Payment(*cells)
