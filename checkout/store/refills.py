"""The way back on PostgreSQL: a backup takes the place of what the database holds.

The former tables are not dropped: they move into a schema of their own, in the same transaction that fills the new
ones, so that a failure at any moment leaves everything as it was.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from checkout.errors import StoreError
from checkout.interfaces import Rows
from checkout.store import conninfo, copies, dumps, moving
from checkout.store.migrations import postgres as migrations
from checkout.store.postgres import PostgresStore
from checkout.store.sqlite import SqliteStore

_PATIENCE_S = 5  # PostgreSQL lists a connection for a moment after it was closed
_OTHERS = """
    SELECT count(*), string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', ')
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :ours AND pid <> pg_backend_pid()
"""


def restore(address: str, source: Path, now: int) -> str | None:
    """Fills the database from the backup `source`; gives the schema that holds the former tables now, None: there were
    none. Raises `StoreError` when a server is connected, or `source` is damaged, newer than this program or no database
    of ours; the database stays as it is then."""
    try:
        with TemporaryDirectory(dir=source.parent, prefix=".restore-") as folder:  # opening it may migrate it
            draft = Path(folder) / "checkout.db"
            copies.take(source, draft)
            with closing(SqliteStore(str(draft))) as store, store.read() as db:
                return _replace(address, db, now)
    except OSError as error:
        raise StoreError(f"{source} cannot be restored: {error.strerror}.") from error


def missing(address: str) -> list[str]:
    """The migrations that this program would apply. Raises `StoreError` where a newer one was here."""
    with closing(_as_it_is(address)) as store, store.read() as db:
        return migrations.missing(db)


def expect_alone(address: str) -> None:
    """`StoreError` while other connections of Checkout are open: servers of other machines would go on by tables that
    are about to change."""
    with closing(_as_it_is(address)) as store:
        _expect_alone(store)


def _as_it_is(address: str) -> PostgresStore:
    return PostgresStore(address, is_to_migrate=False)


def _replace(address: str, source: Rows, now: int) -> str | None:
    former = None
    with closing(_as_it_is(address)) as target:
        _expect_alone(target)
        with target.read() as db:
            tables = migrations.tables(db)
        if not tables:
            PostgresStore(address).close()
        elif not set(migrations.OWN_TABLES) <= set(tables):
            raise StoreError("The PostgreSQL database holds tables of another program; name an empty one: createdb.")
        with target.transaction() as db:
            if tables:
                former = f"before_{now}"
                _move_aside(db, tables, former)
                migrations.create(db)
            dumps.transfer(source, db, moving.tables(source))
    return former


def _move_aside(db: Rows, tables: list[str], schema: str) -> None:
    db.run(f"CREATE SCHEMA {schema}")
    for name in tables:
        db.run(f'ALTER TABLE "{name}" SET SCHEMA {schema}')


def _expect_alone(store: PostgresStore) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with store.read() as db:
            row = db.one(_OTHERS, ours=conninfo.NAME)
        if row is None or not row[0]:
            return
        if time.monotonic() > deadline:
            raise StoreError(
                f"{row[0]} connections of Checkout to this database are open, from {row[1]}: stop every server first."
            )
        time.sleep(0.1)
