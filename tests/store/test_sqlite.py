from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checkout import store as stores
from checkout.errors import Conflict, StoreError
from checkout.interfaces import Rows, Store
from checkout.store import migrations, open_store
from checkout.store.sqlite import SqliteStore
from tests.world import START, account, merchant

SPAWN = multiprocessing.get_context("spawn")


def pragma(store: Store, name: str, *, writing: bool) -> Any:
    with store.transaction() if writing else store.read() as db:
        row = db.one(f"PRAGMA {name}")
    assert row is not None
    return row[0]


def is_there(store: Store, account_id: str) -> bool:
    with store.read() as db:
        return stores.accounts.get(db, account_id) is not None


@pytest.mark.parametrize("writing", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("busy_timeout", 5000),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("wal_autocheckpoint", 16000),
        ("journal_size_limit", 16_777_216),
    ],
)
def test_every_connection_is_set_up_for_safety(store: Store, name: str, value: object, *, writing: bool) -> None:
    assert pragma(store, name, writing=writing) == value


def test_what_a_migration_sorts_may_fill_the_disk_and_never_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    apply = migrations.apply

    def applied(connection: sqlite3.Connection) -> None:
        kept.append(connection.execute("PRAGMA temp_store").fetchone()[0])
        apply(connection)

    monkeypatch.setattr(migrations, "apply", applied)
    store = SqliteStore(str(tmp_path / "c.db"))
    assert kept == [1]  # FILE
    assert pragma(store, "temp_store", writing=True) == 2  # MEMORY: what many that share a commit would undo
    assert pragma(store, "temp_store", writing=False) == 0
    store.close()


@pytest.mark.parametrize(("writing", "kib"), [(True, 1024), (False, 128)])
def test_a_connection_keeps_few_pages_in_memory(store: Store, kib: int, *, writing: bool) -> None:
    assert pragma(store, "cache_size", writing=writing) == -kib


def test_a_reader_cannot_write(store: Store) -> None:
    assert pragma(store, "query_only", writing=False) == 1
    with store.read() as db, pytest.raises(StoreError, match="cannot be written"):
        stores.merchants.add(db, merchant())


def test_all_tables_are_strict(store: Store) -> None:
    with store.read() as db:
        loose = db.all(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0"
            " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlite_%'"
        )
    assert loose == []


