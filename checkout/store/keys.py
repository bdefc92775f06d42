"""Our own signing keys, shared by every process on the database."""

from __future__ import annotations

from checkout.interfaces import Rows


def newest(db: Rows) -> tuple[str, str] | None:
    """(id, PEM) of the key that signs."""
    row = db.one("SELECT id, private_pem FROM signing_keys ORDER BY created_at DESC, id DESC LIMIT 1")
    return (row[0], row[1]) if row else None


def all_of(db: Rows) -> list[tuple[str, str]]:
    """Every (id, PEM), newest first: what was signed with an older key stays verifiable."""
    return [(row[0], row[1]) for row in db.all("SELECT id, private_pem FROM signing_keys ORDER BY created_at DESC, id")]


def add(db: Rows, key_id: str, private_pem: str, now: int) -> None:
    db.run(
        "INSERT INTO signing_keys (id, private_pem, created_at) VALUES (:id, :pem, :now)",
        id=key_id, pem=private_pem, now=now,
    )  # fmt: skip
