"""Databases as former versions left them."""

from __future__ import annotations

import sqlite3
from importlib import resources

from checkout.store import migrations


def migrate_until(db: sqlite3.Connection, first_left_out: str) -> None:
    """Applies the scripts before this one to an empty database."""
    folder = resources.files(migrations)
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql") and file.name < first_left_out)
    db.execute(
        "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
    )
    for name in names:
        for statement in migrations.statements((folder / name).read_text(encoding="utf-8")):
            db.execute(statement)
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('checkout', ?, '')", (name,)
        )


def add_paid_order(db: sqlite3.Connection, token: str) -> None:
    """Of merchant 1001, which is there."""
    db.execute(
        "INSERT INTO orders (token, merchant, dialect, number, state, method, account, channel, price, title,"
        " content, param, buyer, price_text, notify_url, return_url, extra, asked, product, created_at,"
        " expires_at, paid_at)"
        " VALUES (?, 1001, 'vmq', ?, 'paid', '', '', '', 1, '', '', '', '', '', '', '', '', '', '', 1, 2, 2)",
        (token, token),
    )


def add_merchant(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO merchants (id, name, key, created_at) VALUES (1001, 'shop', '0123456789abcdef', 1)")
