"""Slots: which order an amount of an account stands for (see `checkout.amounts` for the rules)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checkout.interfaces import Rows
from checkout.model.accounts import Rest

Place = tuple[str, int]  # account and amount
FIRST: Place = ("", 0)
_RESTED = (
    "(account, amount) > (:account, :amount) AND (account, amount) <= (:last_account, :last_amount)"
    " AND free_at < :before AND rested_at < :before"
    # Whose time is over by a clock that is ahead may wait again when it is put back.
    " AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.token = slots.order_token AND orders.state = 'pending')"
)


def resting(db: Rows, accounts: Iterable[str], low: int, high: int, now: int) -> dict[int, int]:
    """The amounts from `low` to `high` that are not rested on any of the accounts: amount → `free_at`."""
    found: dict[int, int] = {}
    for account in accounts:
        rows = db.all(
            "SELECT amount, free_at FROM slots"
            " WHERE account = :account AND amount BETWEEN :low AND :high AND rested_at > :now",
            account=account, low=low, high=high, now=now,
        )  # fmt: skip
        found = dict(rows) if not found else _later(found, dict(rows))
    return found


def count_resting(db: Rows, accounts: Sequence[str], low: int, high: int, now: int) -> int:
    """How many amounts `resting` would give."""
    names = {f"account{number}": account for number, account in enumerate(accounts)}
    row = db.one(
        f"SELECT count({'*' if len(names) == 1 else 'DISTINCT amount'}) FROM slots"
        f" WHERE account IN ({', '.join(f':{name}' for name in names)})"
        " AND amount BETWEEN :low AND :high AND rested_at > :now",
        low=low, high=high, now=now, **names,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def take(db: Rows, account: str, amount: int, token: str, rest: Rest, now: int) -> bool:
    """Gives the amount to an order, atomically; False when another order holds it."""
    row = db.one(
        "INSERT INTO slots (account, amount, order_token, free_at, rested_at)"
        " VALUES (:account, :amount, :token, :free_at, :rested_at)"
        " ON CONFLICT (account, amount) DO UPDATE SET order_token = excluded.order_token,"
        " free_at = excluded.free_at, rested_at = excluded.rested_at WHERE slots.free_at <= :now"
        " RETURNING order_token",
        account=account, amount=amount, token=token, free_at=rest.free_at, rested_at=rest.rested_at, now=now,
    )  # fmt: skip
    return row is not None


def set_rest(db: Rows, token: str, account: str, amount: int, rest: Rest) -> None:
    """When the slot will be free and rested, if it is still the order's."""
    db.run(
        "UPDATE slots SET free_at = :free_at, rested_at = :rested_at"
        " WHERE account = :account AND amount = :amount AND order_token = :token",
        account=account, amount=amount, token=token, free_at=rest.free_at, rested_at=rest.rested_at,
    )  # fmt: skip


def prolong(db: Rows, token: str, rest: Rest, now: int) -> None:
    """What the order holds at `now` it holds at least as long as `rest` says, and no shorter than before."""
    db.run(
        "UPDATE slots SET free_at = CASE WHEN free_at < :free_at THEN :free_at ELSE free_at END,"
        " rested_at = CASE WHEN rested_at < :rested_at THEN :rested_at ELSE rested_at END"
        " WHERE order_token = :token AND free_at > :now",
        token=token, free_at=rest.free_at, rested_at=rest.rested_at, now=now,
    )  # fmt: skip


def release(db: Rows, token: str, expires_at: int, now: int) -> None:
    """Frees those amounts of an order that ends at `now` whose codes were never shown: they are held no longer than
    until it would have expired."""
    db.run(
        "UPDATE slots SET free_at = :now, rested_at = :now"
        " WHERE order_token = :token AND free_at > :now AND rested_at <= :expires_at",
        token=token, expires_at=expires_at, now=now,
    )  # fmt: skip


def of_order(db: Rows, token: str, now: int) -> list[tuple[str, int]]:
    """The (account, amount) pairs that the order holds."""
    rows = db.all(
        "SELECT account, amount FROM slots WHERE order_token = :token AND free_at > :now ORDER BY account, amount",
        token=token, now=now,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


def holders(db: Rows, accounts: Iterable[str], amount: int, now: int) -> list[tuple[str, str]]:
    """The (account, order token) pairs that the amount stands for right now."""
    found = []
    for account in accounts:
        row = db.one(
            "SELECT account, order_token FROM slots"
            " WHERE account = :account AND amount = :amount AND free_at > :now",
            account=account, amount=amount, now=now,
        )  # fmt: skip
        if row:
            found.append((row[0], row[1]))
    return found


def last_of(db: Rows, place: Place, limit: int) -> Place | None:
    """The last of the next `limit` slots after `place`."""
    row = db.one(
        "SELECT account, amount FROM (SELECT account, amount FROM slots WHERE (account, amount) > (:account, :amount)"
        " ORDER BY account, amount LIMIT :limit) AS following ORDER BY account DESC, amount DESC LIMIT 1",
        account=place[0], amount=place[1], limit=limit,
    )  # fmt: skip
    return (row[0], row[1]) if row else None


def any_rested(db: Rows, after: Place, upto: Place, before: int) -> bool:
    """Whether `forget` would find any."""
    return db.one(f"SELECT 1 FROM slots WHERE {_RESTED} LIMIT 1", **_between(after, upto), before=before) is not None


def forget(db: Rows, after: Place, upto: Place, before: int) -> int:
    """Removes the slots between these two places that had rested before `before`, but for those of orders that wait;
    gives how many."""
    return db.run(f"DELETE FROM slots WHERE {_RESTED}", **_between(after, upto), before=before)


def _between(after: Place, upto: Place) -> dict[str, str | int]:
    return {"account": after[0], "amount": after[1], "last_account": upto[0], "last_amount": upto[1]}


def _later(a: dict[int, int], b: dict[int, int]) -> dict[int, int]:
    return {amount: max(a.get(amount, 0), b.get(amount, 0)) for amount in a.keys() | b.keys()}
