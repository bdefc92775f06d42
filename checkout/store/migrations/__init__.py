"""The numbered .sql files beside this module, each applied once, in order, by whichever command comes first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from importlib import resources
from typing import TYPE_CHECKING

from checkout.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

SET = "checkout"


def apply(connection: sqlite3.Connection) -> None:
    """Applies what is missing. Safe when several processes start at once: the second waits, then finds it done."""
    if not missing(connection):
        return
    # Imported late: it takes longer to load than all our own code, and is needed once per version.
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(SET)
    for name in names():
        migrations(name=name)(_step(script(name)))
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(Database(connection, execute_plugins=False))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one (`executescript` would commit the transaction around it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    if statement.strip():
        raise ValueError("A migration ends inside a statement.")


def missing(connection: sqlite3.Connection) -> list[str]:
    """What is still to be applied. Raises `StoreError` where a newer program was here."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if known is None:
        return names()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (SET,))
    return left({name for (name,) in rows})


def left(applied: set[str]) -> list[str]:
    """What is still to be applied. Raises `StoreError` where a newer program was here: this one would write past its
    rules."""
    known = names()
    if newer := applied.difference(known):
        raise StoreError(
            f"A newer version of Checkout has used this database ({max(newer)}): run that version, or go back to the"
            " backup from before with checkout restore FILE."
        )
    return [name for name in known if name not in applied]


def _step(script: str) -> Callable[[Database], None]:
    def step(db: Database) -> None:
        for statement in statements(script):
            db.execute(statement)

    step.__name__ = "step"
    return step


def names() -> list[str]:
    """The files, in the order in which they are applied."""
    return sorted(file.name for file in resources.files(__package__).iterdir() if file.name.endswith(".sql"))


def script(name: str) -> str:
    """What a file says."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
