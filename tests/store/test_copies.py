from __future__ import annotations

import errno
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from checkout import store as stores
from checkout.errors import Damaged, StoreError
from checkout.interfaces import Store
from checkout.store import copies, open_store
from tests.world import START, merchant


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backups"
    made.mkdir()
    return made


def test_a_file_system_without_links_gets_its_copy_too(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(_source: Path, _target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    store.copy_to(folder / "b.db")
    with pytest.raises(StoreError, match="exists already"):
        store.copy_to(folder / "b.db")
    assert names(folder) == ["b.db"]


def test_a_disk_that_is_full_leaves_nothing_behind(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pages(_database: Path, draft: Path) -> None:
        draft.write_bytes(b"half")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(copies, "_pages", pages)
    with pytest.raises(StoreError, match="could not be made: database or disk is full"):
        store.copy_to(folder / "b.db")
    assert names(folder) == []


def test_a_copy_that_is_damaged_never_gets_its_name(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_pages", lambda _database, draft: draft.write_bytes(b"no database" * 500))
    with pytest.raises(StoreError, match="was damaged on its way; the database is sound"):
        store.copy_to(folder / "b.db")
    assert names(folder) == []
    store.expect_sound()


def test_a_backup_of_a_damaged_database_says_that_the_database_is(store: Store, folder: Path, tmp_path: Path) -> None:
    store.close()
    database = next(tmp_path.rglob("checkout.db"))
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 30] = b"\xff" * (4096 * 27)
    database.write_bytes(content)
    with pytest.raises(Damaged, match=re.escape(f"The database {database} is damaged")):
        store.copy_to(folder / "b.db")
    assert names(folder) == []
    with pytest.raises(Damaged):
        store.expect_sound()
    copies.restore(database, _sound(tmp_path), START)
    store.expect_sound()


def _sound(tmp_path: Path) -> Path:
    made = open_store(str(tmp_path / "sound.db"))
    made.close()
    return tmp_path / "sound.db"


def test_a_copy_needs_no_files_beside_it(store: Store, folder: Path) -> None:
    store.copy_to(folder / "b.db")
    reader = sqlite3.connect(folder / "b.db")
    with closing(reader):
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert reader.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        assert names(folder) == ["b.db"]


def test_a_database_that_another_program_has_for_itself_is_not_waited_for_without_end(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_PATIENCE_S", 0)
    store.close()
    with closing(sqlite3.connect(next(tmp_path.rglob("checkout.db")), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="could not be made: database is locked"):
            store.copy_to(folder / "b.db")
    assert names(folder) == []


def test_what_was_committed_and_not_yet_in_the_main_file_is_kept_with_the_former_database(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    store.copy_to(folder / "b.db")
    with store.transaction() as db:
        stores.merchants.add(db, merchant(name="only in the WAL"))
    database = next(tmp_path.rglob("checkout.db"))
    former = copies.restore(database, folder / "b.db", START)
    store.close()
    assert former is not None
    assert former.name == f"checkout.db.before-{START}"
    reopened = open_store(str(former))
    with reopened.read() as db:
        assert [one.name for one in stores.merchants.all_of(db)] == ["only in the WAL"]
    reopened.close()


def test_restoring_to_a_new_place_makes_it(store: Store, folder: Path, tmp_path: Path) -> None:
    store.copy_to(folder / "b.db")
    new = tmp_path / "new" / "checkout.db"
    assert copies.restore(new, folder / "b.db", START) is None
    assert names(new.parent) == ["checkout.db", "checkout.db.lock"]


def test_another_program_s_database_is_not_restored(store: Store, folder: Path, tmp_path: Path) -> None:
    other = sqlite3.connect(folder / "other.db")
    other.execute("CREATE TABLE notes (a)")
    other.close()
    database = next(tmp_path.rglob("checkout.db"))
    with pytest.raises(StoreError, match="is no database of Checkout"):
        copies.restore(database, folder / "other.db", START)
    store.check()
