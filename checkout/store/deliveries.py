"""The outbox: messages owed to merchants, and every try at them."""

from __future__ import annotations

from checkout.interfaces import Row, Rows
from checkout.model.deliveries import Delivery, DeliveryState, Try
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Delivery)
_STATE = Delivery.__struct_fields__.index("state")
OLDEST_TRY = (-1, "", 0)  # before every other
_OPEN = ("waiting", "held")  # one at a time: each has an index of its own


def add(db: Rows, delivery: Delivery) -> None:
    """Raises `Conflict` when the order owes this event already."""
    db.run(insert(Delivery, "deliveries"), **values(delivery))


def get(db: Rows, delivery_id: str) -> Delivery | None:
    row = db.one(f"SELECT {_COLUMNS} FROM deliveries WHERE id = :id", id=delivery_id)
    return _delivery(row) if row else None


def of_order(db: Rows, token: str) -> list[Delivery]:
    """The order's own callbacks."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM deliveries WHERE order_token = :token AND endpoint = '' ORDER BY created_at, id",
        token=token,
    )
    return [_delivery(row) for row in rows]


def listed(
    db: Rows, *, state: str | None, endpoint: str = "", before: tuple[int, str] | None = None, limit: int = 50
) -> list[Delivery]:
    """Newest first; `endpoint`: only what goes to this one. The state stands in the statement, so that the rare ones
    are found by an index of their own."""
    at, last = before or (1 << 62, "")
    of = f" AND state = '{DeliveryState(state)}'" if state else ""
    to = " AND endpoint = :endpoint AND endpoint <> ''" if endpoint else ""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM deliveries WHERE (created_at, id) < (:at, :last){of}{to}"
        " ORDER BY created_at DESC, id DESC LIMIT :limit",
        at=at, last=last, limit=limit, **({"endpoint": endpoint} if endpoint else {}),
    )  # fmt: skip
    return [_delivery(row) for row in rows]


def fresh(db: Rows, token: str) -> list[Delivery]:
    """Messages about an order that nobody has tried yet."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM deliveries WHERE order_token = :token AND state = 'waiting' AND attempts = 0",
        token=token,
    )
    return [_delivery(row) for row in rows]


def due(db: Rows, now: int, *, after: tuple[int, str] = (0, ""), limit: int = 100) -> list[Delivery]:
    """A page of orders' own callbacks whose time has come, the oldest first, without claiming them."""
    at, last = after
    rows = db.all(
        f"SELECT {_COLUMNS} FROM deliveries WHERE state = 'waiting' AND endpoint = '' AND due_at <= :now"
        " AND (due_at > :at OR (due_at = :at AND id > :last)) ORDER BY due_at, id LIMIT :limit",
        now=now, at=at, last=last, limit=limit,
    )  # fmt: skip
    return [_delivery(row) for row in rows]


def due_events(db: Rows, now: int, *, failing: bool, each: int = 50) -> list[list[Delivery]]:
    """Messages to webhook endpoints whose time has come: of each endpoint the oldest ones; of those alone whose last
    try has failed, or of the others."""
    fails = "IS NOT NULL" if failing else "IS NULL"
    endpoints = db.all(
        f"SELECT id FROM endpoints WHERE paused_at IS NULL AND failing_since {fails} AND EXISTS (SELECT 1"
        " FROM deliveries WHERE endpoint = endpoints.id AND state = 'waiting' AND due_at <= :now) ORDER BY id",
        now=now,
    )
    found = (
        db.all(
            f"SELECT {_COLUMNS} FROM deliveries WHERE endpoint = :endpoint AND state = 'waiting' AND due_at <= :now"
            " ORDER BY due_at, id LIMIT :each",
            endpoint=endpoint,
            now=now,
            each=each,
        )
        for (endpoint,) in endpoints
    )
    return [[_delivery(row) for row in rows] for rows in found if rows]


def next_due_at(db: Rows) -> int | None:
    row = db.one("SELECT min(due_at) FROM deliveries WHERE state = 'waiting'")
    return row[0] if row else None


def claim(db: Rows, delivery: Delivery, lease_until: int) -> Delivery | None:
    """Takes a due delivery: counts the try and moves `due_at` ahead as a lease. None: another worker has it."""
    row = db.one(
        "UPDATE deliveries SET attempts = attempts + 1, due_at = :lease"
        " WHERE id = :id AND state = 'waiting' AND due_at = :due_at AND attempts = :attempts"
        f" RETURNING {_COLUMNS}",
        id=delivery.id, due_at=delivery.due_at, attempts=delivery.attempts, lease=lease_until,
    )  # fmt: skip
    return _delivery(row) if row else None


def acknowledge(db: Rows, delivery_id: str, now: int) -> None:
    """→ DELIVERED: an acknowledgement counts, whoever brings it and however late."""
    db.run(
        "UPDATE deliveries SET state = 'delivered', done_at = :now"
        " WHERE id = :id AND state IN ('waiting', 'failed', 'held', 'dropped')",
        id=delivery_id, now=now,
    )  # fmt: skip


def fail(db: Rows, claimed: Delivery, now: int) -> None:
    """WAITING → FAILED, unless another worker has claimed it since."""
    db.run(
        "UPDATE deliveries SET state = 'failed', done_at = :now"
        " WHERE id = :id AND state = 'waiting' AND attempts = :attempts",
        id=claimed.id, attempts=claimed.attempts, now=now,
    )  # fmt: skip


