"""What was taken, by account and Beijing day. Days that are over are summed up once; the others are counted."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows


class Taken(Struct, frozen=True):
    """What an account took on the day that begins at `day` (Unix seconds)."""

    day: int
    account: str
    orders: int
    amount: int


def counted(db: Rows, day: int, since: int, until: int) -> list[Taken]:
    """Paid from `since` on and before `until`, as of `day`; read from the index alone."""
    rows = db.all(
        "SELECT account, count(*), sum(really_price) FROM orders WHERE state = 'paid'"
        " AND account IN (SELECT id FROM accounts) AND paid_at >= :since AND paid_at < :until GROUP BY account",
        since=since, until=until,
    )  # fmt: skip
    return [Taken(day, account, orders, amount) for account, orders, amount in rows]


def summed(db: Rows, since: int) -> list[Taken]:
    """The days from `since` on that are summed up, also those on which nothing was taken (account "")."""
    rows = db.all(
        "SELECT day, account, orders, amount FROM daily_sales WHERE day >= :since ORDER BY day, account", since=since
    )
    return [Taken(*row) for row in rows]


def sum_up(db: Rows, day: int, until: int) -> None:
    """Keeps the sums of a day that is over; whoever comes second changes nothing."""
    for one in [Taken(day, "", 0, 0), *counted(db, day, day, until)]:
        db.run(
            "INSERT INTO daily_sales (day, account, orders, amount) VALUES (:day, :account, :orders, :amount)"
            " ON CONFLICT (day, account) DO NOTHING",
            day=one.day, account=one.account, orders=one.orders, amount=one.amount,
        )  # fmt: skip


def forget(db: Rows, since: int) -> None:
    """Takes back the sums of the days from `since` on: they were made by a clock that was ahead."""
    db.run("DELETE FROM daily_sales WHERE day >= :since", since=since)


def last_summed(db: Rows) -> int | None:
    row = db.one("SELECT max(day) FROM daily_sales")
    return row[0] if row else None


def first_order_at(db: Rows) -> int | None:
    row = db.one("SELECT min(created_at) FROM orders")
    return row[0] if row else None


def opened(db: Rows, state: str, since: int, until: int) -> int:
    """How many orders that were opened in a time are in a state now; read from the index alone."""
    row = db.one(
        "SELECT count(*) FROM orders WHERE merchant IN (SELECT id FROM merchants) AND state = :state"
        " AND created_at >= :since AND created_at < :until",
        state=state, since=since, until=until,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def has_paid(db: Rows, merchant_id: int) -> bool:
    row = db.one("SELECT 1 FROM orders WHERE merchant = :merchant AND state = 'paid' LIMIT 1", merchant=merchant_id)
    return row is not None


def was_told(db: Rows) -> bool:
    """Whether one of the last thousand messages to merchants was acknowledged."""
    row = db.one(
        "SELECT 1 FROM (SELECT state FROM deliveries ORDER BY created_at DESC, id DESC LIMIT 1000) AS latest"
        " WHERE latest.state = 'delivered' LIMIT 1"
    )
    return row is not None
