"""What the owner is told of: one open row for each condition; and the troubles that no other row tells of."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.owner import Alert
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Alert)


def raised(db: Rows, alert: Alert) -> bool:
    """False: another process has raised the same condition."""
    sql = insert(Alert, "alerts") + " ON CONFLICT (condition) WHERE cleared_at IS NULL DO NOTHING"
    return db.run(sql, **values(alert)) > 0


def open_ones(db: Rows) -> list[Alert]:
    """What is wrong now, the oldest first."""
    rows = db.all(f"SELECT {_COLUMNS} FROM alerts WHERE cleared_at IS NULL ORDER BY raised_at, id")
    return [Alert(*row) for row in rows]


def recent(db: Rows, limit: int = 50) -> list[Alert]:
    """Everything that was raised, the newest first."""
    rows = db.all(f"SELECT {_COLUMNS} FROM alerts ORDER BY raised_at DESC, id DESC LIMIT :limit", limit=limit)
    return [Alert(*row) for row in rows]


def last_told_at(db: Rows, condition: str) -> int | None:
    row = db.one("SELECT max(told_at) FROM alerts WHERE condition = :condition", condition=condition)
    return row[0] if row else None


def changed(db: Rows, alert_id: str, *, level: int, details: str, due_at: int | None) -> None:
    db.run(
        "UPDATE alerts SET level = :level, details = :details, due_at = :due_at WHERE id = :id AND cleared_at IS NULL",
        id=alert_id, level=level, details=details, due_at=due_at,
    )  # fmt: skip


def forget(db: Rows, alert_id: str) -> None:
    db.run("DELETE FROM alerts WHERE id = :id", id=alert_id)


def cleared(db: Rows, alert_id: str, now: int, due_at: int | None) -> None:
    db.run(
        "UPDATE alerts SET cleared_at = :now, due_at = :due_at, attempts = 0 WHERE id = :id AND cleared_at IS NULL",
        id=alert_id, now=now, due_at=due_at,
    )  # fmt: skip


def due(db: Rows, now: int, limit: int = 20) -> list[Alert]:
    rows = db.all(
        f"SELECT {_COLUMNS} FROM alerts WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY due_at, id LIMIT :limit",
        now=now, limit=limit,
    )  # fmt: skip
    return [Alert(*row) for row in rows]


def claim(db: Rows, alert: Alert, lease_until: int) -> Alert | None:
    """Takes a due alert for one try: counts it and moves `due_at` ahead as a lease. None: another process has it."""
    row = db.one(
        "UPDATE alerts SET attempts = attempts + 1, due_at = :lease WHERE id = :id AND due_at = :due_at"
        f" AND attempts = :attempts RETURNING {_COLUMNS}",
        id=alert.id, due_at=alert.due_at, attempts=alert.attempts, lease=lease_until,
    )  # fmt: skip
    return Alert(*row) if row else None


def told(db: Rows, claimed: Alert, now: int) -> None:
    """Nothing more to tell, unless it has changed since. `told_at` is when it was told that it is so."""
    if claimed.cleared_at is None:
        db.run(
            "UPDATE alerts SET told_at = :now, told_level = :level WHERE id = :id",
            id=claimed.id, level=claimed.level, now=now,
        )  # fmt: skip
    db.run(
        "UPDATE alerts SET due_at = NULL, attempts = 0 WHERE id = :id AND due_at = :due_at AND level = :level",
        id=claimed.id, due_at=claimed.due_at, level=claimed.level,
    )  # fmt: skip


def postpone(db: Rows, claimed: Alert, due_at: int) -> None:
    db.run(
        "UPDATE alerts SET due_at = :due_at WHERE id = :id AND due_at = :lease",
        id=claimed.id, lease=claimed.due_at, due_at=due_at,
    )  # fmt: skip


def prune(db: Rows, before: int) -> None:
    """Forgets what was over long ago."""
    db.run("DELETE FROM alerts WHERE raised_at < :before AND cleared_at < :before AND due_at IS NULL", before=before)


def trouble(db: Rows, name: str, said: str, now: int) -> None:
    """Notes a trouble, or what is said of one that is there; it keeps its time."""
    db.run(
        "INSERT INTO troubles (name, since, said) VALUES (:name, :now, :said)"
        " ON CONFLICT (name) DO UPDATE SET said = excluded.said",
        name=name, now=now, said=said,
    )  # fmt: skip


def troubles(db: Rows) -> dict[str, tuple[int, str]]:
    """name → (since when, what was said)."""
    return {row[0]: (row[1], row[2]) for row in db.all("SELECT name, since, said FROM troubles ORDER BY name")}


def well(db: Rows, name: str) -> None:
    db.run("DELETE FROM troubles WHERE name = :name", name=name)


# What the conditions are read from.

_REFUSED = (
    "SELECT {whose}, sum(waiting), sum(failed), max(given_up_at) FROM ("
    "SELECT {whose}, 1 AS waiting, 0 AS failed, 0 AS given_up_at FROM deliveries"
    " WHERE state = 'waiting' AND {which} AND attempts - tried_before >= :attempts UNION ALL"
    " SELECT {whose}, 0, 1, done_at FROM deliveries WHERE state = 'failed' AND {which} AND done_at >= :since"
    ") AS refused GROUP BY {whose} ORDER BY {whose}"
)


def refused_callbacks(db: Rows, attempts: int, since: int) -> list[tuple[int, int, int, int]]:
    """(merchant, messages tried in vain at least so often, given up since, when the last one was) of orders' own."""
    rows = db.all(_REFUSED.format(whose="merchant", which="endpoint = ''"), attempts=attempts, since=since)
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def refused_events(db: Rows, attempts: int, since: int) -> list[tuple[str, int, int, int]]:
    """The same of webhook endpoints: (endpoint, tried in vain, given up since, when the last one was)."""
    rows = db.all(_REFUSED.format(whose="endpoint", which="endpoint <> ''"), attempts=attempts, since=since)
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def to_review(db: Rows) -> tuple[int, int]:
    """(how many payments wait for a person, when the newest came); 0 for none. As in `overview`, the time leads the
    database to the small index of the inbox."""
    row = db.one(
        "SELECT count(*), coalesce(max(received_at), 0) FROM payments"
        " WHERE judgement IN ('suspected', 'unmatched', 'unreadable') AND received_at > 0"
    )
    assert row is not None
    return row[0], row[1]


def late_money(db: Rows, since: int) -> tuple[int, int]:
    """(how many payments came late since then, when the newest came); 0 for none."""
    row = db.one(
        "SELECT count(*), coalesce(max(received_at), 0) FROM payments"
        " WHERE received_at >= :since AND judgement = 'late'",
        since=since,
    )
    assert row is not None
    return row[0], row[1]
