"""The orders of one merchant, paged and counted as the dialects' queries ask for them."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows
from checkout.model.orders import Order, State
from checkout.store import orders

_FOR_EVER = 1 << 62
# Where the orders of each state lie: one that waits has expired by its time, whether or not that is written down.
_OVER, _WAITING = " AND expires_at <= :now", " AND expires_at > :now"
_PLACES = {
    "": (("pending", ""), ("paid", ""), ("expired", ""), ("closed", "")),
    State.PENDING: (("pending", _WAITING),),
    State.PAID: (("paid", ""),),
    State.EXPIRED: (("expired", ""), ("pending", _OVER)),
    State.CLOSED: (("closed", ""),),
}


class Wanted(Struct, frozen=True):
    """Which orders to list; "" for any. `before` is (created_at, token) of the last order of the page before."""

    merchant: int
    state: str = ""
    ref: str = ""
    number: str = ""
    since: int = 0  # created at or after
    until: int = _FOR_EVER  # created before
    before: tuple[int, str] | None = None
    limit: int = 50


def listed(db: Rows, wanted: Wanted, now: int) -> list[Order]:
    """Newest first. Each state is a list in the index, so a page costs the same however many orders there are."""
    pages = [_of_state(db, wanted, state, over, now) for state, over in _PLACES[wanted.state]]
    found = sorted((row for rows in pages for row in rows), reverse=True)[: wanted.limit]
    listed = [orders.get(db, token) for _, token in found]
    return [order for order in listed if order is not None]


def _of_state(db: Rows, wanted: Wanted, state: str, over: str, now: int) -> list[tuple[int, str]]:
    """(created_at, token) of a page of orders whose state is written down as `state`."""
    named = (" AND number = :number" if wanted.number else "") + (
        " AND buyer = :ref AND buyer <> ''" if wanted.ref else ""
    )
    # A number or a reference leads to a few orders; the state must not lure the database into its own index then.
    of_state = "state || '' = :state" if named else "state = :state"
    at, token = min(wanted.before or (wanted.until, ""), (wanted.until, ""))
    values = {"number": wanted.number} if wanted.number else {}
    values |= {"ref": wanted.ref} if wanted.ref else {}
    rows = db.all(
        f"SELECT created_at, token FROM orders WHERE merchant = :merchant AND {of_state}{named}{over}"
        " AND created_at >= :since AND (created_at, token) < (:at, :token)"
        " ORDER BY created_at DESC, token DESC LIMIT :limit",
        merchant=wanted.merchant, state=state, since=wanted.since, at=at, token=token, limit=wanted.limit,
        **values, **({"now": now} if over else {}),
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


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
        " AND created_at >= :since AND (created_at < :until OR :until IS NULL)",
        merchant=merchant_id, since=since, until=until,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


def last_paid(db: Rows, merchant_id: int) -> int | None:
    """When the newest order that was paid was opened; read from the index alone."""
    row = db.one(
        "SELECT max(created_at) FROM orders WHERE merchant = :merchant AND state = 'paid'", merchant=merchant_id
    )
    return row[0] if row else None
