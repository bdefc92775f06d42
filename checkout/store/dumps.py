"""A PostgreSQL database as one SQLite file: a backup that needs no tools of PostgreSQL, and any machine can open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from checkout.errors import StoreError
from checkout.interfaces import Rows
from checkout.store import copies, moving
from checkout.store.moving import Table
from checkout.store.sqlite import SqliteStore


def write(source: Rows, target: Path) -> None:
    """Writes everything to a new file `target`, mode 0600; every row is read again and compared before it has its name.

    `source` must show one moment. Raises `StoreError`; nothing is left behind then, and an existing file is kept.
    """
    copies.write(target, lambda draft: _fill(source, draft))


def transfer(source: Rows, target: Rows, tables: Sequence[Table]) -> None:
    """Everything of `source` in the place of the rows of `target`. `StoreError`: a table reads differently there."""
    moving.clear(target, tables)
    for table in tables:
        for rows in moving.pages(source, table):
            moving.add(target, table, rows)
    for table in tables:
        here, there = moving.digest(source, table), moving.digest(target, table)
        if here != there:
            raise StoreError(
                f"The copy of the table {table.name} differs ({here.rows} rows, {there.rows} in the copy); nothing was"
                " changed. Please report this."
            )


def _fill(source: Rows, draft: Path) -> None:
    store = SqliteStore(str(draft))
    try:
        with store.read() as db:
            tables = moving.tables(db)
        with store.transaction() as db:
            transfer(source, db, tables)
    finally:
        store.close()
        for ending in ("-wal", "-shm"):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)
