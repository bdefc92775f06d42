"""An installation from its SQLite file to PostgreSQL: copied page by page, then compared row by row.

Each page is committed by itself, in the order of the keys. What an interrupted move has left is compared and kept, so
that it goes on where it stopped; until it is finished nothing else opens the copy. The source is held from the first
row to the last comparison: what somebody wrote meanwhile would be left behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from checkout.errors import Code, Refusal, StoreError
from checkout.interfaces import Row, Rows, Store
from checkout.store import moving
from checkout.store.moving import Digest, Key, Table


def steps(source: Store) -> int:
    """How many steps `run` takes: each row is copied, then compared."""
    with source.read() as db:
        return 2 * sum(moving.count(db, table) for table in moving.tables(db))


def run(source: Store, target: Store) -> Iterator[str]:
    """Copies all tables, then compares them; yields the table's name for each row that is done.

    `StoreError`: somebody uses the source, or the copy differs. Refused: CONFLICT (the target has other data).
    """
    source.guard()
    with source.transaction() as ours:  # nobody else writes meanwhile
        tables = moving.tables(ours)
        for table in tables:
            _expect_no_stranger(ours, target, table)
        with target.transaction() as theirs:
            moving.begin(theirs, tables)
        for table in tables:
            yield from _copy(ours, target, table)
        for table in tables:
            yield from _compare(ours, target, table)
        with target.transaction() as theirs:
            moving.end(theirs)


def _expect_no_stranger(ours: Rows, target: Store, table: Table) -> None:
    """Before anything is written. Rows come in the order of their keys, so the first ones must be the same."""
    with target.read() as theirs:
        there = moving.page(theirs, table, None)
        if there != moving.page(ours, table, None)[: len(there)]:
            raise _other_data(table)


def _copy(ours: Rows, target: Store, table: Table) -> Iterator[str]:
    after: Key | None = None
    for rows in moving.pages(ours, table):
        until = table.key_of(rows[-1])
        _bring(target, table, rows, after, until)
        yield from [table.name] * len(rows)
        after = until


def _bring(target: Store, table: Table, rows: list[Row], after: Key | None, until: Key) -> None:
    with target.transaction() as theirs:
        there = moving.page(theirs, table, after, until)
        if there != rows[: len(there)]:
            raise _other_data(table)
        if missing := rows[len(there) :]:
            moving.add(theirs, table, missing)


def _compare(ours: Rows, target: Store, table: Table) -> Iterator[str]:
    here, there = Digest(), Digest()
    with target.read() as theirs:
        for rows in moving.pages(ours, table):
            here.add(rows)
            yield from [table.name] * len(rows)
        for rows in moving.pages(theirs, table):
            there.add(rows)
    if here != there:
        raise StoreError(
            f"The copy of the table {table.name} differs ({here.rows} rows here, {there.rows} there); nothing was"
            " changed here. Empty the PostgreSQL database and move again."
        )


def _other_data(table: Table) -> Refusal:
    return Refusal(
        Code.CONFLICT,
        f"The PostgreSQL database has other data in the table {table.name}: another shop's, or this one's from before"
        " the SQLite file went on; name an empty one: createdb.",
    )
