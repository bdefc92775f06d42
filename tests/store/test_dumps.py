"""A PostgreSQL database as one SQLite file and back, on a real PostgreSQL."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from checkout import store as stores
from checkout.errors import StoreError
from checkout.interfaces import Row, Rows, Store
from checkout.store import migrations, moving, open_store, refills
from checkout.store.moving import Table
from checkout.store.sqlite import SqliteStore
from tests.conftest import postgres_server
from tests.shop import Shop
from tests.world import START, account


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of its own: schemas are made in it."""
    monkeypatch.setattr(refills, "_PATIENCE_S", 0.5)
    server = postgres_server()
    made = server.create()
    yield made
    server.drop(made)


@pytest.fixture
def shop(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(moving, "PAGE", 20)
    store = open_store(address)
    shop = Shop(store).fill()
    for number in range(moving.PAGE + 5):
        shop.open(f"N{number}", 990 + 200 * (number // 90))
    shop.push(990)
    yield shop
    store.close()


def rows(store: Store, tables: list[Table]) -> dict[str, list[object]]:
    with store.read() as db:
        return {table.name: [row for page in moving.pages(db, table) for row in page] for table in tables}


def tables_of(file: Path) -> list[Table]:
    with closing(SqliteStore(str(file))) as store, store.read() as db:
        return moving.tables(db)


def named(address: str, schema: str = "public") -> set[str]:
    with psycopg.connect(address) as db:
        found = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)).fetchall()
    return {name for (name,) in found}


def test_the_copy_holds_every_row_for_its_owner_alone_and_the_shop_goes_on_with_it(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    shop.store.copy_to(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    tables = tables_of(file)
    with closing(SqliteStore(str(file))) as copied:
        assert rows(copied, tables) == rows(shop.store, tables)
        there = Shop(copied)
        there.now = shop.now
        assert there.push(991, at=9).order is not None


def test_the_copy_is_of_one_moment(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order is paid while its tables are half copied: its payment must not come without it, nor it without that."""
    add = moving.add

    def add_slowly(db: object, table: Table, rows: object) -> None:
        if table.name == "orders" and not shop.paid_in_between:  # type: ignore[attr-defined]
            shop.paid_in_between = True  # type: ignore[attr-defined]
            shop.push(991, at=9)
        add(db, table, rows)  # type: ignore[arg-type]

    shop.paid_in_between = False  # type: ignore[attr-defined]
    monkeypatch.setattr(moving, "add", add_slowly)
    shop.store.copy_to(tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as db:
        assert db.execute("SELECT count(*) FROM payments").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM orders WHERE state = 'paid'").fetchone() == (1,)
    with shop.store.read() as now:
        assert now.one("SELECT count(*) FROM payments") == (2,)


def test_a_row_that_was_copied_wrong_is_noticed_and_nothing_stays(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = moving.add

    def add_with_a_slip(db: Rows, table: Table, rows: list[Row]) -> None:
        at = table.columns.index("name") if table.name == "merchants" else None
        add(db, table, [(*row[:at], "Slip", *row[at + 1 :]) for row in rows] if at is not None else rows)

    monkeypatch.setattr(moving, "add", add_with_a_slip)
    with pytest.raises(StoreError, match="table merchants differs"):
        shop.store.copy_to(tmp_path / "copy.db")
    assert not list(tmp_path.iterdir())


def test_restoring_puts_the_copy_back_and_keeps_what_was_there(shop: Shop, address: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    shop.store.copy_to(file)
    before = rows(shop.store, tables_of(file))
    shop.push(991, at=9)
    shop.store.close()
    with psycopg.connect(address) as db:  # as a later release leaves it
        db.execute("CREATE TABLE notes (text TEXT)")
        db.execute("INSERT INTO _checkout_migrations VALUES ('9999_notes.sql', 1)")
    with pytest.raises(StoreError, match="newer version"):
        open_store(address)
    assert stores.restore(address, file, START) == f"the schema before_{START}"
    assert rows(shop.store, tables_of(file)) == before
    assert "notes" not in named(address)
    with psycopg.connect(address) as db:
        assert db.execute(f"SELECT count(*) FROM before_{START}.payments").fetchone() == (2,)
    assert "notes" in named(address, f"before_{START}")
    assert shop.push(991, at=11).order is not None


def test_an_empty_database_is_filled(shop: Shop, tmp_path: Path) -> None:
    file, server = tmp_path / "copy.db", postgres_server()
    shop.store.copy_to(file)
    other = server.create()
    assert stores.restore(other, file, START) is None
    with closing(open_store(other)) as there:
        assert rows(there, tables_of(file)) == rows(shop.store, tables_of(file))
    server.drop(other)


def test_a_restore_that_fails_on_the_way_leaves_everything(
    shop: Shop, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "copy.db"
    shop.store.copy_to(file)
    before = rows(shop.store, tables_of(file))
    shop.store.close()

    def fail(*_: object) -> None:
        raise StoreError("The cable was cut.")

    monkeypatch.setattr(moving, "digest", fail)
    with pytest.raises(StoreError, match="cable"):
        refills.restore(address, file, START)
    assert rows(shop.store, tables_of(file)) == before
    assert not named(address, f"before_{START}")


def test_a_server_that_is_connected_is_in_the_way(shop: Shop, address: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    shop.store.copy_to(file)
    with shop.store.read() as db:  # its connection stays open, as a server's does
        db.one("SELECT 1")
    with pytest.raises(StoreError, match="stop every server first"):
        stores.restore(address, file, START)
    with pytest.raises(StoreError, match="stop every server first"):
        stores.expect_alone(address)
    shop.store.close()
    stores.expect_alone(address)


def test_what_is_no_backup_of_ours_is_refused(shop: Shop, address: str, tmp_path: Path) -> None:
    shop.store.close()
    (tmp_path / "dump.sql").write_text("-- PostgreSQL database dump\n")
    newer = tmp_path / "newer.db"
    SqliteStore(str(newer)).close()
    with closing(sqlite3.connect(newer)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, '9999_notes.sql', 'now')",
            (migrations.SET,),
        )
    for file, why in ((tmp_path / "dump.sql", "dump.sql"), (newer, "newer version"), (tmp_path / "none", "none")):
        with pytest.raises(StoreError, match=why):
            stores.restore(address, file, START)
    assert "orders" in named(address)


def test_another_programs_tables_are_left_alone(address: str, tmp_path: Path) -> None:
    SqliteStore(str(tmp_path / "copy.db")).close()
    with psycopg.connect(address) as db:
        db.execute("CREATE TABLE theirs (id BIGINT)")
    with pytest.raises(StoreError, match="another program"):
        stores.restore(address, tmp_path / "copy.db", START)
    assert named(address) == {"theirs"}


def test_what_is_missing_is_told_without_making_it(address: str, tmp_path: Path) -> None:
    for database in (address, str(tmp_path / "checkout.db")):
        assert stores.missing(database) == migrations.names()
        assert stores.missing(database) == migrations.names()
        with closing(open_store(database)) as store, store.transaction() as db:
            stores.accounts.add(db, account())
        assert stores.missing(database) == []