def give_up(db: Rows, order_token: str, event: str, now: int) -> list[Delivery]:
    """WAITING → FAILED for what an order's own notify URL is owed."""
    rows = db.all(
        "UPDATE deliveries SET state = 'failed', done_at = :now"
        " WHERE order_token = :token AND event = :event AND endpoint = '' AND state = 'waiting'"
        f" RETURNING {_COLUMNS}",
        token=order_token, event=event, now=now,
    )  # fmt: skip
    return [_delivery(row) for row in rows]


def postpone(db: Rows, claimed: Delivery, due_at: int) -> None:
    """Sets the time of the next try, unless another worker has claimed it since."""
    db.run(
        "UPDATE deliveries SET due_at = :due_at WHERE id = :id AND state = 'waiting' AND attempts = :attempts",
        id=claimed.id, attempts=claimed.attempts, due_at=due_at,
    )  # fmt: skip


def resend(db: Rows, delivery_id: str, url: str, now: int) -> Delivery | None:
    """Any state → WAITING, due at once; the id stays, and the schedule begins anew."""
    row = db.one(
        "UPDATE deliveries SET state = 'waiting', due_at = :now, done_at = NULL, url = :url, tried_before = attempts"
        f" WHERE id = :id RETURNING {_COLUMNS}",
        id=delivery_id, url=url, now=now,
    )  # fmt: skip
    return _delivery(row) if row else None


def hold(db: Rows, endpoint: str) -> None:
    """WAITING → HELD for all that goes to an endpoint."""
    db.run("UPDATE deliveries SET state = 'held' WHERE endpoint = :endpoint AND state = 'waiting'", endpoint=endpoint)


def release(db: Rows, endpoint: str, now: int) -> int:
    """HELD → WAITING, due at once, the schedule anew; gives how many."""
    return db.run(
        "UPDATE deliveries SET state = 'waiting', due_at = :now, tried_before = attempts"
        " WHERE endpoint = :endpoint AND state = 'held'",
        endpoint=endpoint, now=now,
    )  # fmt: skip


def drop(db: Rows, endpoint: str, now: int) -> int:
    """WAITING or HELD → DROPPED; gives how many."""
    dropped = 0
    for state in _OPEN:
        dropped += db.run(
            f"UPDATE deliveries SET state = 'dropped', done_at = :now WHERE endpoint = :endpoint AND state = '{state}'",
            endpoint=endpoint, now=now,
        )  # fmt: skip
    return dropped


def redirect(db: Rows, endpoint: str, url: str) -> None:
    """What is not delivered yet goes to the endpoint's new address."""
    for state in _OPEN:
        db.run(
            f"UPDATE deliveries SET url = :url WHERE endpoint = :endpoint AND state = '{state}'",
            endpoint=endpoint, url=url,
        )  # fmt: skip


def open_of(db: Rows, endpoint: str) -> int:
    """How many messages wait for an endpoint, or for it to be resumed."""
    found = (
        db.one(f"SELECT count(*) FROM deliveries WHERE endpoint = :endpoint AND state = '{state}'", endpoint=endpoint)
        for state in _OPEN
    )
    return sum(row[0] for row in found if row)


def add_try(db: Rows, one: Try) -> None:
    db.run(insert(Try, "attempts") + " ON CONFLICT (delivery, number) DO NOTHING", **values(one))


def tried(db: Rows, delivery_id: str, since: int) -> int:
    """How many tries after number `since` have come to an end."""
    row = db.one(
        "SELECT count(*) FROM attempts WHERE delivery = :delivery AND number > :since",
        delivery=delivery_id,
        since=since,
    )
    assert row is not None
    return int(row[0])


def tries(db: Rows, delivery_id: str) -> list[Try]:
    rows = db.all(
        f"SELECT {columns(Try)} FROM attempts WHERE delivery = :delivery ORDER BY number", delivery=delivery_id
    )
    return [Try(*row) for row in rows]


def try_after(db: Rows, place: tuple[int, str, int], before: int, limit: int) -> tuple[int, str, int] | None:
    """(at, delivery, number) of the last of the next `limit` tries after `place` that are older than `before`."""
    rows = db.all(
        "SELECT at, delivery, number FROM attempts WHERE (at, delivery, number) > (:at, :delivery, :number)"
        " AND at < :before ORDER BY at, delivery, number LIMIT :limit",
        at=place[0], delivery=place[1], number=place[2], before=before, limit=limit,
    )  # fmt: skip
    return (rows[-1][0], rows[-1][1], rows[-1][2]) if rows else None


def forget_tries(db: Rows, after: tuple[int, str, int], upto: tuple[int, str, int], before: int) -> int:
    """Removes the tries between these two places whose message was delivered or dropped before `before`."""
    return db.run(
        "DELETE FROM attempts WHERE (at, delivery, number) > (:at, :delivery, :number)"
        " AND (at, delivery, number) <= (:last_at, :last_delivery, :last_number)"
        " AND EXISTS (SELECT 1 FROM deliveries WHERE deliveries.id = attempts.delivery"
        " AND deliveries.state IN ('delivered', 'dropped') AND deliveries.done_at < :before)",
        at=after[0], delivery=after[1], number=after[2],
        last_at=upto[0], last_delivery=upto[1], last_number=upto[2], before=before,
    )  # fmt: skip


def _delivery(row: Row) -> Delivery:
    cells = list(row)
    cells[_STATE] = DeliveryState(cells[_STATE])
    return Delivery(*cells)
