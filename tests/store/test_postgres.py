"""The PostgreSQL driver: turns over all processes, lost connections, errors in sentences, and the schema."""

# ruff: noqa: PT012 - a transaction is refused at its end

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from checkout import store as stores
from checkout.errors import Conflict, Refusal, StoreError
from checkout.interfaces import Store
from checkout.locks import ALL, Held
from checkout.model.orders import State
from checkout.store import migrations, open_store
from checkout.store.lines import READERS
from checkout.store.migrations.postgres import translated
from checkout.store.postgres import PostgresStore
from checkout.store.postgres_errors import Silent
from checkout.store.postgres_rows import placed as in_place
from tests import postgres
from tests.conftest import postgres_server
from tests.shop import Shop
from tests.world import START, account, merchant


@pytest.fixture(scope="module")
def server() -> postgres.Server:
    return postgres_server()


@pytest.fixture
def address(server: postgres.Server) -> str:
    return server.emptied()


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = open_store(address)
    yield opened
    opened.close()


def cut(address: str) -> None:
    """Ends every other connection to the database, as a restart of the server does."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def wait_until_somebody_waits(address: str) -> None:
    """For a lock that another connection holds."""
    deadline = time.monotonic() + 30
    with psycopg.connect(address, autocommit=True) as connection:
        while not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert time.monotonic() < deadline, "nobody waits"
            time.sleep(0.01)


def names(store: Store) -> list[str]:
    with store.read() as db:
        return [one.id for one in stores.accounts.all_of(db)]


@pytest.mark.parametrize(
    ("sql", "placed"),
    [
        ("SELECT :a, :a_2", b"SELECT %(a)s, %(a_2)s"),
        ("SELECT 1::text || ':a' || '100%'", b"SELECT 1::text || ':a' || '100%%'"),
        ("SELECT 'it''s :a', \":a\" % :b", b"SELECT 'it''s :a', \":a\" %% %(b)s"),
    ],
)
def test_named_values_are_placed_and_texts_left_alone(sql: str, placed: bytes) -> None:
    assert in_place(sql) == placed


def test_the_schema_is_translated() -> None:
    statement = "CREATE TABLE t (\n  a INTEGER, -- fen; or so\n  b TEXT NOT NULL\n) STRICT, WITHOUT ROWID;"
    assert (
        " ".join(translated(statement, sorts_by_bytes=True).split()) == "CREATE TABLE t ( a BIGINT, b TEXT NOT NULL );"
    )
    assert 'b TEXT COLLATE "C" NOT NULL' in translated(statement, sorts_by_bytes=False)


def test_it_leans_on_nothing_that_relatives_of_postgresql_lack() -> None:
    """CockroachDB, YugabyteDB and others speak its language without some of its words."""
    places = [*Path("checkout/store").glob("*.py"), *Path("checkout/store/migrations").glob("*.py")]
    ours = "".join(path.read_text() for path in places if path.name not in ("commits.py", "sqlite.py", "__init__.py"))
    schema = "".join(translated(migrations.script(name), sorts_by_bytes=True) for name in migrations.names())
    lacking = r"SAVEPOINT|NEXTVAL|SERIAL\b|SEQUENCE|IDENTITY|ADVISORY|TRIGGER|\bLISTEN\b|\bNOTIFY\b|SERIALIZABLE"
    code = "\n".join(line.partition("#")[0] for line in ours.splitlines())
    statements = re.sub(r'"""(?s:.*?)"""', "", code)
    assert re.findall(lacking, statements + schema) == []


def test_of_what_kind_a_value_is_stands_before_the_question_whether_there_is_one() -> None:
    """PostgreSQL takes the kind from what a value is compared with first, and refuses to guess it from IS NULL."""
    statements = [path.read_text() for path in Path("checkout/store").glob("*.py")]
    asked = [(text, found) for text in statements for found in re.finditer(r":(\w+) IS (?:NOT )?NULL", text)]
    before = [(found[0], rf"[=<>] :{found[1]}\b", text[: found.start()][-200:]) for text, found in asked]
    assert asked
    assert [words for words, known, text in before if not re.search(known, text)] == []


def test_a_statement_that_is_asked_often_is_planned_once_whatever_the_size_of_its_numbers(store: Store) -> None:
    with store.read() as db:
        for number in range(20):
            db.one("SELECT name FROM merchants WHERE id = :id", id=7**number)
        prepared = db.all("SELECT 1 FROM pg_prepared_statements WHERE statement LIKE :those", those="SELECT name%")
    assert len(prepared) == 1


def test_values_come_back_as_they_went_in(store: Store) -> None:
    with store.read() as db:
        text = "it's 100% \\ :c 支付宝"
        assert db.one("SELECT CAST(:a AS TEXT) IS NULL, :b", a=None, b=text) == (True, text)
        assert db.one("SELECT sum(x) FROM (VALUES (:big), (1)) AS t (x)", big=1 << 61) == ((1 << 61) + 1,)


def test_a_reader_cannot_write(store: Store) -> None:
    with store.read() as db, pytest.raises(StoreError, match="cannot be written"):
        stores.merchants.add(db, merchant())


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(Conflict), store.transaction() as db:
        stores.accounts.add(db, account())
        stores.accounts.add(db, account())
    assert names(store) == []


def test_a_transaction_that_passed_over_an_error_is_not_taken_for_written(store: Store) -> None:
    with pytest.raises(StoreError, match="undid the transaction"), store.transaction() as db:
        stores.accounts.add(db, account())
        with pytest.raises(Conflict):
            stores.accounts.add(db, account())
    assert names(store) == []


def test_a_transaction_within_one_is_refused(store: Store) -> None:
    with store.transaction(), pytest.raises(StoreError, match="within a transaction"), store.transaction():
        pass


def test_what_postgresql_cannot_keep_is_the_senders_fault(store: Store) -> None:
    with pytest.raises(Refusal, match="character"), store.transaction() as db:
        stores.accounts.add(db, account(code="a\0b"))
    with pytest.raises(Refusal, match="too large"), store.transaction() as db:
        stores.accounts.add(db, account(max_offset=1 << 70))


def test_two_stores_take_turns(store: Store, address: str) -> None:
    other = open_store(address)
    seen: list[str] = []

    def second() -> None:
        with other.transaction() as db:
            seen.extend(one.id for one in stores.accounts.all_of(db))

    with store.transaction() as db:
        thread = threading.Thread(target=second)
        thread.start()
        wait_until_somebody_waits(address)
        stores.accounts.add(db, account())
        assert not seen
    thread.join(30)
    other.close()
    assert seen == ["wx-main"]


def test_lost_connections_are_made_again(store: Store, address: str) -> None:
    with store.transaction() as db:
        stores.accounts.add(db, account())
    assert names(store) == ["wx-main"]
    cut(address)
    assert names(store) == ["wx-main"]
    with store.transaction() as db:
        stores.accounts.add(db, account(id="b"))
    assert names(store) == ["b", "wx-main"] or names(store) == ["wx-main", "b"]


def test_a_connection_lost_within_a_transaction_loses_all_of_it(store: Store, address: str) -> None:
    with pytest.raises(StoreError), store.transaction() as db:
        stores.accounts.add(db, account())
        cut(address)
        stores.accounts.add(db, account(id="b"))
    assert names(store) == []
    with store.transaction() as db:
        stores.accounts.add(db, account())


def test_a_reader_that_finds_no_server_leaves_its_place_to_the_next(
    store: Store, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another thread takes the last idle connection at that moment."""
    assert isinstance(store, PostgresStore)

    class Taken(list[object]):
        def __bool__(self) -> bool:
            return True

    def refuse() -> None:
        raise StoreError("PostgreSQL cannot be reached.")

    with monkeypatch.context() as away:
        away.setattr(store._lines.reading, "_opened", refuse)
        away.setattr(store._lines.reading, "_idle", Taken())
        for _ in range(READERS + 1):
            with pytest.raises(StoreError, match="cannot be reached"), store.read():
                pass
    assert names(store) == []


