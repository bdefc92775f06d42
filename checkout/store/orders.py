"""Orders: what merchants asked to be paid, and every move of their state."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Row, Rows
from checkout.model.orders import Order, State
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Order)
_LATE = Order.__struct_fields__.index("late")
_STATE = Order.__struct_fields__.index("state")


class PollState(Struct, frozen=True):
    """The few columns that a waiting page asks for again and again; an `Order` has them too."""

    state: State
    method: str
    rev: int
    created_at: int
    expires_at: int
    shown_at: int | None
    closed_at: int | None
    channel: str


class Filter(Struct, frozen=True):
    """What to list: newest first, `before` is the last row of the page before."""

    merchant: int | None = None
    state: str | None = None
    text: str | None = None  # token or merchant's number, exactly
    before: tuple[int, str] | None = None
    limit: int = 50


_POLL_STATE = columns(PollState)


def add(db: Rows, order: Order) -> None:
    """Raises `Conflict` when the merchant's number has this attempt already."""
    db.run(insert(Order, "orders"), **values(order))


def get(db: Rows, token: str) -> Order | None:
    row = db.one(f"SELECT {_COLUMNS} FROM orders WHERE token = :token", token=token)
    return _order(row) if row else None


def poll_state(db: Rows, token: str) -> PollState | None:
    row = db.one(f"SELECT {_POLL_STATE} FROM orders WHERE token = :token", token=token)
    return PollState(State(row[0]), *row[1:]) if row else None


def by_number(db: Rows, merchant_id: int, number: str) -> Order | None:
    """The order that stands for a merchant's number: the paid attempt, else the latest one."""
    row = db.one(  # for most numbers there is none, and each column that is asked for costs
        "SELECT token FROM orders WHERE merchant = :merchant AND number = :number"
        " ORDER BY paid_at IS NULL, attempt DESC LIMIT 1",
        merchant=merchant_id, number=number,
    )  # fmt: skip
    return get(db, row[0]) if row else None


