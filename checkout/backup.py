"""Backups of a SQLite installation, made beside a running server, and the way back."""

from __future__ import annotations

from pathlib import Path

from checkout import store
from checkout.errors import Code, Refusal
from checkout.interfaces import Store
from checkout.settings import Settings


def create(db_store: Store, target: Path) -> int:
    """Writes a checked copy to `target`, readable for its owner only; gives its size in bytes.

    Refused: BAD_REQUEST (no such folder). `StoreError`: the file exists, or the copy could not be made.
    """
    if not target.parent.is_dir():
        raise Refusal(Code.BAD_REQUEST, f"There is no folder {target.parent}.")
    db_store.copy_to(target)
    return target.stat().st_size


def restore(settings: Settings, source: Path, now: int) -> Path | None:
    """Puts a checked copy of `source` in the place of the database; gives the name that the former one has now.

    Refused: BAD_REQUEST (PostgreSQL, no such file). `StoreError`: a server runs, or the file is damaged or no database
    of ours.
    """
    if settings.is_postgres:
        raise Refusal(Code.BAD_REQUEST, "A PostgreSQL database is restored with pg_restore.")
    if not source.is_file():
        raise Refusal(Code.BAD_REQUEST, f"There is no file {source}.")
    return store.restore(Path(settings.database), source, now)
