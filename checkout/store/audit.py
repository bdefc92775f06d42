"""The audit log: who did by hand what changes money, keys or settings."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model import AuditEntry
from checkout.store.mapping import columns, insert, values


def add(db: Rows, entry: AuditEntry) -> None:
    db.run(insert(AuditEntry, "audit"), **values(entry))


def latest(db: Rows, limit: int = 50) -> list[AuditEntry]:
    """Newest first."""
    rows = db.all(f"SELECT {columns(AuditEntry)} FROM audit ORDER BY at DESC, id DESC LIMIT :limit", limit=limit)
    return [AuditEntry(*row) for row in rows]