def other_attempts(db: Rows, order: Order) -> list[Order]:
    """The other orders of the same merchant's number."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM orders WHERE merchant = :merchant AND number = :number AND token <> :token",
        merchant=order.merchant, number=order.number, token=order.token,
    )  # fmt: skip
    return [_order(row) for row in rows]


def first_asked_at(db: Rows, order: Order) -> int:
    """When the first attempt at the order's number was opened."""
    row = db.one(
        "SELECT min(created_at) FROM orders WHERE merchant = :merchant AND number = :number",
        merchant=order.merchant, number=order.number,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def listed(db: Rows, wanted: Filter) -> list[Order]:
    """One page of the orders that the filter lets through, newest first."""
    at, token = wanted.before or (1 << 62, "")
    rows = db.all(
        f"SELECT {_COLUMNS} FROM orders WHERE (merchant = :merchant OR :merchant IS NULL)"
        " AND (state = :state OR :state IS NULL) AND (token = :text OR number = :text OR :text IS NULL)"
        " AND (created_at, token) < (:at, :token)"
        " ORDER BY created_at DESC, token DESC LIMIT :limit",
        merchant=wanted.merchant, state=wanted.state, text=wanted.text, at=at, token=token, limit=wanted.limit,
    )  # fmt: skip
    return [_order(row) for row in rows]


def unpaid_between(db: Rows, since: int, until: int, amounts: tuple[int, int], *, limit: int) -> list[Order]:
    """The newest unpaid orders opened from `since` on and before `until` that are to be paid with an amount from the
    first to the second of `amounts` (fen)."""
    low, high = amounts
    rows = db.all(
        f"SELECT {_COLUMNS} FROM orders WHERE created_at >= :since AND created_at < :until"
        " AND state || '' <> 'paid' AND really_price + 0 >= :low AND really_price + 0 <= :high"
        " ORDER BY created_at DESC, token DESC LIMIT :limit",
        since=since, until=until, low=low, high=high, limit=limit,
    )  # fmt: skip
    return [_order(row) for row in rows]


def unpaid_of_amount(db: Rows, amount: int, since: int, until: int, *, limit: int) -> list[Order]:
    """The newest unpaid orders of exactly `amount` fen, opened from `since` on and before `until`."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM orders WHERE really_price = :amount AND created_at >= :since AND created_at < :until"
        " AND state || '' <> 'paid' ORDER BY created_at DESC, token DESC LIMIT :limit",
        amount=amount, since=since, until=until, limit=limit,
    )  # fmt: skip
    return [_order(row) for row in rows]


def far_back(db: Rows, before: tuple[int, str], rows: int) -> int | None:
    """When the order was opened that lies `rows` orders behind the one with the key `before`; None: there are fewer."""
    at, token = before
    row = db.one(
        "SELECT created_at FROM orders WHERE (created_at, token) < (:at, :token)"
        " ORDER BY created_at DESC, token DESC LIMIT 1 OFFSET :rows",
        at=at, token=token, rows=rows,
    )  # fmt: skip
    return row[0] if row else None


def picked(
    db: Rows, *, method: str, late: bool, state: str, merchant: int | None, since: int, before: tuple[int, str],
    now: int, limit: int,
) -> list[Order]:  # fmt: skip
    """Orders opened from `since` on, newest first, picked one by one by what no index knows; "" and None for any.

    The expressions keep the database from looking in indexes that are no help here."""
    at, token = before
    rows = db.all(
        f"SELECT {_COLUMNS} FROM orders WHERE created_at >= :since AND (created_at, token) < (:at, :token)"
        " AND (:method = '' OR method = :method) AND (:late = 0 OR late = 1)"
        " AND (merchant + 0 = :merchant OR :merchant IS NULL) AND (:state = '' OR :state ="
        " CASE WHEN state || '' = 'pending' AND expires_at <= :now THEN 'expired' ELSE state || '' END)"
        " ORDER BY created_at DESC, token DESC LIMIT :limit",
        since=since, at=at, token=token, method=method, late=int(late), merchant=merchant, state=state, now=now,
        limit=limit,
    )  # fmt: skip
    return [_order(row) for row in rows]


def of_amount(db: Rows, amount: int, *, before: tuple[int, str] | None = None, limit: int = 50) -> list[Order]:
    """Orders to be paid with exactly `amount` fen, newest first."""
    at, token = before or (1 << 62, "")
    rows = db.all(
        f"SELECT {_COLUMNS} FROM orders WHERE really_price = :amount AND (created_at, token) < (:at, :token)"
        " ORDER BY created_at DESC, token DESC LIMIT :limit",
        amount=amount, at=at, token=token, limit=limit,
    )  # fmt: skip
    return [_order(row) for row in rows]


def pay(db: Rows, token: str, now: int) -> Order | None:
    """PENDING, EXPIRED or CLOSED → PAID; late when it came after the end. None: it is paid already."""
    row = db.one(
        "UPDATE orders SET state = 'paid', paid_at = :now, rev = rev + 1,"
        " late = CASE WHEN state = 'pending' AND expires_at > :now THEN 0 ELSE 1 END"
        f" WHERE token = :token AND state IN ('pending', 'expired', 'closed') RETURNING {_COLUMNS}",
        token=token, now=now,
    )  # fmt: skip
    return _order(row) if row else None


def paid_by(db: Rows, token: str, *, method: str, account: str, channel: str, really_price: int) -> Order:
    """Books with a paid order how it was really paid: its buyer had switched the method."""
    row = db.one(
        "UPDATE orders SET method = :method, account = :account, channel = :channel, really_price = :really_price"
        f" WHERE token = :token AND state = 'paid' RETURNING {_COLUMNS}",
        token=token, method=method, account=account, channel=channel, really_price=really_price,
    )  # fmt: skip
    assert row is not None
    return _order(row)


def close(db: Rows, token: str, now: int) -> Order | None:
    """PENDING → CLOSED. None: somebody was first."""
    row = db.one(
        "UPDATE orders SET state = 'closed', closed_at = :now, rev = rev + 1"
        f" WHERE token = :token AND state = 'pending' AND expires_at > :now RETURNING {_COLUMNS}",
        token=token, now=now,
    )  # fmt: skip
    return _order(row) if row else None


def expire(db: Rows, now: int, limit: int) -> list[Order]:
    """PENDING → EXPIRED for the orders whose time is over, at most `limit` at once."""
    rows = db.all(
        "UPDATE orders SET state = 'expired', rev = rev + 1 WHERE state = 'pending' AND token IN"
        " (SELECT token FROM orders WHERE state = 'pending' AND expires_at <= :now ORDER BY expires_at LIMIT :limit)"
        f" RETURNING {_COLUMNS}",
        now=now, limit=limit,
    )  # fmt: skip
    return [_order(row) for row in rows]


def any_expiring(db: Rows, now: int) -> bool:
    row = db.one("SELECT 1 FROM orders WHERE state = 'pending' AND expires_at <= :now LIMIT 1", now=now)
    return row is not None


def show(db: Rows, token: str, now: int) -> Order | None:
    """Notes that the QR code leaves the house. None: it had before, or the order does not wait any more."""
    row = db.one(
        "UPDATE orders SET shown_at = :now WHERE token = :token AND shown_at IS NULL"
        f" AND state = 'pending' AND expires_at > :now RETURNING {_COLUMNS}",
        token=token, now=now,
    )  # fmt: skip
    return _order(row) if row else None


def assign(db: Rows, token: str, *, method: str, account: str, channel: str, really_price: int) -> Order | None:
    """Gives a pending order its account and amount (the buyer has chosen). None: it is not pending any more."""
    row = db.one(
        "UPDATE orders SET method = :method, account = :account, channel = :channel, really_price = :really_price,"
        f" shown_at = NULL, rev = rev + 1 WHERE token = :token AND state = 'pending' RETURNING {_COLUMNS}",
        token=token, method=method, account=account, channel=channel, really_price=really_price,
    )  # fmt: skip
    return _order(row) if row else None


def counts(db: Rows) -> dict[str, int]:
    """How many orders are in each state."""
    return {row[0]: row[1] for row in db.all("SELECT state, count(*) FROM orders GROUP BY state")}


def _order(row: Row) -> Order:
    cells = list(row)
    cells[_STATE], cells[_LATE] = State(cells[_STATE]), bool(cells[_LATE])
    return Order(*cells)
