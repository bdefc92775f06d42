"""Counts of what became of the orders and payments of a time, and the sums of days that are over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from checkout.interfaces import Rows

Part = tuple[str, int]  # (name, part), as the table `tallies` has it
OF_ORDERS = ("opened", "shown", "paid", "late", "expired", "closed")
OF_PAYMENTS = ("in_time", "came_late", "reviewed", "by_hand")
NAMES = (*OF_ORDERS, *OF_PAYMENTS, "hour", "wait")


def orders(db: Rows, since: int, until: int, now: int) -> dict[str, int]:
    """Orders by what became of them, of those opened from `since` on and before `until`."""
    rows = db.all(
        "SELECT CASE WHEN state = 'pending' AND expires_at <= :now THEN 'expired' ELSE state END,"
        " late, CASE WHEN shown_at IS NULL THEN 0 ELSE 1 END, count(*) FROM orders"
        " WHERE created_at >= :since AND created_at < :until GROUP BY 1, 2, 3",
        since=since, until=until, now=now,
    )  # fmt: skip
    found: Counter[str] = Counter()
    for state, late, shown, number in rows:
        found["opened"] += number
        found[state] += number
        found["late"] += number * late
        found["shown"] += number if shown or state == "paid" else 0
    return found


def payments(db: Rows, since: int, until: int) -> dict[str, int]:
    """Payments that came from `since` on and before `until`: by what was made of them when they came, which does not
    change when a person settles one later."""
    rows = db.all(
        "SELECT CASE WHEN channel = 'hand' THEN 'by_hand' WHEN judgement = 'matched' THEN 'in_time'"
        " WHEN judgement = 'late' THEN 'came_late' ELSE 'reviewed' END, count(*) FROM payments"
        " WHERE received_at >= :since AND received_at < :until GROUP BY 1",
        since=since, until=until,
    )  # fmt: skip
    return {row[0]: row[1] for row in rows}


def waits(db: Rows, since: int, until: int) -> list[tuple[int, int, int]]:
    """(when, seconds from the opening to the money, how many) of the orders paid in a time."""
    rows = db.all(
        "SELECT paid_at / 3600 * 3600, paid_at - created_at, count(*) FROM orders WHERE state = 'paid'"
        " AND account IN (SELECT id FROM accounts) AND paid_at >= :since AND paid_at < :until GROUP BY 1, 2",
        since=since, until=until,
    )  # fmt: skip
    return [(row[0], row[1], row[2]) for row in rows]


def version(db: Rows, day: int) -> int:
    """Changes when a day that is over does."""
    row = db.one("SELECT version FROM tallied_days WHERE day = :day", day=day)
    return row[0] if row else 0


def keep(db: Rows, day: int, version: int, counts: dict[Part, int]) -> bool:
    """Keeps the sums of a day; False, and nothing is kept: the day has changed since it had this version."""
    row = db.one(
        "INSERT INTO tallied_days (day, version, summed) VALUES (:day, :version, 1)"
        " ON CONFLICT (day) DO UPDATE SET summed = 1 WHERE tallied_days.version = :version RETURNING day",
        day=day, version=version,
    )  # fmt: skip
    if row is None:
        return False
    for name in NAMES:
        db.run("DELETE FROM tallies WHERE name = :name AND day = :day", name=name, day=day)
    for (name, part), number in counts.items():
        db.run(
            "INSERT INTO tallies (name, day, part, number) VALUES (:name, :day, :part, :number)",
            name=name, day=day, part=part, number=number,
        )  # fmt: skip
    return True


def changed(db: Rows, day: int) -> None:
    """A day that is over has changed: its sums do not hold any more, nor those that are being made."""
    db.run(
        "INSERT INTO tallied_days (day, version, summed) VALUES (:day, 1, 0)"
        " ON CONFLICT (day) DO UPDATE SET version = tallied_days.version + 1, summed = 0",
        day=day,
    )  # fmt: skip


def forget(db: Rows, since: int) -> None:
    """The sums of the days from `since` on do not hold."""
    db.run("UPDATE tallied_days SET version = version + 1, summed = 0 WHERE day >= :since AND summed = 1", since=since)


def summed_days(db: Rows, since: int) -> list[int]:
    """The days from `since` on that are summed up."""
    return [row[0] for row in db.all("SELECT day FROM tallied_days WHERE day >= :since AND summed = 1", since=since)]


def by_day(db: Rows, names: Iterable[str], since: int, until: int) -> list[tuple[int, str, int]]:
    """(day, name, number) of the days from `since` on and before `until` that are summed up."""
    found: list[tuple[int, str, int]] = []
    for name in names:
        rows = db.all(
            "SELECT tallies.day, tallies.name, tallies.number FROM tallies"
            " JOIN tallied_days ON tallied_days.day = tallies.day AND tallied_days.summed = 1"
            " WHERE tallies.name = :name AND tallies.day >= :since AND tallies.day < :until",
            name=name, since=since, until=until,
        )  # fmt: skip
        found += [(row[0], row[1], row[2]) for row in rows]
    return found


def by_part(db: Rows, name: str, since: int, until: int) -> dict[int, int]:
    """The numbers of a name by part, of the same days together."""
    rows = db.all(
        "SELECT tallies.part, sum(tallies.number) FROM tallies"
        " JOIN tallied_days ON tallied_days.day = tallies.day AND tallied_days.summed = 1"
        " WHERE tallies.name = :name AND tallies.day >= :since AND tallies.day < :until GROUP BY tallies.part",
        name=name, since=since, until=until,
    )  # fmt: skip
    return {row[0]: int(row[1]) for row in rows}


def first_at(db: Rows) -> int | None:
    """When the first thing happened that can be counted."""
    row = db.one(
        "SELECT min(at) FROM (SELECT min(created_at) AS at FROM orders UNION ALL SELECT min(received_at) FROM payments)"
        " AS first"
    )
    return row[0] if row else None


def waiting_since(db: Rows) -> int | None:
    """When the oldest order was opened that still waits. The plus keeps SQLite from looking for it among all orders,
    the oldest first, instead of among those that wait."""
    row = db.one("SELECT min(+created_at) FROM orders WHERE state = 'pending' AND expires_at > 0")
    return row[0] if row else None
