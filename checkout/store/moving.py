"""A whole SQLite database over to another store: its tables in an order that keeps every reference, page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter

from msgspec import Struct

from checkout.interfaces import Row, Rows, Value
from checkout.store.migrations import postgres

PAGE = 200
_NAMES = 200
Key = tuple[Value, ...]


class Table(Struct, frozen=True):
    """`key`: the columns of its primary key, which both databases sort alike."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def key_of(self, row: Row) -> Key:
        return tuple(row[self.columns.index(name)] for name in self.key)


def tables(db: Rows) -> list[Table]:
    """The tables of a SQLite database of ours; each comes after those that it refers to."""
    named = db.all("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 1) <> '_'")
    names = sorted(name for (name,) in named if not name.startswith("sqlite_"))
    graph = {name: {row[2] for row in db.all(f"PRAGMA foreign_key_list({name})")} for name in names}
    return [_table(db, name) for name in TopologicalSorter(graph).static_order()]


def count(db: Rows, table: Table) -> int:
    row = db.one(f"SELECT count(*) FROM {table.name}")
    assert row is not None
    return int(row[0])


def page(db: Rows, table: Table, after: Key | None, until: Key | None = None) -> list[Row]:
    """The rows behind the key `after`, in the order of their keys: up to the key `until`, or else at most `PAGE`."""
    bounds: list[str] = []
    values: dict[str, Value] = {}
    for sign, key, prefix in ((">", after, "a"), ("<=", until, "u")):
        if key is not None:
            bounds.append(f"({_listed(table.key)}) {sign} ({', '.join(f':{prefix}{n}' for n in range(len(key)))})")
            values |= {f"{prefix}{n}": value for n, value in enumerate(key)}
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    limit = "" if until is not None else f" LIMIT {PAGE}"
    sql = f"SELECT {_listed(table.columns)} FROM {table.name}{where} ORDER BY {_listed(table.key)}{limit}"
    return [tuple(row) for row in db.all(sql, **values)]


def pages(db: Rows, table: Table) -> Iterator[list[Row]]:
    """All rows in the order of their keys."""
    after: Key | None = None
    while found := page(db, table, after):
        yield found
        after = table.key_of(found[-1])


def add(db: Rows, table: Table, rows: Sequence[Row]) -> None:
    """In statements of few names: SQLite looks each one up among all before it."""
    at_once = max(1, _NAMES // len(table.columns))
    for first in range(0, len(rows), at_once):
        _add(db, table, rows[first : first + at_once])


def _add(db: Rows, table: Table, rows: Sequence[Row]) -> None:
    values: dict[str, Value] = {}
    places = []
    for number, row in enumerate(rows):
        names = [f"v{number}_{column}" for column in range(len(row))]
        values |= dict(zip(names, row, strict=True))
        places.append(f"({', '.join(':' + name for name in names)})")
    db.run(f"INSERT INTO {table.name} ({_listed(table.columns)}) VALUES {', '.join(places)}", **values)


def begin(db: Rows, tables: Sequence[Table]) -> None:
    """Marks the move in an empty target, so that no server takes half of it for all. In one with data, which may be
    in use, only what is missing is added."""
    if not any(count(db, table) for table in tables):
        postgres.begin_move(db)


def end(db: Rows) -> None:
    postgres.end_move(db)


def clear(db: Rows, tables: Sequence[Table]) -> None:
    """Away with what the migrations have put in."""
    for table in reversed(tables):
        db.run(f"DELETE FROM {table.name}")


def digest(db: Rows, table: Table) -> Digest:
    """Of all rows."""
    found = Digest()
    for rows in pages(db, table):
        found.add(rows)
    return found


class Digest:
    """What tells two tables apart: the SHA-256 of their rows in the order of their keys."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        self.rows += len(rows)
        for row in rows:
            self._hash.update(json.dumps(row).encode() + b"\n")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[int, str]:
        return self.rows, self._hash.hexdigest()


def _table(db: Rows, name: str) -> Table:
    columns = db.all(f"PRAGMA table_info({name})")
    key = sorted((row[5], row[1]) for row in columns if row[5])
    return Table(name, tuple(row[1] for row in columns), tuple(column for _, column in key))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
