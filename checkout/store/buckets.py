"""How often somebody has asked all servers together: what is left for whom."""

from __future__ import annotations

from msgspec import Struct

from checkout.interfaces import Rows


class Bucket(Struct, frozen=True):
    """`held` is left, as it was at `filled_at`; `name`: a digest of who asks."""

    name: str
    held: int
    filled_at: int


def get(db: Rows, name: str) -> Bucket | None:
    row = db.one("SELECT name, held, filled_at FROM buckets WHERE name = :name", name=name)
    return Bucket(*row) if row else None


def put(db: Rows, one: Bucket) -> None:
    """In the place of an earlier one."""
    db.run(
        "INSERT INTO buckets (name, held, filled_at) VALUES (:name, :held, :filled_at)"
        " ON CONFLICT (name) DO UPDATE SET held = excluded.held, filled_at = excluded.filled_at",
        name=one.name, held=one.held, filled_at=one.filled_at,
    )  # fmt: skip


def any_before(db: Rows, at: int) -> bool:
    """Whether one was filled last before `at`."""
    return db.one("SELECT 1 FROM buckets WHERE filled_at < :at LIMIT 1", at=at) is not None


def sweep(db: Rows, at: int) -> int:
    """Forgets those that were filled last before `at`; gives their number."""
    return db.run("DELETE FROM buckets WHERE filled_at < :at", at=at)
