"""How many of the amounts of an account are in use at once, and the worst moment of each day."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from checkout.interfaces import Rows


class Pressure(Struct, frozen=True):
    """`held` of the `offered` amounts for one price were in use when the fewest were left, on the day that begins at
    `day`."""

    day: int
    account: str
    held: int
    offered: int


def most_held(db: Rows, accounts: Sequence[str], width: int, now: int) -> int:
    """The most amounts in use among `width` neighbouring ones; one that several of the accounts use counts once.
    Counted where they lie: a busy shop has a hundred thousand of them."""
    names = {f"account{number}": account for number, account in enumerate(accounts)}
    row = db.one(
        "SELECT max(beside) FROM (SELECT count(*) OVER"
        " (ORDER BY amount RANGE BETWEEN CURRENT ROW AND :further FOLLOWING) AS beside"
        f" FROM (SELECT {'amount' if len(names) == 1 else 'DISTINCT amount'} FROM slots"
        f" WHERE account IN ({', '.join(f':{name}' for name in names)}) AND free_at > :now) held) counted",
        further=width - 1, now=now, **names,
    )  # fmt: skip
    assert row is not None
    return int(row[0] or 0)


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
