"""What became of the newest orders of a time, for statistics: a bounded number of rows, however much was sold."""

from __future__ import annotations

from dataclasses import dataclass

from checkout.interfaces import Rows


@dataclass(frozen=True, slots=True)
class Fate:
    """One order: times in Unix seconds, amounts in fen."""

    created_at: int
    shown_at: int | None
    paid_at: int | None
    is_late: bool
    price: int
    really_price: int | None


def newest(db: Rows, since: int, limit: int) -> list[Fate]:
    """The newest orders that were opened from `since` on, at most `limit`."""
    rows = db.all(
        "SELECT created_at, shown_at, paid_at, late, price, really_price FROM orders WHERE created_at >= :since"
        " ORDER BY created_at DESC, token DESC LIMIT :limit",
        since=since, limit=limit,
    )  # fmt: skip
    return [Fate(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) for row in rows]
