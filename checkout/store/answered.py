"""What was answered under idempotency keys, for as long as the same question gets the same answer."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.merchants import Answered
from checkout.store.mapping import columns, insert, values

_COLUMNS = columns(Answered)


def get(db: Rows, merchant_id: int, key: str) -> Answered | None:
    row = db.one(
        f"SELECT {_COLUMNS} FROM answered WHERE merchant = :merchant AND key = :key", merchant=merchant_id, key=key
    )
    return Answered(*row) if row else None


def take(db: Rows, answered: Answered) -> bool:
    """Takes a key, before anything is done under it; False when it is taken. Whoever comes second waits here until the
    first one's transaction is over."""
    sql = insert(Answered, "answered") + " ON CONFLICT (merchant, key) DO NOTHING"
    return db.run(sql, **values(answered)) > 0


def finish(db: Rows, answered: Answered) -> None:
    """Writes down what was answered."""
    db.run(
        "UPDATE answered SET status = :status, body = :body WHERE merchant = :merchant AND key = :key",
        status=answered.status, body=answered.body, merchant=answered.merchant, key=answered.key,
    )  # fmt: skip


def remove(db: Rows, merchant_id: int, key: str) -> None:
    db.run("DELETE FROM answered WHERE merchant = :merchant AND key = :key", merchant=merchant_id, key=key)


def any_before(db: Rows, since: int) -> bool:
    return db.one("SELECT 1 FROM answered WHERE created_at <= :since LIMIT 1", since=since) is not None


def sweep(db: Rows, since: int, limit: int) -> int:
    """Removes what was answered up to `since`, at most `limit` at once; gives how many."""
    return db.run(
        "DELETE FROM answered WHERE (merchant, key) IN (SELECT merchant, key FROM answered"
        " WHERE created_at <= :since ORDER BY created_at LIMIT :limit)",
        since=since, limit=limit,
    )  # fmt: skip
