"""Counts over everything, for those who look after an installation."""

from __future__ import annotations

import sqlite3

from checkout.interfaces import Rows


def to_review(db: Rows) -> int:
    """Payments that wait for a person. The time leads the database to the small index of the inbox."""
    return _number(
        db,
        "SELECT count(*) FROM payments WHERE judgement IN ('suspected', 'unmatched', 'unreadable') AND received_at > 0",
    )


def failed_deliveries(db: Rows, since: int) -> int:
    """Messages given up from `since` on."""
    return _number(db, "SELECT count(*) FROM deliveries WHERE state = 'failed' AND done_at >= :since", since=since)


def struggling_deliveries(db: Rows, attempts: int) -> int:
    """Messages still tried, after at least so many attempts in vain."""
    return _number(
        db, "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND attempts >= :attempts", attempts=attempts
    )


def unaddressed_deliveries(db: Rows, since: int) -> int:
    """Paid orders from `since` on that named nobody to tell."""
    return _number(db, "SELECT count(*) FROM deliveries WHERE state = 'none' AND created_at >= :since", since=since)


def claims_waiting(db: Rows) -> int:
    """Buyers' messages that wait for the owner."""
    return _number(db, "SELECT count(*) FROM claims WHERE settled_at IS NULL")


def waiting_orders(db: Rows, now: int) -> int:
    """Orders that wait for their payment."""
    return _number(db, "SELECT count(*) FROM orders WHERE state = 'pending' AND expires_at > :now", now=now)


def failed_refunds(db: Rows, since: int) -> int:
    """Refunds that failed from `since` on, and were not asked for again."""
    return _number(
        db,
        "SELECT count(*) FROM refunds WHERE state = 'failed' AND done_at >= :since"
        " AND NOT EXISTS (SELECT 1 FROM refunds AS again"
        " WHERE again.order_token = refunds.order_token AND again.payment = refunds.payment"
        " AND again.id <> refunds.id AND again.state <> 'failed' AND again.created_at >= refunds.created_at)",
        since=since,
    )


def slow_refunds(db: Rows, before: int) -> int:
    """Refunds on their way that were asked for before then."""
    return _number(db, "SELECT count(*) FROM refunds WHERE state = 'asked' AND created_at < :before", before=before)


def newest(db: Rows) -> int:
    """Unix seconds of the newest thing that happened here; 0: nothing yet."""
    return max(
        _number(db, "SELECT coalesce(max(created_at), 0) FROM orders"),
        _number(db, "SELECT coalesce(max(received_at), 0) FROM payments"),
    )


def sqlite_version() -> tuple[int, int, int]:
    return sqlite3.sqlite_version_info


def _number(db: Rows, sql: str, **values: int) -> int:
    row = db.one(sql, **values)
    assert row is not None
    return int(row[0])
