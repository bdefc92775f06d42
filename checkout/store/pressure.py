"""How many of the amounts of an account are in use at once, and the worst moment of each day."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows


class Pressure(Struct, frozen=True):
    """`held` of the `offered` amounts for one price were in use when the fewest were left, on the day that begins at
    `day`."""

    day: int
    account: str
    held: int
    offered: int


def held(db: Rows, account: str, now: int) -> list[int]:
    """The amounts of the account that are in use, the smallest first."""
    rows = db.all(
        "SELECT amount FROM slots WHERE account = :account AND free_at > :now ORDER BY amount", account=account, now=now
    )
    return [row[0] for row in rows]


def of_day(db: Rows, day: int) -> dict[str, Pressure]:
    """By account."""
    return {one.account: one for one in since(db, day) if one.day == day}


def since(db: Rows, day: int) -> list[Pressure]:
    rows = db.all(
        "SELECT day, account, held, offered FROM daily_pressure WHERE day >= :day ORDER BY day, account", day=day
    )
    return [Pressure(*row) for row in rows]


def keep(db: Rows, one: Pressure) -> None:
    db.run(
        "INSERT INTO daily_pressure (day, account, held, offered) VALUES (:day, :account, :held, :offered)"
        " ON CONFLICT (day, account) DO UPDATE SET held = excluded.held, offered = excluded.offered"
        " WHERE excluded.held * daily_pressure.offered > daily_pressure.held * excluded.offered",
        day=one.day, account=one.account, held=one.held, offered=one.offered,
    )  # fmt: skip
