"""Refunds: money that goes back, each a row before anybody is asked to send it."""

from __future__ import annotations

from checkout.interfaces import Row, Rows
from checkout.model.refunds import Refund, RefundState
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Refund)
_STATE = Refund.__struct_fields__.index("state")


def lock(db: Rows, token: str) -> None:
    """Whoever adds refunds to the order waits here for whoever is adding one; pages that show the order look again."""
    db.run("UPDATE orders SET rev = rev + 1 WHERE token = :token", token=token)


def add(db: Rows, refund: Refund) -> None:
    """Raises `Conflict` when the order has a refund of that number already."""
    db.run(insert(Refund, "refunds"), **values(refund))


def get(db: Rows, refund_id: str) -> Refund | None:
    row = db.one(f"SELECT {_COLUMNS} FROM refunds WHERE id = :id", id=refund_id)
    return _refund(row) if row else None


def by_number(db: Rows, token: str, number: str) -> Refund | None:
    row = db.one(
        f"SELECT {_COLUMNS} FROM refunds WHERE order_token = :token AND number = :number", token=token, number=number
    )
    return _refund(row) if row else None


def of_order(db: Rows, token: str) -> list[Refund]:
    rows = db.all(f"SELECT {_COLUMNS} FROM refunds WHERE order_token = :token ORDER BY created_at, id", token=token)
    return [_refund(row) for row in rows]


def of_merchant(db: Rows, merchant_id: int, *, refund_id: str, number: str) -> Refund | None:
    """The refund of that id of one of the merchant's orders; where `refund_id` is "", the newest of that number."""
    row = db.one(
        f"SELECT {columns(Refund, 'refunds')} FROM refunds JOIN orders ON orders.token = refunds.order_token"
        " WHERE orders.merchant = :merchant AND refunds.payment = ''"
        " AND (refunds.id = :id OR (:id = '' AND refunds.number = :number))"
        " ORDER BY refunds.created_at DESC, refunds.id DESC LIMIT 1",
        merchant=merchant_id, id=refund_id, number=number,
    )  # fmt: skip
    return _refund(row) if row else None


def of_payment(db: Rows, payment_id: str) -> list[Refund]:
    """Those that send back a payment which settled no order."""
    rows = db.all(f"SELECT {_COLUMNS} FROM refunds WHERE payment = :id ORDER BY created_at, id", id=payment_id)
    return [_refund(row) for row in rows]


def total(db: Rows, token: str) -> int:
    """Fen of the order's own money that went back, or are on their way."""
    back, under_way = sums(db, token)
    return back + under_way


def sums(db: Rows, token: str) -> tuple[int, int]:
    """(fen that went back, fen on their way) of the money that the order was settled with."""
    row = db.one(
        "SELECT coalesce(sum(CASE WHEN state = 'asked' THEN 0 ELSE amount END), 0),"
        " coalesce(sum(CASE WHEN state = 'asked' THEN amount ELSE 0 END), 0)"
        " FROM refunds WHERE order_token = :token AND payment = '' AND state <> 'failed'",
        token=token,
    )
    assert row is not None
    return int(row[0]), int(row[1])


def due(db: Rows, now: int, limit: int) -> list[Refund]:
    """Those whose gateway is to be called, the longest due first, without claiming them."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM refunds WHERE state = 'asked' AND due_at <= :now ORDER BY due_at, id LIMIT :limit",
        now=now, limit=limit,
    )  # fmt: skip
    return [_refund(row) for row in rows]


def claim(db: Rows, refund: Refund, lease_until: int) -> Refund | None:
    """Takes a due refund for one call, which is counted. None: another worker has it."""
    row = db.one(
        "UPDATE refunds SET attempts = attempts + 1, due_at = :lease"
        " WHERE id = :id AND state = 'asked' AND due_at = :due_at AND attempts = :attempts"
        f" RETURNING {_COLUMNS}",
        id=refund.id, due_at=refund.due_at, attempts=refund.attempts, lease=lease_until,
    )  # fmt: skip
    return _refund(row) if row else None


def done(db: Rows, refund_id: str, now: int) -> Refund | None:
    """ASKED → DONE: whoever hears of it first books it. None: somebody did."""
    row = db.one(
        "UPDATE refunds SET state = 'done', error = '', done_at = :now, due_at = NULL"
        f" WHERE id = :id AND state = 'asked' RETURNING {_COLUMNS}",
        id=refund_id, now=now,
    )  # fmt: skip
    return _refund(row) if row else None


def fail(db: Rows, claimed: Refund, error: str, now: int) -> bool:
    """ASKED → FAILED, unless another worker has claimed it since: that one may know better."""
    changed = db.run(
        "UPDATE refunds SET state = 'failed', error = :error, done_at = :now, due_at = NULL"
        " WHERE id = :id AND state = 'asked' AND attempts = :attempts",
        id=claimed.id, attempts=claimed.attempts, error=error, now=now,
    )  # fmt: skip
    return changed > 0


def postpone(db: Rows, claimed: Refund, due_at: int, error: str) -> None:
    """Sets the time of the next call, unless another worker has claimed it since or a notice brought it forward."""
    db.run(
        "UPDATE refunds SET due_at = :due_at, error = :error"
        " WHERE id = :id AND state = 'asked' AND attempts = :attempts AND due_at = :lease",
        id=claimed.id, attempts=claimed.attempts, lease=claimed.due_at, due_at=due_at, error=error,
    )  # fmt: skip


def hurry(db: Rows, refund_id: str, now: int) -> None:
    """Something is known at the gateway: ask it now."""
    db.run(
        "UPDATE refunds SET due_at = :now WHERE id = :id AND state = 'asked' AND due_at > :now", id=refund_id, now=now
    )


def reopen(db: Rows, refund_id: str, now: int) -> None:
    """FAILED → ASKED: the gateway says that it goes on, so it is asked again. Never the first call."""
    db.run(
        "UPDATE refunds SET state = 'asked', due_at = :now, done_at = NULL"
        " WHERE id = :id AND state = 'failed' AND attempts > 0",
        id=refund_id, now=now,
    )  # fmt: skip


def explain(db: Rows, refund_id: str, error: str) -> None:
    db.run("UPDATE refunds SET error = :error WHERE id = :id", id=refund_id, error=error)


def listed(
    db: Rows, *, state: str | None = None, before: tuple[int, str] | None = None, limit: int = 50
) -> list[Refund]:
    """Newest first."""
    at, last = before or (None, None)
    rows = db.all(
        f"SELECT {_COLUMNS} FROM refunds WHERE (state = :state OR :state IS NULL)"
        " AND (created_at < :at OR (created_at = :at AND id < :last) OR :at IS NULL)"
        " ORDER BY created_at DESC, id DESC LIMIT :limit",
        state=state, at=at, last=last, limit=limit,
    )  # fmt: skip
    return [_refund(row) for row in rows]


def count(db: Rows) -> int:
    row = db.one("SELECT count(*) FROM refunds")
    assert row is not None
    return int(row[0])


def _refund(row: Row) -> Refund:
    cells = list(row)
    cells[_STATE] = RefundState(cells[_STATE])
    return Refund(*cells)
