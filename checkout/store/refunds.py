"""Refunds: money that went back."""

from __future__ import annotations

from checkout.interfaces import Row, Rows
from checkout.model import Refund, RefundState
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Refund)
_STATE = Refund.__slots__.index("state")


def add(db: Rows, refund: Refund) -> None:
    """Raises `Conflict` when the order has a refund of that number already."""
    db.run(insert(Refund, "refunds"), **values(refund))


def of_order(db: Rows, token: str) -> list[Refund]:
    rows = db.all(f"SELECT {_COLUMNS} FROM refunds WHERE order_token = :token ORDER BY created_at, id", token=token)
    return [_refund(row) for row in rows]


def total(db: Rows, token: str) -> int:
    """Fen that went back, or are on their way."""
    row = db.one(
        "SELECT coalesce(sum(amount), 0) FROM refunds WHERE order_token = :token AND state <> 'failed'", token=token
    )
    assert row is not None
    return int(row[0])


def _refund(row: Row) -> Refund:
    cells = list(row)
    cells[_STATE] = RefundState(cells[_STATE])
    return Refund(*cells)