@pytest.mark.parametrize("cause", [psycopg.OperationalError("refused"), Silent("no answer")])
def test_whoever_writes_waits_for_the_end_of_a_short_absence_before_its_lock_keys_are_known(
    store: Store, monkeypatch: pytest.MonkeyPatch, cause: psycopg.Error
) -> None:
    """A shop's answer would be lost otherwise. Not where nothing was heard at all: that has taken its time."""
    assert isinstance(store, PostgresStore)

    def refuse() -> None:
        raise StoreError("PostgreSQL cannot be reached.") from cause

    with store.transaction():
        pass
    with monkeypatch.context() as away:
        away.setattr(store._lines.reading, "_opened", refuse)
        away.setattr(store._lines.reading, "_idle", [])
        if isinstance(cause, Silent):
            with pytest.raises(StoreError, match="cannot be reached"):
                store.locked(lambda _: ["x"], lambda _, held: held)
        else:
            assert store.locked(lambda _: ["x"], lambda _, held: held) == ALL
    assert store.locked(lambda _: ["x"], lambda _, held: held) == Held(frozenset({"x"}))


def test_a_server_that_only_reads_is_looked_for_again(store: Store, address: str) -> None:
    """As a copy that took over would be found."""
    assert isinstance(store, PostgresStore)
    name = address.rpartition("/")[2]
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        store.close()
        try:
            with pytest.raises(StoreError, match="copy that only reads"), store.transaction():
                pass
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    with store.transaction() as db:
        stores.accounts.add(db, account())
    assert names(store) == ["wx-main"]


