"""The audit log: who did by hand what changes money, keys or settings."""

from __future__ import annotations

from checkout.interfaces import Rows
from checkout.model.owner import AuditEntry
from checkout.store.mapping import columns, insert, values


def add(db: Rows, entry: AuditEntry) -> None:
    db.run(insert(AuditEntry, "audit"), **values(entry))


def latest(db: Rows, limit: int = 50) -> list[AuditEntry]:
    """Newest first."""
    rows = db.all(f"SELECT {columns(AuditEntry)} FROM audit ORDER BY at DESC, id DESC LIMIT :limit", limit=limit)
    return [AuditEntry(*row) for row in rows]


def listed(
    db: Rows, *, noun: str = "", subject: str = "", before: tuple[int, str] | None = None, limit: int = 50
) -> list[AuditEntry]:
    """Newest first. `noun`: only actions on it (`order`); `subject`: only this one. "" for all."""
    at, last = before or (1 << 62, "")
    about = " AND subject = :subject" if subject else ""
    rows = db.all(
        f"SELECT {columns(AuditEntry)} FROM audit WHERE (:noun = '' OR action LIKE :noun || '.%'){about}"
        " AND (at, id) < (:at, :last) ORDER BY at DESC, id DESC LIMIT :limit",
        noun=noun, at=at, last=last, limit=limit, **({"subject": subject} if subject else {}),
    )  # fmt: skip
    return [AuditEntry(*row) for row in rows]


def nouns(db: Rows) -> list[str]:
    """What was acted on, for a filter. Each look jumps over one noun's actions in the index."""
    found: list[str] = []
    while noun := _noun_from(db, f"{found[-1]}/" if found else ""):  # "/" is the sign behind the point
        found.append(noun)
    return found


def _noun_from(db: Rows, start: str) -> str:
    row = db.one("SELECT min(action) FROM audit WHERE action >= :start", start=start)
    return str(row[0]).partition(".")[0] if row and row[0] else ""
