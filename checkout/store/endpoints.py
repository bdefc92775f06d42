"""Webhook endpoints: where merchants' systems hear of events."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.deliveries import Endpoint
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Endpoint)


def add(db: Rows, endpoint: Endpoint) -> None:
    db.run(insert(Endpoint, "endpoints"), **values(endpoint))


def get(db: Rows, endpoint_id: str) -> Endpoint | None:
    row = db.one(f"SELECT {_COLUMNS} FROM endpoints WHERE id = :id", id=endpoint_id)
    return Endpoint(*row) if row else None


def of_merchant(db: Rows, merchant_id: int) -> list[Endpoint]:
    rows = db.all(
        f"SELECT {_COLUMNS} FROM endpoints WHERE merchant = :merchant ORDER BY created_at, id", merchant=merchant_id
    )
    return [Endpoint(*row) for row in rows]


def all_of(db: Rows) -> list[Endpoint]:
    rows = db.all(f"SELECT {_COLUMNS} FROM endpoints ORDER BY merchant, created_at, id")
    return [Endpoint(*row) for row in rows]


def update(db: Rows, endpoint: Endpoint) -> None:
    """What an owner sets; pausing and failing have their own statements."""
    db.run(
        "UPDATE endpoints SET url = :url, events = :events, description = :description, secret = :secret,"
        " previous_secret = :previous_secret, previous_secret_until = :previous_secret_until WHERE id = :id",
        id=endpoint.id, url=endpoint.url, events=endpoint.events, description=endpoint.description,
        secret=endpoint.secret, previous_secret=endpoint.previous_secret,
        previous_secret_until=endpoint.previous_secret_until,
    )  # fmt: skip


def pause(db: Rows, endpoint_id: str, why: str, now: int) -> bool:
    """False: it is paused already, or gone."""
    changed = db.run(
        "UPDATE endpoints SET paused_at = :now, pause = :why WHERE id = :id AND paused_at IS NULL",
        id=endpoint_id, why=why, now=now,
    )  # fmt: skip
    return changed > 0


def resume(db: Rows, endpoint_id: str) -> bool:
    """False: it is not paused, or gone."""
    changed = db.run(
        "UPDATE endpoints SET paused_at = NULL, pause = '', failing_since = NULL"
        " WHERE id = :id AND paused_at IS NOT NULL",
        id=endpoint_id,
    )
    return changed > 0


def succeeded(db: Rows, endpoint_id: str) -> None:
    db.run("UPDATE endpoints SET failing_since = NULL WHERE id = :id AND failing_since IS NOT NULL", id=endpoint_id)


def failed(db: Rows, endpoint_id: str, now: int) -> int:
    """Notes a failure; gives since when every try has failed."""
    row = db.one(
        "UPDATE endpoints SET failing_since = coalesce(failing_since, :now) WHERE id = :id RETURNING failing_since",
        id=endpoint_id, now=now,
    )  # fmt: skip
    return int(row[0]) if row else now


def remove(db: Rows, endpoint_id: str) -> None:
    db.run("DELETE FROM endpoints WHERE id = :id", id=endpoint_id)