def test_a_text_in_a_number_s_column_is_a_conflict(store: Store) -> None:
    with pytest.raises(Conflict), store.transaction() as db:
        db.run("INSERT INTO signing_keys (id, private_pem, created_at) VALUES ('k', 'pem', :at)", at="yesterday")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_only_the_owner_can_read_the_files(store: Store, tmp_path: Path, suffix: str) -> None:
    with store.transaction() as db:
        stores.merchants.add(db, merchant())
    assert stat.S_IMODE((tmp_path / "data" / f"checkout.db{suffix}").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_what_was_committed_is_there_after_opening_again(store: Store, tmp_path: Path) -> None:
    with store.transaction() as db:
        stores.accounts.add(db, account())
    again = open_store(str(tmp_path / "data" / "checkout.db"))
    assert is_there(again, "wx-main")
    again.close()


def test_an_exception_takes_the_whole_transaction_back(store: Store) -> None:
    def fail_half_way() -> None:
        with store.transaction() as db:
            stores.accounts.add(db, account())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert not is_there(store, "wx-main")
    with store.transaction() as db:
        stores.accounts.add(db, account())
    assert is_there(store, "wx-main")


def test_a_transaction_within_a_transaction_is_refused_and_hangs_nobody(store: Store) -> None:
    def nest() -> None:
        with store.transaction() as db:
            stores.accounts.add(db, account())
            with store.transaction():
                pytest.fail("two transactions at once")

    with pytest.raises(StoreError, match="within a transaction"):
        nest()
    assert not is_there(store, "wx-main")


class Failing:
    """A connection whose disk is gone: it cannot even take back what it began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.closed = False

    in_transaction = True

    def execute(self, sql: str, values: object = ()) -> object:
        if sql == "ROLLBACK":
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, values)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed = True
        self._connection.close()


def test_a_connection_that_cannot_roll_back_is_replaced_and_the_first_error_stands(store: Store) -> None:
    assert isinstance(store, SqliteStore)
    with store.transaction() as db:
        stores.accounts.add(db, account())
    failing = Failing(store._writer._commits.opened())
    store._writer._commits._connection = failing  # type: ignore[assignment]
    with pytest.raises(Conflict), store.transaction() as db:
        stores.accounts.add(db, account())
    assert failing.closed
    with store.transaction() as db:
        stores.accounts.add(db, account(id="b"))


class Worn(Failing):
    """A connection whose disk takes nothing more while `is_worn`: what wrote cannot be committed."""

    is_worn = True
    wrote: bool = False
    _probes = 0

    @property
    def in_transaction(self) -> bool:  # type: ignore[override]
        return self._connection.in_transaction

    def execute(self, sql: str, values: object = ()) -> object:
        is_probe = sql.startswith("PRAGMA user_version =")
        self._probes += is_probe
        self.wrote = (self.wrote or is_probe or sql.startswith("INSERT")) and not sql.startswith("BEGIN")
        if sql == "COMMIT" and self.wrote and self.is_worn:
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, values)  # type: ignore[arg-type]

    def probes(self) -> int:
        return self._probes


def test_a_disk_that_took_no_commit_is_tried_in_earnest_until_it_takes_one(store: Store) -> None:
    assert isinstance(store, SqliteStore)
    worn = Worn(store._writer._commits.opened())
    store._writer._commits._connection = worn  # type: ignore[assignment]
    store.expect_writes()
    assert not worn.probes()
    with pytest.raises(StoreError), store.transaction() as db:
        stores.accounts.add(db, account())
    for probes in (1, 2):
        with pytest.raises(StoreError, match="disk I/O error"):
            store.expect_writes()
        assert worn.probes() == probes
    worn.is_worn = False
    for _ in range(2):
        store.expect_writes()
        assert worn.probes() == 3
    assert not is_there(store, "wx-main")


def test_a_broken_promise_of_the_database_is_a_conflict(store: Store) -> None:
    with store.transaction() as db:
        stores.accounts.add(db, account())
    with pytest.raises(Conflict, match="UNIQUE"), store.transaction() as db:
        stores.accounts.add(db, account())
    with pytest.raises(Conflict, match="CHECK"), store.transaction() as db:
        stores.accounts.add(db, account(id="b", weight=0))
    with pytest.raises(Conflict, match="FOREIGN KEY"), store.transaction() as db:
        stores.devices.watch(db, "no phone", "wx-main")


def test_faulty_sql_is_a_store_error(store: Store) -> None:
    with store.read() as db, pytest.raises(StoreError, match="cannot be used: no such table"):
        db.all("SELECT 1 FROM nowhere")


def test_a_reader_sees_what_was_committed_and_nothing_else(store: Store) -> None:
    with store.transaction() as db:
        stores.accounts.add(db, account())
        assert not is_there(store, "wx-main")
    assert is_there(store, "wx-main")


def test_threads_write_one_after_the_other(store: Store) -> None:
    """Read, then write: a lost update would show in the sum."""
    with store.transaction() as db:
        stores.accounts.add(db, account(max_offset=0))

    def add_one() -> None:
        for _ in range(25):
            with store.transaction() as db:
                found = stores.accounts.get(db, "wx-main")
                assert found is not None
                stores.accounts.update(db, account(max_offset=found.max_offset + 1))

    in_threads(add_one, 8)
    with store.read() as db:
        found = stores.accounts.get(db, "wx-main")
    assert found is not None
    assert found.max_offset == 200


def test_a_lock_of_another_program_is_named(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout.store.sqlite._BUSY_TIMEOUT_S", 0)
    impatient = open_store(str(tmp_path / "data" / "checkout.db"))
    with store.transaction(), pytest.raises(StoreError, match="locked"), impatient.transaction():
        pass
    with impatient.transaction() as db:
        stores.accounts.add(db, account())
    impatient.close()


def test_closing_lets_every_thread_go_on_with_new_connections(store: Store) -> None:
    with store.transaction() as db:
        stores.accounts.add(db, account())
    assert is_there(store, "wx-main")
    store.close()
    assert is_there(store, "wx-main")
    with store.transaction() as db:
        stores.accounts.add(db, account(id="b"))


def test_the_room_on_the_disk_is_known(store: Store) -> None:
    room = store.free_bytes()
    assert room is not None
    assert room > 0


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "checkout.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StoreError, match="damaged"):
        open_store(str(path))


def test_a_database_that_a_newer_program_has_used_is_left_alone(store: Store, tmp_path: Path) -> None:
    with store.transaction() as db:
        db.run("UPDATE _sqlite_migrations SET name = '9999_later.sql' WHERE name LIKE '0009%'")
    with pytest.raises(StoreError, match="newer version of Checkout"):
        open_store(str(tmp_path / "data" / "checkout.db")).transaction().__enter__()


def test_a_place_where_no_file_can_be_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(str(tmp_path / "file" / "checkout.db"))


def test_another_program_s_database_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE orders (id INTEGER)")
    other.close()
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited for what no waiting mends"))
    with pytest.raises(StoreError, match="orders already exists"):
        open_store(str(path))


def test_a_full_disk_at_the_commit_takes_everything_back(store: Store) -> None:
    with store.transaction() as db:
        stores.merchants.add(db, merchant())
        pages = db.one("PRAGMA page_count")
        assert pages is not None
        db.run(f"PRAGMA max_page_count = {pages[0]}")
    with pytest.raises(StoreError, match="disk is full"), store.transaction() as db:
        stores.accounts.add(db, account(code="x" * 100_000))
    assert not is_there(store, "wx-main")


def in_threads(work: Callable[[], None], times: int) -> None:
    """Runs the work in that many threads and passes on what went wrong in them."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


# Other processes


def _open_and_say(path: str, ready: Any, answers: Any) -> None:
    ready.wait(30)
    try:
        opened = open_store(path)
        with opened.read() as db:
            row = db.one("SELECT count(*) FROM _sqlite_migrations")
        answers.put(row)
        opened.close()
    except BaseException as error:
        answers.put(repr(error))


def test_processes_that_start_at_once_migrate_a_new_database_once(tmp_path: Path) -> None:
    ready, answers = SPAWN.Barrier(4), SPAWN.Queue()
    arguments = (str(tmp_path / "data" / "checkout.db"), ready, answers)
    processes = [SPAWN.Process(target=_open_and_say, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert found == [(len(list(migrations.names())),)] * 4


FORKED = """
import os, sys, threading
from checkout import store as stores
from checkout.store import open_store
from tests.world import account
store = open_store(sys.argv[1])
with store.transaction() as db:
    stores.accounts.add(db, account(id="parent"))
with store.read() as db:
    assert stores.accounts.get(db, "parent")
old = {store._writer._commits._connection, *store._readers._all}
inside, leave = threading.Event(), threading.Event()
def hold():
    with store.transaction():
        inside.set()
        leave.wait(30)
holder = threading.Thread(target=hold)
holder.start()
inside.wait(30)
child = os.fork()
if not child:
    try:
        with store.read() as db:
            assert stores.accounts.get(db, "parent")
        assert len(store._readers._all) == 1
        assert not old & set(store._readers._all)
        assert store._writer._commits._connection is None
        assert store._writer._turns._turn.acquire(blocking=False)
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
_, status = os.waitpid(child, 0)
leave.set()
holder.join()
with store.transaction() as db:
    stores.accounts.add(db, account(id="after"))
store.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_opens_connections_of_its_own_even_while_a_thread_was_writing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKED, str(tmp_path / "checkout.db")],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    again = open_store(str(tmp_path / "checkout.db"))
    assert is_there(again, "parent")
    assert is_there(again, "after")
    again.close()


def test_a_store_that_is_gone_does_not_disturb_a_fork(tmp_path: Path) -> None:
    gone = SqliteStore(str(tmp_path / "checkout.db"))
    gone.close()
    del gone
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


# Migrations


def test_statements_are_cut_where_sqlite_cuts_them() -> None:
    script = "CREATE TABLE a (x TEXT DEFAULT ';');\n-- a note;\nCREATE TABLE b (\n  y TEXT\n);\n"
    found = [statement.splitlines()[-1] for statement in migrations.statements(script)]
    assert found == ["CREATE TABLE a (x TEXT DEFAULT ';');", ");"]


def test_a_migration_that_ends_inside_a_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="ends inside a statement"):
        list(migrations.statements("CREATE TABLE a (x TEXT)"))


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "CREATE TABLE early (x TEXT) STRICT;\nCREATE TABLE early (x TEXT) STRICT;\n"
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "script", lambda name: broken)
        with pytest.raises(StoreError, match="early already exists"):
            open_store(str(tmp_path / "checkout.db"))
    opened = open_store(str(tmp_path / "checkout.db"))
    with opened.read() as db:
        assert db.one("SELECT 1 FROM sqlite_master WHERE name = 'early'") is None
    with opened.transaction() as db:
        stores.keys.add(db, "k", "pem", START)
    opened.close()


def test_another_kind_of_database_is_refused_before_a_folder_is_made_of_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="path of a file or a postgresql"):
        open_store("mysql://user:secret@localhost/checkout")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trouble", ["moved", "removed", "replaced", "without its folder"])
def test_nothing_is_written_to_a_file_that_has_lost_its_name(tmp_path: Path, trouble: str) -> None:
    """It would be acknowledged, and gone with the process."""
    path = tmp_path / "data" / "checkout.db"
    store = SqliteStore(str(path))
    with store.transaction() as db:
        stores.merchants.add(db, merchant())
    place = path.parent if trouble == "without its folder" else path
    place.rename(tmp_path / "kept")
    if trouble == "replaced":
        path.write_bytes((tmp_path / "kept").read_bytes())
    said = "was moved, removed or replaced; put it back, or stop the server"
    with pytest.raises(StoreError, match=said):
        store.locked(lambda _: [], _adds)
    with pytest.raises(StoreError, match=said):
        _added(store)
    assert path.exists() == (trouble == "replaced"), "no empty one is made in its place"
    if trouble != "removed":
        place.unlink(missing_ok=True)
        (tmp_path / "kept").rename(place)
        _added(store)
        with store.read() as db:
            assert len(stores.accounts.all_of(db)) == 1
    store.close()


def test_no_reader_makes_an_empty_file_in_the_place_of_one_that_is_gone(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "checkout.db"))
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="its file is gone"), store.read():
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_the_folder_is_gone_the_room_beside_it_is_a_store_error(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "data" / "checkout.db"))
    (tmp_path / "data").rename(tmp_path / "kept")
    with pytest.raises(StoreError, match="put it back"):
        store.free_bytes()


def _added(store: SqliteStore) -> None:
    with store.transaction() as db:
        _adds(db)


def _adds(db: Rows, _turn: object = None) -> None:
    stores.accounts.add(db, account())
