"""The orders of one merchant, paged and counted as the dialects' queries ask for them."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model import Order
from checkout.store import orders


def page(db: Rows, merchant_id: int, dialects: tuple[str, str], *, limit: int, offset: int) -> list[Order]:
    """Newest first, of two dialects."""
    first, second = dialects
    rows = db.all(
        "SELECT token FROM orders WHERE merchant = :merchant AND dialect IN (:first, :second)"
        " ORDER BY created_at DESC, token DESC LIMIT :limit OFFSET :offset",
        merchant=merchant_id, first=first, second=second, limit=limit, offset=offset,
    )  # fmt: skip
    found = [orders.get(db, token) for (token,) in rows]
    return [order for order in found if order is not None]


def count(db: Rows, merchant_id: int, *, since: int = 0, until: int | None = None) -> int:
    """How many orders the merchant made from `since` on and before `until` (None: to this day)."""
    row = db.one(
        "SELECT count(*) FROM orders WHERE merchant = :merchant"
        " AND created_at >= :since AND (:until IS NULL OR created_at < :until)",
        merchant=merchant_id, since=since, until=until,
    )  # fmt: skip
    assert row is not None
    return int(row[0])
