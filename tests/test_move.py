"""From SQLite to PostgreSQL: everything comes over, and nothing is believed that was not compared."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from checkout import move
from checkout import store as stores
from checkout.errors import Refusal, StoreError
from checkout.interfaces import Store
from checkout.store import moving, open_store
from checkout.store.guard import Lock
from tests.conftest import postgres_server
from tests.shop import Shop
from tests.world import account


@pytest.fixture
def target() -> Store:
    return open_store(postgres_server().emptied())


@pytest.fixture
def shop(store: Store) -> Shop:
    shop = Shop(store).fill()
    for number in range(moving.PAGE + 5):
        shop.open(f"N{number}", 990 + 200 * (number // 90))
    shop.push(990)
    shop.push(995, at=7)
    return shop


def rows(store: Store, source: Store) -> dict[str, list[tuple[object, ...]]]:
    with source.read() as db:
        tables = moving.tables(db)
    with store.read() as db:
        return {table.name: [row for page in moving.pages(db, table) for row in page] for table in tables}


def test_everything_comes_over_and_the_shop_goes_on(shop: Shop, target: Store) -> None:
    done = list(move.run(shop.store, target))
    assert len(done) == move.steps(shop.store) > 2 * moving.PAGE
    assert rows(target, shop.store) == rows(shop.store, shop.store)
    shop.store.close()
    there = Shop(target)
    there.now = shop.now
    assert there.push(991, at=9).order is not None
    target.close()


def test_a_move_that_was_interrupted_goes_on(shop: Shop, target: Store) -> None:
    list(islice(move.run(shop.store, target), 60))
    shop.store.close()
    assert list(move.run(shop.store, target))
    assert rows(target, shop.store) == rows(shop.store, shop.store)
    target.close()


def test_a_target_with_other_data_is_refused_and_stays_as_it_is(shop: Shop, target: Store) -> None:
    with target.transaction() as db:
        stores.accounts.add(db, account(code="another"))
    with pytest.raises(Refusal, match="other data in the table accounts"):
        list(move.run(shop.store, target))
    with target.read() as db:
        assert [one.code for one in stores.accounts.all_of(db)] == ["another"]
    target.close()


def test_a_half_moved_database_is_opened_by_nothing_but_the_move(shop: Shop) -> None:
    address = postgres_server().emptied()
    with closing(stores.open_target(address)) as half:
        list(islice(move.run(shop.store, half), 60))
    for opened in (open_store, stores.missing):
        with pytest.raises(StoreError, match="run it again with checkout move"):
            opened(address)
    with closing(stores.open_target(address)) as half:
        assert list(move.run(shop.store, half))
    open_store(address).close()
    assert stores.missing(address) == []


def test_a_database_in_use_is_not_shut_off_by_a_move_into_it(shop: Shop) -> None:
    address = postgres_server().emptied()
    with closing(open_store(address)) as in_use:
        list(move.run(shop.store, in_use))
        list(islice(move.run(shop.store, in_use), 60))
        assert stores.missing(address) == []
        shop.open("N-late", 990)
        with pytest.raises(Refusal, match="went on"):
            list(move.run(shop.store, in_use))
        assert stores.missing(address) == []


def test_nobody_writes_to_the_file_from_the_first_row_to_the_last_comparison(shop: Shop, target: Store) -> None:
    moving_on = move.run(shop.store, target)
    for done in (1, move.steps(shop.store) - 2):
        list(islice(moving_on, done))
        with closing(sqlite3.connect(shop.store.path, timeout=0)) as other:  # type: ignore[attr-defined]
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("UPDATE orders SET price = price + 1")
            assert other.execute("SELECT count(*) FROM orders").fetchone()[0] > moving.PAGE
    assert list(moving_on)
    target.close()


def test_a_row_that_came_over_wrong_is_noticed(shop: Shop, target: Store) -> None:
    moving_on = move.run(shop.store, target)
    list(islice(moving_on, move.steps(shop.store) // 2))
    with target.transaction() as db:
        db.run("UPDATE orders SET price = price + 1 WHERE number = 'N3'")
    with pytest.raises(StoreError, match="table orders differs"):
        list(moving_on)
    target.close()


def test_a_server_that_runs_is_in_the_way(shop: Shop, target: Store, settings: object, tmp_path: Path) -> None:
    lock = Lock(tmp_path / "data" / "checkout.db", alone=True)
    with pytest.raises(StoreError, match="stop it first"):
        list(move.run(shop.store, target))
    lock.close()
    target.close()
