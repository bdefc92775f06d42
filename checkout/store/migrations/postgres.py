"""The same numbered .sql files on PostgreSQL: each translated, applied once, all that is missing in one transaction."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from zlib import crc32

from checkout.errors import StoreError
from checkout.interfaces import Rows
from checkout.store.migrations import left, names, script, statements

if TYPE_CHECKING:
    from psycopg import Connection

# Rows that transactions lock: those that their keys fall on, or all of them. Always in their order,
# so that nobody waits for who waits for him.
LOCKS = 64
LOCK_ALL = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT id FROM _checkout_turns ORDER BY id FOR UPDATE"
OWN_TABLES = ("_checkout_turns", "_checkout_migrations")
_MOVE = "an unfinished move"  # among the migrations: no program opens a database with one that it does not know
_UNFINISHED = (
    "The move of a SQLite file into this PostgreSQL database was interrupted, and not everything is here: run it again"
    " with checkout move --to ADDRESS, or name an empty database."
)
_FOUNDATION = (
    "DROP TABLE IF EXISTS _checkout_writer",  # of older programs, which would not wait for our locks
    "CREATE TABLE IF NOT EXISTS _checkout_turns (id BIGINT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS _checkout_migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)",
    "INSERT INTO _checkout_turns (id) VALUES "
    + ", ".join(f"({number})" for number in range(1, LOCKS + 1))
    + " ON CONFLICT (id) DO NOTHING",
)
_BYTES = "SELECT 'B' < 'a' AND '_' > 'B' AND '-' < '0'"  # whether texts sort by their bytes
_RACES = {"23505", "42P07", "42710", "40001", "XX000"}  # IF NOT EXISTS does not cover two that create at once


def lock(keys: Iterable[str]) -> tuple[str, int]:
    """The statement that begins a transaction and locks some keys, and how many rows that are. Two
    keys may fall on one row: then those who have them wait for each other without need."""
    numbers = sorted({crc32(key.encode()) % LOCKS + 1 for key in keys})
    places = ", ".join(map(str, numbers))
    return LOCK_ALL.replace(" ORDER BY", f" WHERE id IN ({places}) ORDER BY"), len(numbers)


def apply(connection: Connection, *, is_moving: bool = False) -> None:
    """Applies what is missing. Safe when several processes start at once: the second waits, then finds it done.
    Raises `StoreError` as `missing`; `is_moving`: to go on with an unfinished move."""
    if _is_founded(connection) and not _missing(connection, is_moving=is_moving):
        return
    _found(connection)
    connection.execute(LOCK_ALL)
    try:
        for name in _missing(connection, is_moving=is_moving):
            for statement in statements(script(name)):
                connection.execute(translated(statement, sorts_by_bytes=_sorts_by_bytes(connection)))
            connection.execute("INSERT INTO _checkout_migrations VALUES (%s, %s)", (name, int(time.time())))
        connection.execute("COMMIT")
    except BaseException:
        if not connection.closed:
            connection.execute("ROLLBACK")
        raise


def create(db: Rows) -> None:
    """All tables where there are none, within the caller's transaction."""
    for statement in _FOUNDATION:
        db.run(statement)
    row = db.one(_BYTES)
    for name in names():
        for statement in statements(script(name)):
            db.run(translated(statement, sorts_by_bytes=row is not None and bool(row[0])))
        db.run("INSERT INTO _checkout_migrations VALUES (:name, :at)", name=name, at=int(time.time()))


def missing(db: Rows) -> list[str]:
    """What is still to be applied. Raises `StoreError` where a newer program was here, or a move is unfinished."""
    if not is_founded(db):
        return names()
    return _left({name for (name,) in db.all("SELECT name FROM _checkout_migrations")})


def begin_move(db: Rows) -> None:
    """From now on nobody opens the database but who goes on with the move."""
    db.run(
        "INSERT INTO _checkout_migrations (name, applied_at) VALUES (:name, :at) ON CONFLICT (name) DO NOTHING",
        name=_MOVE, at=int(time.time()),
    )  # fmt: skip


def end_move(db: Rows) -> None:
    db.run("DELETE FROM _checkout_migrations WHERE name = :name", name=_MOVE)


def is_founded(db: Rows) -> bool:
    """Whether a Checkout was here."""
    return set(OWN_TABLES) <= set(tables(db))


def tables(db: Rows) -> list[str]:
    """Everybody's, in the schema that we use."""
    return sorted(name for (name,) in db.all("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))


def translated(statement: str, *, sorts_by_bytes: bool) -> str:
    """A statement of the schema as PostgreSQL takes it. Texts compare by their bytes, as everywhere in Checkout."""
    plain = re.sub(r"--[^\n]*", "", statement)
    plain = re.sub(r"\)\s*STRICT(,\s*WITHOUT\s+ROWID)?\s*;", ");", plain)
    plain = re.sub(r"\bINTEGER\b", "BIGINT", plain)
    return plain if sorts_by_bytes else re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', plain)


def _is_founded(connection: Connection) -> bool:
    known = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
    row = connection.execute(f"{known} AND table_name = ANY(%s)", (list(OWN_TABLES),)).fetchone()
    if row is None or row[0] != len(OWN_TABLES):
        return False
    locks = connection.execute("SELECT count(*) FROM _checkout_turns").fetchone()
    return locks is not None and locks[0] == LOCKS


def _found(connection: Connection) -> None:
    from psycopg import Error

    for statement in _FOUNDATION:
        for delay in (0.05, 0.2, 1, None):
            try:
                connection.execute(statement)
                break
            except Error as error:
                if delay is None or error.sqlstate not in _RACES:
                    raise
                time.sleep(delay)


def _missing(connection: Connection, *, is_moving: bool) -> list[str]:
    applied = {row[0] for row in connection.execute("SELECT name FROM _checkout_migrations").fetchall()}
    return _left(applied - {_MOVE} if is_moving else applied)


def _left(applied: set[str]) -> list[str]:
    if _MOVE in applied:
        raise StoreError(_UNFINISHED)
    return left(applied)


def _sorts_by_bytes(connection: Connection) -> bool:
    row = connection.execute(_BYTES).fetchone()
    return row is not None and bool(row[0])