@pytest.mark.parametrize("is_written", [True, False])
def test_a_commit_whose_outcome_is_unknown_is_safe_to_repeat(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    """The connection breaks before or after PostgreSQL has done it; shops and phones ask again, in the same words."""
    shop = Shop(store).fill()
    real = psycopg.Connection.execute

    def breaking(connection: Any, query: Any, *more: Any, **options: Any) -> Any:
        if query != "COMMIT":
            return real(connection, query, *more, **options)
        if is_written:
            real(connection, query)
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def breaks() -> Any:
        return monkeypatch.setattr(psycopg.Connection, "execute", breaking)

    breaks()
    with pytest.raises(StoreError):
        shop.open("N1", 990)
    monkeypatch.undo()
    order = shop.open("N1", 990)
    assert len(shop.slots()) == 1
    breaks()
    with pytest.raises(StoreError):
        shop.push(990, at=START * 1000)
    monkeypatch.undo()
    shop.push(990, at=START * 1000)
    assert [one.order_token for one in shop.payments()] == [order.token]
    assert shop.order(order).state is State.PAID
    assert len(shop.deliveries(order)) == 1


def test_a_forked_process_uses_connections_of_its_own(store: Store) -> None:
    with store.transaction() as db:
        stores.accounts.add(db, account())
    names(store)
    child = os.fork()
    if not child:
        fine = names(store) == ["wx-main"]
        with store.transaction() as db:
            stores.accounts.add(db, account(id="child"))
        store.close()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(names(store)) == ["child", "wx-main"]
    with store.transaction() as db:
        stores.accounts.add(db, account(id="parent"))


def test_many_that_open_a_new_database_at_once_all_find_it_migrated(server: postgres.Server) -> None:
    address, failed = server.create(), []

    def use() -> None:
        try:
            opened = open_store(address)
            with opened.transaction() as db:
                stores.keys.add(db, f"k{threading.get_ident()}", "pem", START)
            opened.close()
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with psycopg.connect(address) as connection:
        rows = connection.execute("SELECT name FROM _checkout_migrations ORDER BY name").fetchall()
    assert [name for (name,) in rows] == migrations.names()
    server.drop(address)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/d", "cannot be reached"),
        ("postgresql://u:hunter2@127.0.0.1:port/d", "not understood"),
        ("postgresql://u:hunter2@[/d", "not understood"),
    ],
)
def test_a_wrong_address_is_told_without_its_password(wrong: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence) as caught:
        PostgresStore(wrong)
    assert "hunter2" not in str(caught.value)


def test_a_missing_database_is_told(server: postgres.Server) -> None:
    with pytest.raises(StoreError, match="createdb"):
        open_store(server.address("nowhere"))


def test_it_answers_and_leaves_its_files_to_postgresql(store: Store) -> None:
    store.guard()
    store.check()
    assert store.free_bytes() is None


def test_a_database_that_cannot_keep_chinese_is_refused(server: postgres.Server) -> None:
    server.administer("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    try:
        with pytest.raises(StoreError, match=r"LATIN1.*createdb --encoding=UTF8"):
            open_store(server.address("latin"))
    finally:
        server.drop(server.address("latin"))
