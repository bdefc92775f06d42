"""Figures for monitoring; each statement reads an index of what is going on now, not the history."""

from __future__ import annotations

from checkout.interfaces import Rows


def pending(db: Rows) -> dict[str, int]:
    """Orders that wait for payment, by account; "": the buyer has not chosen yet."""
    return dict(_pairs(db, "SELECT account, count(*) FROM orders WHERE state = 'pending' GROUP BY account"))


def paid_since(db: Rows, account: str, since: int) -> tuple[int, int]:
    """(orders paid to the account, fen)."""
    row = db.one(
        "SELECT count(*), coalesce(sum(really_price), 0) FROM orders"
        " WHERE state = 'paid' AND account = :account AND paid_at >= :since",
        account=account, since=since,
    )  # fmt: skip
    assert row is not None
    return row[0], row[1]


def outbox(db: Rows) -> tuple[int, int | None]:
    """(messages that wait, when the oldest of them was written)."""
    row = db.one("SELECT count(*), min(created_at) FROM deliveries WHERE state = 'waiting'")
    assert row is not None
    return row[0], row[1]


def _pairs(db: Rows, sql: str) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in db.all(sql)]
